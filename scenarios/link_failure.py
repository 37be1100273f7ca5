"""How long pod traffic stands still when a link between leaf and spine fails, and comes back.

**What it is.** A datagram per millisecond goes from a pod in the first rack to one in the last.
The spine that carries them is found by what the first leaf sends to each; then one of its two links
on the way is taken down: ``near`` is at the sender's leaf, which sees the carrier go and has only
to take the other spine; ``far`` is at the receiver's leaf, and the sender's leaf must learn of it:
from the routing protocol, or from the SDN controller. ``failure-gap`` is the longest time without
an arrival from then on, ``failure-lost`` the datagrams that never arrived. The link comes up again
once traffic has been steady, and the same is told of the repair until the lab is as before.

**What it is not.** A silent failure: both ends of a link see the carrier go. A mode that leaves
routing to the fabric (``vxlan``) shows the fabric's own reconvergence.
"""

from __future__ import annotations

import json
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
)
from testbed.measure.probes import Stream, interruption

METRICS = {
    (event, what): Metric(f"{event}-{what}", unit, "lower", headline)
    for event in ("failure", "repair")
    for what, unit, headline in (("gap", "s", {}), ("lost", "1", None))
}
LIMIT = 60.0
"""Seconds that traffic may take to come back, and the lab to be as it was."""

_STEADY = 0.5  # seconds without a hole that count as "traffic flows"


def leaves(links: Sequence[Mapping[str, Any]], first: str, last: str) -> tuple[str, str, list[str]]:
    """The leaf of the first node, that of the last one, and the spines between them.

    They are where the shortest ways between the nodes part, where they meet again, and what is
    between.

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
    there, back = _distances(around, first), _distances(around, last)
    rings: dict[int, list[str]] = {}
    for name, steps in sorted(there.items()):
        if steps + back[name] == there.get(last):
            rings.setdefault(steps, []).append(name)
    for steps, ring in rings.items():
        if len(ring) > 1:
            return rings[steps - 1][0], rings[steps + 1][0], ring
    raise InputError(f"no two spines between {first} and {last}", hint="Say -t leafspine.")


def _distances(around: Mapping[str, set[str]], start: str) -> dict[str, int]:
    """Links on the shortest way to everything that can be reached."""
    found, ring = {start: 0}, [start]
    for name in ring:
        for other in sorted(around[name] - found.keys()):
            found[other] = found[name] + 1
            ring.append(other)
    return found


class LinkFailure(Scenario):
    """See the module's text."""

    summary = "how long traffic stops when a leaf-spine link in use fails, and is repaired"
    parameters: Mapping[str, Parameter] = {
        "link": Parameter(("near", "far"), one_of("near", "far")),
    }
    metrics: tuple[Metric, ...] = tuple(METRICS.values())
    topologies: tuple[str, ...] = ("leafspine", "sdn")

    def manifest(self, nodes: Sequence[str]) -> str:
        """Two pods on the first node, one on the last."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Fails the link, waits until traffic is back, repairs it, waits until all is back."""
        ends = [_pods.node_of(lab, pod) for pod in (_pods.CLIENT, _pods.FAR)]
        near, far, spines = leaves(lab.info["fabric"]["links"], *ends)
        with Stream(_pods.flow(lab, "cross-node"), raw) as stream:
            spine = self._used(lab, stream, near, spines, seconds)
            link = f"{near if cell['link'] == 'near' else far}-{spine}"
            moments = [time.monotonic()]
            lab.fail("link", link)
            try:
                stream.steady(max(_STEADY, seconds), LIMIT)
            finally:
                moments.append(time.monotonic())
                lab.heal("link", link)
            self._await(lab, stream)
            moments.append(time.monotonic())
            arrivals = stream.arrivals()
        (raw / "link.json").write_text(json.dumps({"link": link, "moments": moments}) + "\n")
        for event, start, end in zip(("failure", "repair"), moments, moments[1:], strict=False):
            found = interruption(arrivals, start, end)
            yield Reading(METRICS[event, "gap"], found.gap)
            yield Reading(METRICS[event, "lost"], found.lost)

    @staticmethod
    def _used(lab: LabHandle, stream: Stream, near: str, spines: list[str], seconds: int) -> str:
        """The spine that the first leaf sends the datagrams to."""

        def sent() -> dict[str, int]:
            ends = [port for port in lab.ports() if port["a"] == near and port["peer"] in spines]
            return {port["peer"]: port["tx_packets"] for port in ends}

        if not stream.steady(_STEADY, LIMIT):
            raise LabError(f"no traffic between the first and the last rack within {LIMIT:g} s")
        start = sent()
        stream.steady(max(_STEADY, seconds / 2), LIMIT)
        end = sent()
        return max(spines, key=lambda spine: end[spine] - start[spine])

    @staticmethod
    def _await(lab: LabHandle, stream: Stream) -> None:
        problems = lab.settle(LIMIT)
        if not problems and not stream.steady(_STEADY, LIMIT):
            problems = ["no traffic"]
        if problems:
            after = f"{LIMIT:g} s after the link came up again"
            raise LabError(f"not as before, {after}: " + "\n  ".join(problems))


scenario: Scenario = LinkFailure()
