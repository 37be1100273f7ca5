"""How long a pod waits for an answer: round trips of one byte, one after the other.

**What it is.** Percentiles of the whole round-trip time over one connection, and round trips per
second. Every packet is small and every one counts, so per-packet costs show in full; two sleeping
processes are woken per round trip, which is most of the time and the same in every mode.

**What it is not.** A wire's latency (there is no wire: add ``--set delay=1ms`` for one), or
latency under load. The default tool is this project's generator: a sample of one second takes one.
``tool: [sockperf]`` measures with sockperf, also UDP; it takes 3.2 s for 0.55 s of round trips (see
:mod:`testbed.measure.sockperf`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import _pods
from testbed.measure import cpu, sockperf, tcp
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
    product,
)

PERCENTILES = {
    50.0: Metric("rtt-p50", "s", "lower", headline={}),
    99.0: Metric("rtt-p99", "s", "lower", headline={}),
    99.9: Metric("rtt-p99.9", "s", "lower"),
}
RATE = Metric("transactions", "1/s", "higher")


class PodLatency(Scenario):
    """See the module's text."""

    summary = "round-trip time of small requests from pod to pod, in percentiles"
    parameters: Mapping[str, Parameter] = {
        "path": _pods.PATH,
        "protocol": Parameter(("tcp",), one_of("tcp", "udp")),
        "tool": Parameter(("generator",), one_of("generator", "sockperf")),
    }
    metrics: tuple[Metric, ...] = (*PERCENTILES.values(), RATE, *cpu.METRICS)
    needs: tuple[str, ...] = ("sockperf",)

    def cells(self, values: Mapping[str, Sequence[Any]]) -> list[Cell]:
        """The generator knows TCP only."""
        return [c for c in product(values) if (c["protocol"], c["tool"]) != ("udp", "generator")]

    def manifest(self, nodes: Sequence[str]) -> str:
        """Two pods on the first node, one on the last."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Asks for ``seconds`` and yields how long the answers took."""
        flow = _pods.flow(lab, cell["path"])
        result: sockperf.Result | tcp.Result
        if cell["tool"] == "sockperf":
            result, used = sockperf.run(flow, raw, seconds, protocol=cell["protocol"])
        else:
            result, used = tcp.run(flow, "ask", raw, seconds)
        yield from (Reading(m, result.percentiles[p]) for p, m in PERCENTILES.items())
        yield Reading(RATE, result.rate)
        yield from used.readings()


scenario: Scenario = PodLatency()
