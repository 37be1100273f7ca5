"""What a link does to the packets on it: its rate, its queue, and its impairments.

Every value holds for each of the link's two directions on its own, so a round trip has twice the
delay and meets the loss twice.

================  ==================================================================================
``rate``          bit/s that the line carries, of whole Ethernet frames
``limit``         packets that wait for the line; those that find the queue full are lost
``delay``         seconds that a packet is on the way
``jitter``        seconds by which the delay varies; packets keep their order all the same
``distribution``  of the jitter: ``uniform`` (the delay ± at most the jitter), or one of netem's
                  tables, of which the jitter is the standard deviation
``reorder``       share of packets that skip the delay, and so overtake those on the way
``loss``          share of packets that are lost
``duplicate``     share of packets that arrive twice
``corrupt``       share of packets that arrive with one bit flipped
================  ==================================================================================

A share is that of each packet, by chance, whatever became of the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Distribution = Literal["uniform", "normal", "pareto", "paretonormal"]
DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)
"""The names of the tables are those of iproute2's files, ``normal.dist`` … (tc-netem(8))."""

_NEEDS = (("limit", "rate"), ("jitter", "delay"), ("distribution", "jitter"), ("reorder", "delay"))


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a link; None is none, and the kernel's own way for ``distribution``.

    Attributes:
        rate: In bit/s.
        limit: In packets.
        delay: In seconds.
        jitter: In seconds.
        distribution: Of the jitter; None is uniform.
        reorder: 0 to 1.
        loss: 0 to 1.
        duplicate: 0 to 1.
        corrupt: 0 to 1.
    """

    rate: float | None = None
    limit: int | None = None
    delay: float | None = None
    jitter: float | None = None
    distribution: Distribution | None = None
    reorder: float | None = None
    loss: float | None = None
    duplicate: float | None = None
    corrupt: float | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self != UNLIMITED


UNLIMITED = Limits()
"""Of a link that carries whatever the machine can."""

KEYS = tuple(field.name for field in fields(Limits))
"""The names of the limits."""


def limits(values: Mapping[str, Any]) -> Limits:
    """The limits of a link from their values, of which zero is none; other keys are left alone.

    Raises:
        ValueError: They do not go together; the message says why.
    """
    found = {key: values[key] for key in KEYS if values.get(key)}
    for key, other in _NEEDS:
        if key in found and other not in found:
            raise ValueError(f"{key} needs a {other} of the same link")
    if found.get("jitter", 0) > found.get("delay", 0):
        raise ValueError("the jitter is larger than the delay; no packet arrives before it is sent")
    return Limits(**found)
