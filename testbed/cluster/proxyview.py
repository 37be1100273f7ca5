"""From Services and their slices to what proxies see.

As kube-proxy's trackers do it: ``pkg/proxy/servicechangetracker.go`` (which Services are of
interest), ``serviceport.go`` (``newBaseServiceInfo``), ``endpointslicecache.go``, and what it asks
the API for: no objects with the labels :data:`NOT_OURS` (``cmd/kube-proxy/app/server.go``). Given
the view before, only what has changed is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from testbed.cluster.discovery import Discovery, Made
from testbed.cluster.history import derive, differing
from testbed.cluster.model import BoundService
from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.objects import EndpointSlice
from testbed.objects.addresses import parse, parse_network

Key = tuple[str, str]

NOT_OURS = frozenset({"service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"})
"""Labels of Services and EndpointSlices that are another proxy's (KEP-2447), or no proxy's."""


@dataclass(frozen=True)
class Seen(ProxyView):
    """A view that knows what it was made from.

    Attributes:
        discovery: The Services and their slices.
    """

    discovery: Discovery | None = field(default=None, compare=False)


def proxy_view(discovery: Discovery, before: Seen | None = None) -> Seen:
    """What proxies see.

    Args:
        discovery: The Services and their slices.
        before: The view before; what has not changed is taken from it.
    """
    old = None if before is None else before.discovery
    known = Seen() if before is None else before
    services: dict[ServicePortName, ServicePortInfo] = {}
    endpoints: dict[ServicePortName, tuple[Endpoint, ...]] = {}
    gone: list[ServicePortName] = []
    for key in _changed(discovery, old):
        found = _ports(discovery, key)
        gone += () if old is None else _ports(old, key).keys() - found.keys()
        services |= {n: info for n, info in found.items() if known.services.get(n) != info}
        endpoints |= endpoints_of(found, discovery.slices_of(key))
    left = derive(known.services, services, gone), derive(known.endpoints, endpoints, gone)
    return Seen(*left, discovery)


def _ports(discovery: Discovery, key: Key) -> dict[ServicePortName, ServicePortInfo]:
    bound = discovery.cluster.services.get(key)
    return {} if bound is None else dict(ports(bound))


def _changed(new: Discovery, old: Discovery | None) -> Iterable[Key]:
    """The Services that are new, gone or other, or whose slices are."""
    if old is None:
        return new.cluster.services
    keys = differing(old.cluster.services, new.cluster.services)
    made = differing(old.made, new.made)
    keys |= {key for key in made if _slices(old, key) != _slices(new, key)}
    return sorted(keys | differing(old.given, new.given))


def _slices(discovery: Discovery, key: Key) -> tuple[EndpointSlice, ...]:
    return discovery.made.get(key, Made()).slices


def ports(bound: BoundService) -> Iterator[tuple[ServicePortName, ServicePortInfo]]:
    """The ports of a Service; none if it has no cluster IP, or is another proxy's."""
    spec, (namespace, name) = bound.service.spec, bound.key
    if not NOT_OURS.isdisjoint(bound.service.metadata.labels):
        return
    if spec.type == "ExternalName" or spec.headless or not spec.cluster_ips:
        return
    balancer = spec.type == "LoadBalancer"
    external_local = spec.external_traffic_policy == "Local"
    for port in spec.ports:
        yield (
            ServicePortName(namespace, name, port.name, port.protocol),
            ServicePortInfo(
                cluster_ip=spec.cluster_ips[0],
                port=port.port,
                protocol=port.protocol,
                node_port=port.node_port,
                external_ips=_addresses(spec.external_ips),
                load_balancer_vips=bound.load_balancer,
                affinity_seconds=spec.affinity_seconds,
                source_ranges=_ranges(spec.load_balancer_source_ranges),
                health_check_node_port=spec.health_check_node_port if balancer else 0,
                external_policy_local=external_local,
                internal_policy_local=spec.internal_traffic_policy == "Local",
            ),
        )


def _addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """The IPv4 ones of addresses."""
    parsed = (parse(text) for text in texts)
    return tuple(str(address) for address in parsed if isinstance(address, IPv4Address))


def _ranges(texts: Iterable[str]) -> tuple[str, ...]:
    """The IPv4 ones of ranges; none if one of them is everything."""
    parsed = [parse_network(text.strip()) for text in texts]
    ours = [network for network in parsed if isinstance(network, IPv4Network)]
    return () if any(n.prefixlen == 0 for n in ours) else tuple(str(n) for n in ours)


def endpoints_of(
    names: Iterable[ServicePortName], slices: Iterable[EndpointSlice]
) -> dict[ServicePortName, tuple[Endpoint, ...]]:
    """The endpoints of a Service's ports.

    Args:
        names: The ports.
        slices: The Service's slices; those that are not of IPv4 addresses or another proxy's are
            passed over.
    """
    wanted = {(name.port, name.protocol): name for name in names}
    found: dict[ServicePortName, dict[Endpoint, None]] = {name: {} for name in wanted.values()}
    for item in slices:
        ours = NOT_OURS.isdisjoint(item.metadata.labels)
        for port in item.ports if ours and item.address_type == "IPv4" else ():
            name = wanted.get((port.name, port.protocol))
            if name is not None and port.port:
                found[name] |= dict.fromkeys(_endpoints(item, port.port))
    return {name: tuple(sorted(ends, key=str)) for name, ends in found.items()}


def _endpoints(item: EndpointSlice, port: int) -> Iterator[Endpoint]:
    for one in item.endpoints:
        yield Endpoint(
            str(parse(one.addresses[0])),
            port,
            one.node_name,
            one.ready,
            one.serving,
            one.terminating,
            one.zone_hints,
            one.node_hints,
        )
