"""From Services and their slices to what proxies see.

As kube-proxy's trackers do it: ``pkg/proxy/servicechangetracker.go`` (which Services are of
interest), ``serviceport.go`` (``newBaseServiceInfo``), ``endpointslicecache.go``. Given the view
before, only what has changed is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from testbed.cluster.discovery import Discovery, Made
from testbed.cluster.model import BoundService
from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.objects import EndpointSlice
from testbed.objects.addresses import parse, parse_network

Key = tuple[str, str]


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
    services = {} if before is None else dict(before.services)
    endpoints = {} if before is None else dict(before.endpoints)
    for key in _changed(discovery, old):
        found = _ports(discovery, key)
        for name in () if old is None else _ports(old, key).keys() - found.keys():
            del services[name], endpoints[name]
        services |= {name: info for name, info in found.items() if services.get(name) != info}
        endpoints |= endpoints_of(found, discovery.slices_of(key))
    return Seen(services, endpoints, discovery)


def _ports(discovery: Discovery, key: Key) -> dict[ServicePortName, ServicePortInfo]:
    bound = discovery.cluster.services.get(key)
    return {} if bound is None else dict(ports(bound))


def _changed(new: Discovery, old: Discovery | None) -> Iterable[Key]:
    """The Services that are new, gone or other, or whose slices are."""
    if old is None:
        return new.cluster.services
    before, after = old.cluster.services, new.cluster.services
    keys = [k for k, bound in after.items() if before.get(k) is not bound]
    keys += [k for k in before if k not in after]
    keys += [k for k, made in new.made.items() if _slices(old, k) != made.slices]
    given, now = old.cluster.endpoint_slices, new.cluster.endpoint_slices
    for name in given.keys() | now.keys():
        if given.get(name) is not now.get(name):
            both = (slices[name].service for slices in (given, now) if name in slices)
            keys += [key for key in both if key is not None]
    return dict.fromkeys(keys)


def _slices(discovery: Discovery, key: Key) -> tuple[EndpointSlice, ...]:
    return discovery.made.get(key, Made()).slices


def ports(bound: BoundService) -> Iterator[tuple[ServicePortName, ServicePortInfo]]:
    """The ports of a Service; none if it has no cluster IP."""
    spec, (namespace, name) = bound.service.spec, bound.key
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
        slices: The Service's slices; those that are not of IPv4 addresses are passed over.
    """
    wanted = {(name.port, name.protocol): name for name in names}
    found: dict[ServicePortName, dict[Endpoint, None]] = {name: {} for name in wanted.values()}
    for item in slices:
        for port in item.ports if item.address_type == "IPv4" else ():
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
