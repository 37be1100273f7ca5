"""How long requests from outside fail when the node dies that answers for their address.

**What it is.** A host outside the cluster makes a request every 5 ms, each on a connection of its
own, through a load balancer's address to a pod on the last node. Of the nodes that pass the
requests on, and are not the pod's own, the one with the most of them loses its network: nothing
passes, but no carrier goes, as when a machine hangs. ``failure-gap`` is the time from then to the
*beginning* of the last request that failed, 0 if none did. Then the node lives again, and
``return-gap`` is the same from there on. A request has failed if it has no answer within 0.9 s, so
that a SYN that is sent again (after 1 s, RFC 6298) hides no gap. ``failure-silence`` is the longest
time without any answer: shorter where several nodes answer for an address (BGP).

On the path ``direct``, the baseline, the same node dies, and the client asks the pod by its own
address: nothing is lost.

**Detection** is most of the gap, and set:

=================== ================================================================================
``lb=l2``           4.5 s of silence, the question each second (memberlist's): 3.5 to 4.5 s
``lb=bgp``          the session's hold time of 9 s, keepalives each 3 s: 6 to 9 s
``lb=bgp bfd=true`` three packets of BFD, one each 0.3 s: 0.6 to 0.9 s
=================== ================================================================================

**What it is not.** A node whose link loses its carrier, or that says good-bye: those are noticed at
once. Nor the loss of a pod: the one that answers is on another node.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from scenarios import _outside, _pods, _services
from testbed.errors import LabError
from testbed.measure import load
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
)
from testbed.measure.load import OK, Load, Request
from testbed.measure.servicelatency import Way

NAME = "failover"
"""The Service and its pod."""

LOAD_BALANCER = "load-balancer"
PATHS = (_outside.DIRECT, LOAD_BALANCER)
EVENTS = ("failure", "return")
METRICS = {
    (event, what): Metric(f"{event}-{what}", unit, "lower", headline)
    for event in EVENTS
    for what, unit, headline in (("gap", "s", {}), ("silence", "s", None), ("failed", "1", None))
}
PATIENCE = 0.9
"""Seconds without an answer after which a request has failed."""

QUIET = 2.0
"""Seconds in which no request fails after which all is well again."""

LIMIT = 60.0
"""Seconds that this may take."""

_SERVER = 8080  # netexec's port


class LoadBalancerFailover(Scenario):
    """See the module's text."""

    summary = "how long requests fail when the node that answers for their address dies"
    parameters: Mapping[str, Parameter] = {"path": Parameter(PATHS, one_of(*PATHS))}
    metrics: tuple[Metric, ...] = tuple(METRICS.values())
    needs: tuple[str, ...] = ("nft-egress", "ip")
    topologies: tuple[str, ...] = ("single", "leafspine", "twozone", "edge")
    proxied = True

    def manifest(self, nodes: Sequence[str]) -> str:
        """A server on the last node, and its Service."""
        found = [_pod(nodes[-1]), _service(_outside.far_from(nodes))]
        return _pods.manifest(nodes) + "---\n" + yaml.safe_dump_all(found)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Finds the node, has it die and live again, and yields what requests noticed."""
        source = _outside.client(lab)
        balanced = Way(lab, source, _outside.balanced(lab, "services", NAME), 80)
        node = _busiest(lab, balanced, _folder(raw, "before"))
        with contextlib.ExitStack() as stack:
            way = balanced
            if cell["path"] == _outside.DIRECT:
                pod = stack.enter_context(_outside.direct(lab, NAME))
                way = Way(lab, source, pod, _SERVER)
            asked = stack.enter_context(Load(way, "new", raw, PATIENCE))
            moments = _happen(lab, node, asked, seconds)
            requests = asked.requests()
        (raw / "node.json").write_text(json.dumps({"node": node, "moments": moments}) + "\n")
        for event, (start, end) in zip(EVENTS, pairwise(moments), strict=True):
            yield from readings(event, requests, start, end)


def _happen(lab: LabHandle, node: str, asked: Load, seconds: float) -> list[float]:
    """The node dies and lives again; when it did each, and the end."""
    _await(asked, time.monotonic(), PATIENCE, "before anything failed")
    moments = [time.monotonic()]
    try:
        lab.fail("node", node)
        _await(asked, moments[0], max(QUIET, seconds), f"after {node} died")
    finally:
        moments.append(time.monotonic())
        lab.heal("node", node)
    problems = lab.settle(LIMIT)
    if problems:
        raise LabError(f"not as before after {node} lived again: " + "\n  ".join(problems))
    _await(asked, time.monotonic(), max(QUIET, seconds), f"after {node} lived again")
    return [*moments, time.monotonic() - PATIENCE]


def _await(asked: Load, since: float, quiet: float, when: str) -> None:
    """Waits until all requests have been answered that began in the last ``quiet`` seconds.

    Raises:
        LabError: That did not come to pass in time.
    """
    while time.monotonic() < since + LIMIT + quiet:
        asked.listen(0.1)
        known = time.monotonic() - PATIENCE  # what has begun until then is over
        if known - quiet >= since and steady(asked.requests(), known - quiet, known):
            return
    raise LabError(f"requests fail for {LIMIT:g} s {when}", hint=_outside.NO_DIRECT_WAY)


def steady(requests: Sequence[Request], start: float, end: float) -> bool:
    """Whether there were requests between two moments, and all were answered."""
    found = load.between(requests, start, end)
    return bool(found) and all(one.outcome == OK for one in found)


def readings(
    event: str, requests: Sequence[Request], start: float, end: float
) -> Iterator[Reading]:
    """What requests noticed of one of the two events.

    Args:
        event: ``failure`` or ``return``.
        requests: All of them.
        start: When it happened.
        end: When it was over.
    """
    during = load.between(requests, start, end)
    answers = sorted(one.end for one in during if one.outcome == OK)
    times = [start, *(when for when in answers if when < end), end]
    holes = (late - early for early, late in pairwise(times))
    yield Reading(METRICS[event, "gap"], (load.last_failure(during) or start) - start)
    yield Reading(METRICS[event, "silence"], max(holes))
    yield Reading(METRICS[event, "failed"], sum(one.outcome != OK for one in during))


def _busiest(lab: LabHandle, way: Way, raw: Path) -> str:
    """The node that has passed the most requests on, without that of the pod.

    Raises:
        LabError: There are no requests.
    """
    own = _pods.node_of(lab, NAME)
    nodes = {item["metadata"]["name"] for item in lab.objects("nodes")} - {own}

    def received() -> dict[str, int]:
        found = dict.fromkeys(sorted(nodes), 0)
        for end in lab.ports():
            if end["a"] in found:
                found[end["a"]] += end["rx_packets"]
        return found

    with Load(way, "new", raw, PATIENCE) as asked:
        _await(asked, time.monotonic(), PATIENCE, "before anything failed")
        before = received()
        asked.listen(PATIENCE)
        after = received()
    return max(after, key=lambda name: after[name] - before[name])


def _folder(raw: Path, name: str) -> Path:
    folder = raw / name
    folder.mkdir(exist_ok=True)
    return folder


def _pod(node: str) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "agnhost",
        "args": ["netexec", f"--http-port={_SERVER}", "--udp-port=-1"],
        "readinessProbe": {"tcpSocket": {"port": _SERVER}, "periodSeconds": 1},
    }
    labels = {"app": NAME}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": _services.NAMESPACE, "labels": labels},
        "spec": {"nodeName": node, "containers": [container]},
    }


def _service(address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": _services.NAMESPACE},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerIP": address,
            "selector": {"app": NAME},
            "ports": [{"port": 80, "targetPort": _SERVER}],
        },
    }


scenario: Scenario = LoadBalancerFailover()
