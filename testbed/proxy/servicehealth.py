"""What nodes tell at the health check node ports of Services, and where. Pure.

A load balancer that must keep clients' addresses (``type: LoadBalancer`` and
``externalTrafficPolicy: Local``) asks each node at ``spec.healthCheckNodePort`` whether it has
endpoints of the Service, and sends traffic only to nodes that have.

Source: ``pkg/proxy/healthcheck/service_health.go`` (what is told, and at which addresses),
``endpointschangetracker.go`` (``LocalReadyEndpoints``), Kubernetes 1.34.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testbed.cluster.serviceview import ProxyView, ServicePortName
from testbed.proxy import options
from testbed.proxy.contract import ProxyMode, ProxyNode

Key = tuple[str, str]
"""Namespace and name of a Service."""

EVERYWHERE = "0.0.0.0"  # noqa: S104 - of a node's own namespace


@dataclass(frozen=True, slots=True)
class Check:
    """What is told of a Service.

    Attributes:
        port: Where.
        endpoints: Node → its ready endpoints; addresses, whatever number of ports they have.
        names: The Service's ports.
    """

    port: int
    endpoints: Mapping[str, int]
    names: frozenset[ServicePortName]


def checks(
    view: ProxyView, old: Mapping[Key, Check], changed: Iterable[ServicePortName]
) -> dict[Key, Check]:
    """What is told of all Services that have a health check node port.

    Args:
        view: What proxies see.
        old: What was told before.
        changed: The ports that differ from then; the work is proportional to them.
    """
    found = dict(old)
    touched: dict[Key, set[ServicePortName]] = {}
    for name in changed:
        touched.setdefault((name.namespace, name.name), set()).add(name)
    for key, names in touched.items():
        before = found.pop(key, None)
        every = names | (before.names if before else frozenset())
        if check := _check(view, every):
            found[key] = check
    return found


def _check(view: ProxyView, names: Iterable[ServicePortName]) -> Check | None:
    infos = {name: view.services[name] for name in names if name in view.services}
    own = frozenset(name for name, info in infos.items() if info.health_check_node_port)
    if not own:
        return None
    ends = {
        (end.node, end.ip)
        for name in own
        for end in view.endpoints.get(name, ())
        if end.ready and end.node is not None
    }
    ports = {infos[name].health_check_node_port for name in own}
    return Check(min(ports), Counter(node for node, _ in ends if node is not None), own)


def addresses(mode: ProxyMode, node: ProxyNode) -> tuple[str, ...]:
    """Where a node listens: at the addresses of its node ports (``--nodeport-addresses``)."""
    ranges = options.ranges({"nodeport_addresses": "", **node.settings})
    if not ranges:
        primary = mode.primary_node_ports
        return node.addresses[:1] if primary else (EVERYWHERE,)
    if any(network.prefixlen == 0 for network in ranges):
        return (EVERYWHERE,)
    return options.within((*node.addresses, "127.0.0.1"), ranges) or (EVERYWHERE,)


def answer(key: Key, endpoints: int, *, healthy: bool, body: bool = True) -> bytes:
    """The HTTP response: 200 if there are endpoints and the proxy is well, else 503.

    Args:
        key: The Service.
        endpoints: How many of them the node has.
        healthy: Whether the node's rules are what they should be.
        body: Whether the answer is to have its body (not to ``HEAD``).
    """
    told = {
        "service": {"namespace": key[0], "name": key[1]},
        "localEndpoints": endpoints,
        "serviceProxyHealthy": healthy,
    }
    text = json.dumps(told, indent="\t")
    status = "200 OK" if endpoints and healthy else "503 Service Unavailable"
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        "X-Content-Type-Options: nosniff",
        f"X-Load-Balancing-Endpoint-Weight: {endpoints}",
        f"Content-Length: {len(text)}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", text if body else "")).encode()
