"""Steady HTTP requests through a Service, and which of them fail when something changes.

:class:`Load` has them made (:mod:`testbed.measure.programs.load`) for as long as its ``with`` block
lasts; the functions are the pure part, which reads the effect of a change out of the requests.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbed.measure import programs
from testbed.measure.process import Launched
from testbed.measure.servicelatency import Way

INTERVAL = 5e-3
"""Seconds from the beginning of a request to that of the next one; the resolution of times."""

PATIENCE = 3.0
"""Seconds without an answer after which a request has failed: a SYN that is lost is sent again
after 1 s and after 3 s (RFC 6298), so that one which is sent twice in vain fails."""

OK = "ok"
FAILURES = ("refused", "reset", "timeout", "unreachable")
"""How a request may fail."""

Connections = Literal["new", "kept"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is over.

    Attributes:
        begin: When it began, in seconds of CLOCK_MONOTONIC.
        end: When it was over.
        outcome: ``ok`` or one of :data:`FAILURES`.
        who: The host name of the server that answered; ``-`` if none did.
    """

    begin: float
    end: float
    outcome: str
    who: str


def parse(text: str) -> list[Request]:
    """Reads what the program printed; a line that is not finished yet is left out."""
    whole = text[: text.rfind("\n") + 1].splitlines()
    rows = (line.split() for line in whole if line[:1].isdigit())
    return [Request(int(begin) / 1e9, int(end) / 1e9, what, who) for begin, end, what, who in rows]


def between(requests: Sequence[Request], start: float, end: float) -> list[Request]:
    """The requests that began between two moments, in this order."""
    found = (one for one in requests if start <= one.begin < end)
    return sorted(found, key=lambda one: one.begin)


def last_failure(requests: Sequence[Request]) -> float | None:
    """When the last one that failed began; None if none did.

    A request that began later than a change was known everywhere must not fail; when it was over
    says no more than how long it waited.
    """
    return max((one.begin for one in requests if one.outcome != OK), default=None)


def last_answer(requests: Sequence[Request], who: str) -> float | None:
    """When the last request began that this server answered; None if it answered none."""
    return max((one.begin for one in requests if one.who == who), default=None)


def first_answer(requests: Sequence[Request], who: str) -> float | None:
    """When the first request was over that this server answered; None if it answered none."""
    return min((one.end for one in requests if one.who == who), default=None)


class Load:
    """Requests by one way, during a ``with`` block.

    Args:
        way: From whom to where.
        connections: ``new`` for each request, or ``kept``.
        raw: Folder for the output.
        patience: Seconds after which a request without an answer has failed.

    Raises:
        LabError: The program did not start.
    """

    def __init__(
        self, way: Way, connections: Connections, raw: Path, patience: float = PATIENCE
    ) -> None:
        words = [connections, way.address, str(way.port), str(INTERVAL), str(patience)]
        self._argv, self._way, self._raw = [*programs.argv("load"), *words], way, raw

    def __enter__(self) -> Load:
        """Starts the requests."""
        way = self._way
        self._client = Launched(way.lab, way.source, self._argv, self._raw, "client")
        try:
            self._client.await_line("asking")
        except BaseException:
            self._client.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends them and stores what was printed."""
        self._client.kill()

    def listen(self, seconds: float) -> None:
        """Takes what is told for some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._client.read(left)

    def requests(self) -> list[Request]:
        """All that were over when they were last listened to."""
        return parse(self._client.output)
