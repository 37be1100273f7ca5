"""What leaving the cluster costs: from a pod to a host outside, by its node and by a gateway.

**What it is.** Three measurements of a third of the time each, of which each has connections of its
own: ``connect`` (new connections: the first packet's walk through the rules and the making of an
entry that translates), ``rtt`` (round trips on one connection) and ``throughput`` (one TCP stream).
Always to the first host outside, from the first node:

===========  ======================================================================================
``direct``   the node itself: nobody translates anything. The baseline
``pod``      a pod as its CNI mode lets it out: masqueraded, or with its own address in a lab with
             ``egress_exempt``. The host then gets a route to the pod, if it is on the nodes' link
``gateway``  a pod by a CiliumEgressGatewayPolicy: through a tunnel to the last node, translated
             there; answers come back from there as the CNI mode carries them
===========  ======================================================================================

The policy is there for the time of a sample only, so that no other measurement meets its rules.

**What it is not.** How many connections a gateway can translate, or how soon another takes over.
Gateway and pods share the machine's cores: a gateway of its own would take its part of the work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scenarios import _outside, _pods
from testbed.measure import cpu, iperf3, tcp
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
)
from testbed.measure.process import Flow

CONNECTS = {
    50.0: Metric("connect-p50", "s", "lower", headline={}),
    99.0: Metric("connect-p99", "s", "lower"),
}
TRIPS = {
    50.0: Metric("rtt-p50", "s", "lower", headline={}),
    99.0: Metric("rtt-p99", "s", "lower"),
}
THROUGHPUT = Metric("throughput", "bit/s", "higher", headline={})

_PATHS = (_outside.DIRECT, "pod", "gateway")


class Egress(Scenario):
    """See the module's text."""

    summary = "from a pod to a host outside: masqueraded or exempt, and by an egress gateway"
    parameters: Mapping[str, Parameter] = {"path": Parameter(_PATHS, one_of(*_PATHS))}
    metrics: tuple[Metric, ...] = (*CONNECTS.values(), *TRIPS.values(), THROUGHPUT, *cpu.METRICS)
    needs: tuple[str, ...] = ("iperf3",)

    def manifest(self, nodes: Sequence[str]) -> str:
        """The common pods."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Connects, asks and sends, for a third of ``seconds`` each (at least one to send)."""
        with _path(lab, cell["path"]) as flow, cpu.Window() as used:
            share = seconds / 3
            connects, _ = tcp.run(flow, "connect", _folder(raw, "connect"), share)
            trips, _ = tcp.run(flow, "ask", _folder(raw, "rtt"), share)
            sent, _ = iperf3.run(flow, _folder(raw, "throughput"), max(1, round(share)))
        yield from (Reading(m, connects.percentiles[p]) for p, m in CONNECTS.items())
        yield from (Reading(m, trips.percentiles[p]) for p, m in TRIPS.items())
        yield Reading(THROUGHPUT, sent.throughput)
        yield from used.readings()


scenario: Scenario = Egress()


@contextlib.contextmanager
def _path(lab: LabHandle, path: str) -> Iterator[Flow]:
    """Who sends to whom, on a path that is there for the time of the block."""
    target = _outside.client(lab)
    with contextlib.ExitStack() as stack:
        source = _pods.pod(_pods.CLIENT)
        if path == _outside.DIRECT:
            source = f"node/{_pods.node_of(lab, _pods.CLIENT)}"
        elif path == "pod":
            stack.enter_context(_outside.direct(lab, _pods.CLIENT))  # for answers, if it is exempt
        else:
            stack.enter_context(_policy(lab, lab.address(target)))
        yield Flow(lab, source, target, lab.address(target))


@contextlib.contextmanager
def _policy(lab: LabHandle, destination: str) -> Iterator[None]:
    """A policy that sends the pod's packets to a destination through the last node."""
    last = _pods.node_of(lab, _pods.FAR)
    policy = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEgressGatewayPolicy",
        "metadata": {"name": "bench"},
        "spec": {
            "selectors": [{"podSelector": {"matchLabels": {"pod": _pods.CLIENT}}}],
            "destinationCIDRs": [f"{destination}/32"],
            "egressGateway": {"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": last}}},
        },
    }
    lab.apply([policy])
    try:
        yield
    finally:
        lab.delete([policy])


def _folder(raw: Path, name: str) -> Path:
    folder = raw / name
    folder.mkdir(exist_ok=True)
    return folder
