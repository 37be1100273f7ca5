"""Interruptions of a path, seen by a steady stream of numbered datagrams.

:class:`Stream` sends one datagram per millisecond from one target to another
(:mod:`testbed.measure.programs.probes`) for as long as its ``with`` block lasts;
:func:`interruption` is the pure part, which reads a hole out of the arrivals.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from testbed.measure import programs
from testbed.measure.process import Flow, Launched

PORT = 7002
INTERVAL = 1e-3
"""Seconds between two datagrams; the resolution of what is measured."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One datagram at the receiver.

    Attributes:
        number: Its number, from 0.
        time: When it arrived, in seconds of CLOCK_MONOTONIC (``time.monotonic()``).
    """

    number: int
    time: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """The longest hole in the arrivals of an interval.

    Attributes:
        gap: The longest time without an arrival, in seconds; :data:`INTERVAL` if nothing happened.
        lost: Datagrams that never arrived, before the last one that arrived in the interval. One
            that was held up on the way and comes late, even much later, is not lost.
    """

    gap: float
    lost: int


def interruption(arrivals: Sequence[Arrival], start: float, end: float) -> Interruption:
    """The longest hole between two moments.

    A hole that begins before ``start`` counts from the last arrival before it; one that has not
    ended at ``end`` counts until then.

    Args:
        arrivals: In the order of arrival.
        start: Beginning of the interval, in seconds of CLOCK_MONOTONIC.
        end: End of the interval.
    """
    before = [item for item in arrivals if item.time < start]
    during = [item for item in arrivals if start <= item.time < end]
    times = [item.time for item in before[-1:] + during] or [start]
    gaps = [late - early for early, late in zip(times, [*times[1:], end], strict=True)]
    first = max((item.number for item in before), default=-1) + 1
    last = max((item.number for item in during), default=-1)
    arrived = {item.number for item in arrivals if first <= item.number <= last}
    return Interruption(max(gaps), max(0, last + 1 - first) - len(arrived))


def gaps(arrivals: Sequence[Arrival], start: float, end: float) -> list[float]:
    """The times without an arrival between two moments, in seconds; what is before does not count.

    Args:
        arrivals: In the order of arrival.
        start: Beginning of the interval, in seconds of CLOCK_MONOTONIC.
        end: End of the interval.
    """
    times = [start, *(item.time for item in arrivals if start <= item.time < end), end]
    return [late - early for early, late in pairwise(times)]


def parse(text: str) -> list[Arrival]:
    """Reads what the receiver printed; a line that is not finished yet is left out."""
    whole = text[: text.rfind("\n") + 1].splitlines()
    rows = (line.split() for line in whole if line[:1].isdigit())
    return [Arrival(int(number), int(nanos) / 1e9) for number, nanos in rows]


class Stream:
    """Datagrams from the source to the target of a flow, during a ``with`` block.

    Args:
        flow: Who sends to whom.
        raw: Folder for the output.

    Raises:
        LabError: The receiver did not start.
    """

    def __init__(self, flow: Flow, raw: Path) -> None:
        self._flow, self._raw = flow, raw

    def __enter__(self) -> Stream:
        """Starts the receiver, then the sender."""
        flow, port = self._flow, str(PORT)
        program = programs.argv("probes")
        listen = [*program, "receive", "0.0.0.0", port]  # noqa: S104 - in the pod's own namespace
        send = [*program, "send", flow.address, port, str(INTERVAL)]
        self._receiver = Launched(flow.lab, flow.target, listen, self._raw, "server")
        try:
            self._receiver.await_line("listening")
            self._sender = Launched(flow.lab, flow.source, send, self._raw, "client")
        except BaseException:
            self._receiver.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends both and stores what they printed."""
        self._sender.kill()
        self._receiver.kill()

    def arrivals(self) -> list[Arrival]:
        """Everything that has arrived up to now."""
        self._receiver.read(0)
        return parse(self._receiver.output)

    def listen(self, seconds: float) -> None:
        """Takes what arrives for some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._receiver.read(left)

    def steady(self, seconds: float, limit: float) -> bool:
        """Waits until datagrams have arrived without a hole for some time.

        Args:
            seconds: For how long; a hole is a tenth of that without an arrival.
            limit: How long to wait for that, in seconds.

        Returns:
            Whether it came to that.
        """
        since = time.monotonic()
        end = since + limit
        while time.monotonic() < end:
            if not self._receiver.read(seconds / 10):
                since = time.monotonic()
            elif time.monotonic() - since >= seconds:
                return True
        return False
