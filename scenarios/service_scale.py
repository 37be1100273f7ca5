"""How the latency of new connections through a Service grows with the number of Services.

**What it is.** One client pod asks one Service with two endpoints on the last node, each time by a
new connection: ``connect`` is the time of connect(2), ``request`` that from before it to the answer
of one byte. There are ``services`` Services, of two endpoints each, beside the cluster's own; the
one that is asked was made last, and its name is the last one, so that it is at the end of every
list that a proxy mode makes in the order of making or of names. Where a mode walks through a list,
this is the longest way; where it looks into a map, the place makes no difference. ``direct`` is the
same to a pod's own address: a packet to a pod, too, walks through a list of Services, without
finding anything.

The report has the slope for each 1,000 Services, its interval, and R², of a straight line through
all samples of a mode.

**How it is done.** Each size has a lab of its own for each mode, whose Services are made once,
before the first block (:attr:`~testbed.measure.contract.Scenario.states`). So all sizes and modes
are measured in turns, in an order drawn anew for each block, and no sample waits for Services.

**What it is not.** The time to program Services (``service-programming``). The real kube-proxy
makes its lists in an order of its own, in which the Service may be anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
from testbed.measure.servicelatency import PORT, Way

LAST = "zz-last"
"""The Service that is asked."""

WAYS = (_services.DIRECT, _services.CLUSTER_IP)
METRICS = {
    (what, percentile): Metric(f"{what}-p{percentile:g}", "s", "lower")
    for what in ("connect", "request")
    for percentile in (50.0, 99.0)
}


class ServiceScale(Scenario):
    """See the module's text."""

    summary = "latency of new connections through one of 1 to 10,000 Services"
    parameters: Mapping[str, Parameter] = {
        "path": Parameter(WAYS, one_of(*WAYS)),
        "services": _services.SIZES,
    }
    metrics: tuple[Metric, ...] = (*METRICS.values(), *cpu.METRICS)
    proxied = True
    states: tuple[str, ...] = ("services",)

    def manifest(self, nodes: Sequence[str]) -> str:
        """Pods on the first and the last node; the Services come later."""
        return _services.pods(nodes)

    def prepare(self, lab: LabHandle, state: Cell) -> None:
        """Makes the padding, and after it the Service that is asked."""
        lab.apply(_services.padding(state["services"] - 1))
        node = _pods.node_of(lab, _pods.FAR)
        ends = _services.endpoints(LAST, _services.servers(lab), node)
        lab.apply([_services.bare(LAST), ends])

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Asks by new connections for ``seconds``."""
        client = _pods.pod(_pods.CLIENT)
        if cell["path"] == _services.DIRECT:
            way = Way(lab, client, lab.address(_pods.pod(_pods.FAR)), PORT)
        else:
            way = Way(lab, client, _services.service(lab, LAST)["spec"]["clusterIP"], 80)
        pods = [_pods.pod(name) for name in (_pods.FAR, _services.SECOND)]
        with servicelatency.servers(lab, pods, raw), cpu.Window() as used:
            connects, requests = servicelatency.requests(way, raw, seconds)
        times = {"connect": connects, "request": requests}
        for (what, percentile), metric in METRICS.items():
            yield Reading(metric, times[what].percentiles[percentile])
        yield from used.readings()


scenario: Scenario = ServiceScale()
