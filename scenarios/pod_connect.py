"""How fast new TCP connections are opened from pod to pod, one after the other.

**What it is.** The time of connect(2), which is one round trip of SYN and SYN-ACK and all that the
kernel does for the *first* packet of a flow on the way: routing, connection tracking, the walk
through the rules of the ``nat`` table. And how many connections one client opens per second, each
accepted and closed by the server before the next.

**What it is not.** The capacity of a server with many clients, or of TLS. The generator is Python
(:mod:`testbed.measure.programs.tcp`): its own 15 µs per connection are in the rate, not in the
connect times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scenarios import _pods
from testbed.measure import cpu, tcp
from testbed.measure.contract import Cell, LabHandle, Metric, Parameter, Reading, Scenario

RATE = Metric("connections", "1/s", "higher", headline={})
PERCENTILES = {
    50.0: Metric("connect-p50", "s", "lower", headline={}),
    99.0: Metric("connect-p99", "s", "lower"),
}


class PodConnect(Scenario):
    """See the module's text."""

    summary = "new TCP connections per second and connect time from pod to pod"
    parameters: Mapping[str, Parameter] = {"path": _pods.PATH}
    metrics: tuple[Metric, ...] = (RATE, *PERCENTILES.values(), *cpu.METRICS)

    def manifest(self, nodes: Sequence[str]) -> str:
        """Two pods on the first node, one on the last."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Connects for ``seconds`` and yields the rate and the times."""
        result, used = tcp.run(_pods.flow(lab, cell["path"]), "connect", raw, seconds)
        yield Reading(RATE, result.rate)
        yield from (Reading(m, result.percentiles[p]) for p, m in PERCENTILES.items())
        yield from used.readings()


scenario: Scenario = PodConnect()
