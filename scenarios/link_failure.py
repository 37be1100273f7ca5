"""How long pod traffic stands still when a link between leaf and spine fails, and comes back.

**What it is.** A datagram per millisecond goes from a pod in the first rack to one in the last.
The spine that carries them is found by the packets that each spine forwards; then one of its two
links on the way is taken down: ``near`` is at the sender's leaf, which sees the carrier go and has
only to take the other spine; ``far`` is at the receiver's leaf, and the sender's leaf must learn it
from the routing protocol. ``failure-gap`` is the longest time without an arrival from then on,
``failure-lost`` the datagrams that never arrived. The link comes up again once traffic has been
steady, and the same is told of the repair until all routes are as before.

**What it is not.** A silent failure: both ends of a veth pair see the carrier go. A mode that
leaves routing to the fabric (``vxlan``) shows the fabric's own reconvergence.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import _pods
from testbed.errors import InputError, LabError
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
from testbed.measure.probes import Stream, interruption

METRICS = {
    (event, what): Metric(f"{event}-{what}", unit, "lower", headline)
    for event in ("failure", "repair")
    for what, unit, headline in (("gap", "s", {}), ("lost", "1", None))
}
LIMIT = 60.0
"""Seconds that traffic may take to come back, and routes to be as they were."""

_STEADY = 0.5  # seconds without a hole that count as "traffic flows"


def output(lab: LabHandle, target: str, *argv: str) -> str:
    """What a command prints in a target."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    out, err = lab.popen(target, argv, **pipes).communicate(timeout=LIMIT)
    if err:
        raise LabError(f"{' '.join(argv)} in {target}: {err.decode(errors='replace').strip()}")
    return out.decode()


def forwarded(lab: LabHandle, router: str) -> int:
    """The IPv4 packets that a router has forwarded (``ForwDatagrams`` of RFC 4293)."""
    names, values = output(lab, f"router/{router}", "cat", "/proc/net/snmp").splitlines()[:2]
    return int(dict(zip(names.split(), values.split(), strict=True))["ForwDatagrams"])


def leaves(links: Sequence[Mapping[str, Any]], first: str, last: str) -> tuple[str, str, list[str]]:
    """The leaf of the first node, that of the last one, and the spines between them.

    Args:
        links: The fabric's links; ``a`` and ``b`` are the names of a link's ends.
        first: Name of the first node.
        last: Name of the last node.

    Raises:
        InputError: There are not two ways between the nodes.
    """
    around: dict[str, set[str]] = {}
    for link in links:
        around.setdefault(link["a"], set()).add(link["b"])
        around.setdefault(link["b"], set()).add(link["a"])
    two_steps = [{far for near in around[node] for far in around[near]} for node in (first, last)]
    for near in sorted(two_steps[0]):
        for far in sorted(two_steps[1] - {near}):
            spines = sorted(around[near] & around[far])
            if len(spines) > 1:
                return near, far, spines
    raise InputError(f"no two spines between {first} and {last}", hint="Say -t leafspine.")


class LinkFailure:
    """See the module's text."""

    summary = "how long traffic stops when a leaf-spine link in use fails, and is repaired"
    parameters: Mapping[str, Parameter] = {
        "link": Parameter(("near", "far"), one_of("near", "far")),
    }
    metrics: tuple[Metric, ...] = tuple(METRICS.values())
    needs: tuple[str, ...] = ()
    topologies: tuple[str, ...] = ("leafspine",)

    def cells(self, values: Mapping[str, Sequence[Any]]) -> list[Cell]:
        """Every link."""
        return product(values)

    def manifest(self, nodes: Sequence[str]) -> str:
        """Two pods on the first node, one on the last."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Fails the link, waits until traffic is back, repairs it, waits until routes are back."""
        ends = [_pods.node_of(lab, pod) for pod in (_pods.CLIENT, _pods.FAR)]
        near, far, spines = leaves(lab.info["fabric"]["links"], *ends)
        routers = [near, far, *spines]
        before = routes(lab, routers)
        with Stream(_pods.flow(lab, "cross-node"), raw) as stream:
            spine = self._used(lab, stream, spines, seconds)
            link = (near if cell["link"] == "near" else far, spine)
            moments = [time.monotonic()]
            lab.set_link(*link, up=False)
            try:
                stream.steady(max(_STEADY, seconds), LIMIT)
            finally:
                moments.append(time.monotonic())
                lab.set_link(*link, up=True)
            self._await(lab, routers, before, stream)
            moments.append(time.monotonic())
            arrivals = stream.arrivals()
        record = {"link": link, "moments": moments}
        (raw / "link.json").write_text(json.dumps(record) + "\n")
        for event, start, end in zip(("failure", "repair"), moments, moments[1:], strict=False):
            found = interruption(arrivals, start, end)
            yield Reading(METRICS[event, "gap"], found.gap)
            yield Reading(METRICS[event, "lost"], found.lost)

    @staticmethod
    def _used(lab: LabHandle, stream: Stream, spines: list[str], seconds: int) -> str:
        if not stream.steady(_STEADY, LIMIT):
            raise LabError(f"no traffic between the first and the last rack within {LIMIT:g} s")
        start = {spine: forwarded(lab, spine) for spine in spines}
        stream.steady(max(_STEADY, seconds / 2), LIMIT)
        return max(spines, key=lambda spine: forwarded(lab, spine) - start[spine])

    @staticmethod
    def _await(lab: LabHandle, routers: list[str], before: list[Any], stream: Stream) -> None:
        end = time.monotonic() + LIMIT
        while routes(lab, routers) != before or not stream.steady(_STEADY, _STEADY * 2):
            if time.monotonic() > end:
                raise LabError(
                    f"routes are not as before, {LIMIT:g} s after the link came up again"
                )


def routes(lab: LabHandle, routers: Sequence[str]) -> list[dict[str, list[str]]]:
    """The next hops of each destination, per router: what must be the same after a repair."""
    tables = (json.loads(output(lab, f"router/{name}", "ip", "-j", "route")) for name in routers)
    return [{route["dst"]: _next_hops(route) for route in table} for table in tables]


def _next_hops(route: dict[str, Any]) -> list[str]:
    return sorted(
        f"{hop.get('gateway')} {hop.get('dev')}" for hop in route.get("nexthops", [route])
    )


scenario: Scenario = LinkFailure()
