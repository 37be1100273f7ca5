"""What a Service costs a connection: its first packet, a request on it, and later requests.

**What it is.** One client pod asks one server pod, on its own node or on the last one, by three
ways: at the pod's own address (``direct``, the baseline, in which no proxy mode takes part), at the
cluster IP of a Service, and at its node port on the client's own node. Half of the time each
request has a connection of its own: ``connect`` is the time of connect(2), which has the first
packet's walk through the rules in it, ``request`` that from before it to the answer of one byte.
The other half all requests are on one connection (``keepalive``), whose packets the kernel knows by
connection tracking, so that a proxy mode should make no difference there.

**What it is not.** A server with many clients, or a Service with many endpoints. The Services are
few: how rules scale is what ``service-scale`` measures. Requests through a node port come from
outside as far as a proxy knows, so they may be masqueraded where those to the cluster IP are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import _pods, _services
from testbed.measure import cpu, servicelatency
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
)

HEADLINES: Mapping[tuple[str, float], Mapping[str, Any]] = {
    ("connect", 50.0): {},
    ("request", 50.0): {},
}
METRICS = {
    (what, percentile): Metric(
        f"{what}-p{percentile:g}", "s", "lower", HEADLINES.get((what, percentile))
    )
    for what in ("connect", "request", "keepalive")
    for percentile in (50.0, 99.0)
}
RATE = Metric("requests", "1/s", "higher")


class ServiceLatency(Scenario):
    """See the module's text."""

    summary = "first packet, new and kept connections through cluster IP and node port"
    parameters: Mapping[str, Parameter] = {
        "path": Parameter(_services.WAYS, one_of(*_services.WAYS)),
        "endpoint": Parameter(tuple(_services.OF), one_of(*_services.OF)),
    }
    metrics: tuple[Metric, ...] = (*METRICS.values(), RATE, *cpu.METRICS)
    proxied = True

    def manifest(self, nodes: Sequence[str]) -> str:
        """Pods on the first and the last node, and Services of them."""
        return _services.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Asks by new connections for half of ``seconds``, then by one that is kept."""
        server = _services.OF[cell["endpoint"]]
        way = _services.way(lab, cell["path"], server)
        with servicelatency.servers(lab, [_pods.pod(server)], raw), cpu.Window() as used:
            connects, requests = servicelatency.requests(way, raw, seconds / 2)
            kept = servicelatency.keep_alive(way, raw, seconds / 2)
        times = {"connect": connects, "request": requests, "keepalive": kept}
        for (what, percentile), metric in METRICS.items():
            yield Reading(metric, times[what].percentiles[percentile])
        yield Reading(RATE, requests.rate)
        yield from used.readings()


scenario: Scenario = ServiceLatency()
