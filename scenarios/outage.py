"""What a campaign's events do to pod traffic between nodes: how long it stands still.

**What it is.** A datagram per millisecond goes from a pod on the first node to one on the last,
while the campaign's events happen (``events`` in its file). ``outage-gap`` is the longest time
without an arrival, ``outage-time`` all time without one (holes of more than 10 ms together) and
``outage-lost`` the datagrams that never arrived. Each event has the longest gap from its beginning
until something else happens (``link-1-gap``: of event 1, a link that fails), and from its end on
(``link-1-end-gap``: the link is up again).

**What it is not.** What applications see: TCP waits longer than the path is away. The sender does
not stop for an event, so a hole of some milliseconds may be the machine's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from scenarios import _pods
from testbed.errors import LabError
from testbed.measure.contract import Cell, LabHandle, Metric, Parameter, Reading, Scenario
from testbed.measure.events import KINDS, MOST
from testbed.measure.probes import INTERVAL, Stream, gaps, interruption

GAP = Metric("outage-gap", "s", "lower", headline={})
TIME = Metric("outage-time", "s", "lower")
LOST = Metric("outage-lost", "1", "lower")
OF_EVENTS = {
    (number, kind, fails): Metric(f"{kind}-{number}{'' if fails else '-end'}-gap", "s", "lower")
    for number in range(1, MOST + 1)
    for kind in KINDS
    for fails in (True, False)
}
HOLE = 0.01
"""Seconds without an arrival from which on traffic counts as away."""

_STEADY, _LIMIT = 0.1, 10.0  # seconds


class Outage(Scenario):
    """See the module's text."""

    summary = "how long traffic stops at each of the campaign's events"
    parameters: Mapping[str, Parameter] = {}
    metrics: tuple[Metric, ...] = (GAP, TIME, LOST, *OF_EVENTS.values())
    events = True

    def manifest(self, nodes: Sequence[str]) -> str:
        """Two pods on the first node, one on the last."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Sends for ``seconds`` and yields the gaps."""
        with Stream(_pods.flow(lab, "cross-node"), raw) as stream:
            if not stream.steady(_STEADY, _LIMIT) or lab.events:
                hint = "Let the first event begin later, with at: 2s."
                raise LabError("no steady traffic before the first event", hint=hint)
            start = time.monotonic()
            stream.listen(seconds)
            end, arrivals = time.monotonic(), stream.arrivals()
        happened = [one for one in lab.events if one.began < end]
        holes = gaps(arrivals, start, end)
        yield Reading(GAP, max(holes))
        yield Reading(TIME, sum(hole for hole in holes if hole > HOLE))
        # What was sent after the last arrival is lost, too, if traffic is away at the end.
        late = round(holes[-1] / INTERVAL) if holes[-1] > HOLE else 0
        yield Reading(LOST, interruption(arrivals, start, end).lost + late)
        for one, (begin, until) in zip(
            happened, pairwise([*(one.began for one in happened), end]), strict=True
        ):
            metric = OF_EVENTS[one.number, one.kind, one.fails]
            yield Reading(metric, max(gaps(arrivals, begin, until)))


scenario: Scenario = Outage()
