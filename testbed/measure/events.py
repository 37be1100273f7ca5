"""What befalls a lab while it is measured: the ``events`` of a campaign. Pure.

A campaign file may have a schedule, which every sample undergoes; times count from the beginning of
the sample::

    events:
      - {at: 500ms, link: l1-sp1, for: 1s}     # down, and a second later up again
      - {at: 1s, partition: n2, for: 500ms}    # loses all traffic; its links stay up
      - {at: 2s, kill: l1/bgpd}                # until the sample ends, then it is started again

What can fail, and its names: :mod:`testbed.plan.targets`. :mod:`testbed.measure.injection` makes it
happen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.objects.source import Origin

KINDS: Mapping[str, str] = {"link": "link", "partition": "node", "kill": "daemon"}
"""Key of an event → the kind of thing that it fails (:data:`testbed.plan.targets.KINDS`)."""

MOST = 9
"""Events that a campaign may have."""

_KEYS = ("at", "for", *KINDS)
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,9})?) *(us|ms|s|min|)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that fails, and is healed again.

    Attributes:
        at: Seconds from the beginning of the sample.
        kind: ``link``, ``partition`` or ``kill``.
        target: What fails.
        duration: Seconds until it is healed; None for until the sample ends.
    """

    at: float
    kind: str
    target: str
    duration: float | None = None

    @property
    def end(self) -> float:
        """When it is healed; infinity for never before the sample ends."""
        return float("inf") if self.duration is None else self.at + self.duration

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"

    def to_dict(self) -> dict[str, Any]:
        """As in a campaign file, with its times in seconds."""
        lasting = {} if self.duration is None else {"for": self.duration}
        return {"at": self.at, self.kind: self.target, **lasting}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done.

    Attributes:
        at: Seconds from the beginning of the sample.
        number: Of the event, from 1 in the order of the file.
        event: The event.
        fails: Whether it begins; it is healed otherwise.
    """

    at: float
    number: int
    event: Event
    fails: bool


def steps(events: Sequence[Event]) -> list[Step]:
    """All that is to be done during a sample, in order.

    What is to be done at the same time is done in the order of the file, healing first.
    """
    found = [Step(e.at, number, e, True) for number, e in enumerate(events, 1)]
    ends = ((number, e) for number, e in enumerate(events, 1) if e.duration is not None)
    found += [Step(e.end, number, e, False) for number, e in ends]
    return sorted(found, key=lambda step: (step.at, step.fails, step.number))


def seconds(value: Any) -> float:
    """A time, of ``500ms``, ``1.5s``, ``2min`` or a number of seconds.

    Raises:
        ValueError: It is none; the message completes "VALUE is ...".
    """
    found = _TIME.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError("no time such as 500ms, 1.5s or 2min")
    return round(float(found[1]) * _UNITS[found[2]], 9)


def read(origin: Origin) -> tuple[Event, ...]:
    """The events of a campaign file.

    Args:
        origin: The file.

    Raises:
        InputError: They are none, or contradict each other; with the line.
    """
    found = origin.root.get("events") or []
    if not isinstance(found, list):
        raise InputError("must be a list", where=origin.where(("events",)))
    if len(found) > MOST:
        raise InputError(f"at most {MOST} events", where=origin.where(("events",)))
    events = tuple(_event(origin, item, i) for i, item in enumerate(found))
    for i, event in enumerate(events):
        _check_free(events[:i], event, origin.where(("events", i)))
    return events


def _event(origin: Origin, item: Any, number: int) -> Event:
    where = origin.where(("events", number))
    if not isinstance(item, dict):
        raise InputError("must be a mapping", where=where)
    for key in item:
        if key not in _KEYS:
            raise unknown("key", key, _KEYS, origin.where(("events", number, key)))
    kinds = [key for key in KINDS if key in item]
    if len(kinds) != 1 or "at" not in item:
        hint = "Write it like {at: 500ms, link: l1-sp1, for: 1s}."
        message = f"an event has `at` and one of {', '.join(KINDS)}"
        raise InputError(message, where=where, hint=hint)
    times = dict(_times(origin, item, number))
    return Event(times["at"], kinds[0], str(item[kinds[0]]), times.get("for"))


def _times(origin: Origin, item: Mapping[str, Any], number: int) -> Iterator[tuple[str, float]]:
    for key in ("at", "for"):
        if key in item:
            where = origin.where(("events", number, key))
            try:
                value = seconds(item[key])
            except ValueError as error:
                raise InputError(f"{item[key]!r} is {error}", where=where) from None
            if key == "for" and value == 0:
                raise InputError("must be longer than nothing", where=where)
            yield key, value


def _check_free(others: Sequence[Event], event: Event, where: Where) -> None:
    """Refuses what fails while it has failed."""
    for other in others:
        same = (other.kind, other.target) == (event.kind, event.target)
        if same and other.at < event.end and event.at < other.end:
            raise InputError(f"{event} has failed at that time by another event", where=where)
