"""Which endpoints a node uses for a port of a Service.

Source: ``pkg/proxy/topology.go`` (``CategorizeEndpoints``) and, for an endpoint that several slices
have, ``pkg/proxy/endpointslicecache.go`` (``addEndpoints``), Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.cluster.serviceview import Endpoint, ServicePortInfo

Endpoints = tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Categorized:
    """The endpoints of a port as one node uses them.

    Attributes:
        cluster: For traffic that may go anywhere: the ready ones, or those near by that hints ask
            for; if none is ready, those that serve while they terminate. Empty if no traffic of
            the port may.
        local: For traffic that must stay on the node; chosen in the same way. Empty if no traffic
            of the port must.
        reachable: Both together: those for which the node needs rules.
        has_any: Whether there is a usable endpoint on any node: without one, traffic is rejected;
            with one, but none that it may go to, it is dropped.
    """

    cluster: Endpoints = ()
    local: Endpoints = ()
    reachable: Endpoints = ()
    has_any: bool = False


def categorize(
    info: ServicePortInfo, endpoints: Sequence[Endpoint], node: str, zone: str = ""
) -> Categorized:
    """The endpoints that a node uses.

    Args:
        info: The port.
        endpoints: Its endpoints, in a view's order.
        node: The node.
        zone: That of the node; empty for none.
    """
    endpoints = distinct(endpoints, node)
    cluster: Endpoints = ()
    local: Endpoints = ()
    near: Callable[[Endpoint], bool] | None = None
    if info.uses_cluster_endpoints:
        near = _near(endpoints, node, zone)
        ready = (one for one in endpoints if one.ready)
        cluster = tuple(one for one in ready if near is None or near(one))
        cluster = cluster or _going(endpoints)
    if not info.uses_local_endpoints:
        return Categorized(cluster, (), cluster, bool(cluster))
    own = tuple(one for one in endpoints if one.is_local(node))
    local = tuple(one for one in own if one.ready) or _going(own)
    has_any = bool(cluster) or any(_usable(one) for one in endpoints)
    if not info.uses_cluster_endpoints:
        return Categorized((), local, local, has_any)
    both = {*cluster, *local}
    return Categorized(cluster, local, tuple(one for one in endpoints if one in both), has_any)


def distinct(endpoints: Sequence[Endpoint], node: str) -> Endpoints:
    """The endpoints, of those with the same ``IP:PORT`` one: the node's own, else the first."""
    chosen: dict[tuple[str, int], Endpoint] = {}
    for one in endpoints:
        if (one.ip, one.port) not in chosen or one.is_local(node):
            chosen[one.ip, one.port] = one
    return tuple(chosen.values())


def _usable(endpoint: Endpoint) -> bool:
    return endpoint.ready or (endpoint.serving and endpoint.terminating)


def _going(endpoints: Sequence[Endpoint]) -> Endpoints:
    """Those that still answer while they end: better than none (KEP-1669)."""
    return tuple(one for one in endpoints if one.serving and one.terminating)


def _near(endpoints: Sequence[Endpoint], node: str, zone: str) -> Callable[[Endpoint], bool] | None:
    """What tells an endpoint near by from others; None where hints do not say it.

    They do if every ready endpoint has some and at least one is meant for here; the node's come
    before the zone's (KEP-3015).
    """
    ready = [one for one in endpoints if one.ready]
    if all(one.node_hints for one in ready) and any(node in one.node_hints for one in ready):
        return lambda one: node in one.node_hints
    if all(one.zone_hints for one in ready) and any(zone in one.zone_hints for one in ready):
        return lambda one: zone in one.zone_hints
    return None
