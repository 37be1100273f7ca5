"""Who answers at which address of a Service, found by real connections on a lab.

:data:`PODS` are the servers and the client pod. Endpoints are written by hand, in EndpointSlices,
so that their conditions and nodes can be anything; see :func:`service`. A :class:`Flow` is one
question with its answer; :func:`check` asks all of them, from all sources at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from labs import RunningLab

PROBER = Path(__file__).with_name("prober.py")
NODE = "192.168.0.11"
SECOND = "192.0.2.11"
"""Another address of the node, which :func:`prepare` gives it."""

SOURCES = {
    "pod": "default/asker",
    "node": "node/n1",
    "localhost": "node/n1",
    "client": "external/client",
}
LOCAL = {f"local-{i}": f"10.244.1.{10 + i}" for i in range(4)}
REMOTE = {f"remote-{i}": f"10.244.2.{10 + i}" for i in range(3)}
ADDRESSES = {**LOCAL, **REMOTE}
"""Servers on n1, which is the node that is asked, and on n2, with their addresses."""


def _pod(name: str, node: str, address: str) -> dict[str, Any]:
    asked = {"cni.projectcalico.org/ipAddrs": json.dumps([address])}
    container = {"name": "c", "image": "agnhost", "args": ["netexec"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": asked},
        "spec": {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0},
    }


PODS = yaml.safe_dump_all(
    [
        _pod("asker", "n1", "10.244.1.100"),
        *(_pod(name, "n1", address) for name, address in LOCAL.items()),
        *(_pod(name, "n2", address) for name, address in REMOTE.items()),
    ]
)


def node_of(server: str) -> str:
    """The node of a server."""
    return "n1" if server in LOCAL else "n2"


def service(
    name: str, endpoints: Sequence[str | dict[str, Any]], protocol: str = "TCP", **spec: Any
) -> str:
    """A Service without selector, and its EndpointSlice.

    Args:
        name: Of the Service.
        endpoints: Names of servers, or endpoints as they are in an EndpointSlice.
        protocol: Of its only port, 80.
        spec: More of its ``spec``; ``nodePort`` is the port's.
    """
    target = 8081 if protocol == "UDP" else 8080
    port = {"name": "p", "port": 80, "protocol": protocol}
    port |= {"nodePort": spec.pop("nodePort")} if "nodePort" in spec else {}
    given = [
        {"addresses": [ADDRESSES[one]], "nodeName": node_of(one)} if isinstance(one, str) else one
        for one in endpoints
    ]
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "p", "port": target, "protocol": protocol}],
        "endpoints": given,
    }
    api = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [port], **spec},
    }
    return yaml.safe_dump_all([api, slice_])


@dataclass(frozen=True)
class Flow:
    """A question: what happens to a connection.

    Attributes:
        title: For messages.
        source: One of :data:`SOURCES`.
        address: Where it goes to.
        port: The port that it goes to.
        servers: Those that answer, in the long run all of them; empty if nobody does.
        masquerade: Whether they see the node instead of the source; None if both may be.
        otherwise: ``refused`` or ``silent``, if nobody answers.
        protocol: ``TCP`` or ``UDP``.
    """

    title: str
    source: str
    address: str
    port: int
    servers: tuple[str, ...] = ()
    masquerade: bool | None = None
    otherwise: str = "refused"
    protocol: str = "TCP"


def prepare(lab: RunningLab, second: str = "") -> None:
    """Gives n1 a second address, and the client routes to what is behind n1.

    The client could reach n2 without n1, so n1 would send it ICMP redirects, and for a second after
    each none of the errors that refuse a connection: the kernel limits them together.

    Args:
        lab: The lab.
        second: A second address that n1 has by its topology; without one it is given
            :data:`SECOND`, of which proxies know only what the kernel tells them.
    """
    given = "true" if second else f"ip address replace {SECOND}/32 dev lo"
    lab.exec(
        "node/n1",
        "sh",
        "-c",
        f"{given} && sysctl -qw net.ipv4.conf.all.send_redirects=0"
        " net.ipv4.conf.n1-eth0.send_redirects=0",
    )
    ranges = ("10.96.0.0/12", "198.51.100.0/24", "203.0.113.0/24", f"{second or SECOND}/32")
    routes = (f"ip route replace {destination} via {NODE}" for destination in ranges)
    lab.exec("external/client", "sh", "-c", " && ".join(routes))


def ask(lab: RunningLab, source: str, probes: list[dict[str, Any]]) -> list[list[list[str]]]:
    """The outcomes of probes (:mod:`prober`) from one of the sources."""
    target = SOURCES.get(source, source)
    patience = [str(lab.patience)] if hasattr(lab, "patience") else []
    found: list[list[list[str]]] = json.loads(
        lab.exec(target, sys.executable, str(PROBER), json.dumps(probes), *patience)
    )
    return found


def check(lab: RunningLab, flows: Iterable[Flow]) -> list[str]:
    """Asks all questions; the answers that are not as they should be."""
    by_source: dict[str, list[Flow]] = {}
    for flow in flows:
        by_source.setdefault(flow.source, []).append(flow)
    with ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(lambda s: ask(lab, s, [_probe(f) for f in by_source[s]]), by_source)
        )
    nodes = _addresses(lab, "node/n1")
    asked = zip(by_source.values(), answers, strict=True)
    pairs = (pair for some, found in asked for pair in zip(some, found, strict=True))
    return [
        f"{flow}: {wrong} {outcomes}"
        for flow, outcomes in pairs
        if (wrong := _wrong(flow, outcomes, nodes))
    ]


def _probe(flow: Flow) -> dict[str, Any]:
    return {
        "protocol": flow.protocol,
        "address": flow.address,
        "port": flow.port,
        "want": flow.servers,
        "tries": 60 if flow.servers else 1,  # one of three stays unseen once in 10¹⁰
    }


def _addresses(lab: RunningLab, target: str) -> set[str]:
    links = json.loads(lab.exec(target, "ip", "-json", "-4", "address"))
    return {info["local"] for link in links for info in link["addr_info"]}


def _wrong(flow: Flow, outcomes: list[list[str]], nodes: set[str]) -> str:
    """What is wrong with the outcomes of a flow; empty if they are right."""
    if not flow.servers:
        return "" if outcomes == [[flow.otherwise]] else f"not {flow.otherwise}:"
    if {tuple(one[:1]) for one in outcomes} != {("answered",)}:
        return "not always answered:"
    if {one[1] for one in outcomes} != set(flow.servers):
        return "other servers:"
    seen = {one[2] for one in outcomes}
    own = {"pod": {"10.244.1.100"}, "client": {"192.168.0.200"}}.get(flow.source, nodes)
    if flow.masquerade is not None and not seen <= (nodes if flow.masquerade else own):
        return "other source address:"
    return ""
