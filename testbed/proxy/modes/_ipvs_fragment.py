"""What a port of a Service is in the ipvs mode, on one node.

Source: ``pkg/proxy/ipvs/proxier.go`` (``syncProxyRules``, ``syncEndpoint``), Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import Endpoint, ServicePortInfo, ServicePortName
from testbed.proxy import options
from testbed.proxy.contract import ProxyNode
from testbed.proxy.ipvs import SetEntry, VirtualServer

SCHEDULER = "ipvs_scheduler"
"""Key of the setting."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A port of a Service on a node.

    Attributes:
        servers: Its virtual servers.
        entries: Of sets.
        addresses: Of ``kube-ipvs0``.
        rules: Of iptables' ``filter``.
    """

    servers: tuple[VirtualServer, ...]
    entries: tuple[SetEntry, ...]
    addresses: tuple[str, ...]
    rules: tuple[str, ...]


Fragments = Mapping[ServicePortName, Fragment]


def make(node: ProxyNode, info: ServicePortInfo, chosen: Categorized) -> Fragment:
    """The port's virtual servers, and what goes with them.

    Args:
        node: The node.
        info: The port.
        chosen: Its endpoints as this node uses them.
    """
    external = (*info.external_ips, *info.load_balancer_vips)
    bound = (info.cluster_ip, *(ip for ip in external if ip not in node.addresses))
    marked = (SetEntry("KUBE-IPVS-IPS", address) for address in bound)
    entries = (*_loops(node, info, chosen), *_entries(node, info), *marked)
    servers = tuple(_servers(node, info, chosen))
    return Fragment(servers, entries, bound, tuple(_out(node, info)))


def _servers(
    node: ProxyNode, info: ServicePortInfo, chosen: Categorized
) -> Iterator[VirtualServer]:
    inside = _real(chosen, info.internal_policy_local)
    outside = _real(chosen, info.external_policy_local)
    places = [(info.cluster_ip, info.port, inside)]
    places += [(ip, info.port, outside) for ip in (*info.external_ips, *info.load_balancer_vips)]
    if info.node_port:
        places += [(ip, info.node_port, outside) for ip in _node_addresses(node)]
    scheduler, seconds = node.settings[SCHEDULER], info.affinity_seconds
    for ip, port, real in places:
        yield VirtualServer(ip, port, info.protocol, scheduler, seconds, real)


def _real(chosen: Categorized, local: bool) -> tuple[tuple[str, int], ...]:
    """The endpoints of a policy; without any on the node, Local is Cluster (PR 97081)."""
    endpoints: tuple[Endpoint, ...] = (chosen.local if local else ()) or chosen.cluster
    return tuple((one.ip, one.port) for one in endpoints)


def _node_addresses(node: ProxyNode) -> tuple[str, ...]:
    ranges = options.ranges(node.settings)
    return options.within(node.addresses, ranges) if ranges else node.addresses


def _loops(node: ProxyNode, info: ServicePortInfo, chosen: Categorized) -> Iterator[SetEntry]:
    for one in chosen.reachable:
        if one.is_local(node.name):
            yield SetEntry("KUBE-LOOP-BACK", one.ip, one.port, info.protocol, one.ip)


def _entries(node: ProxyNode, info: ServicePortInfo) -> Iterator[SetEntry]:
    protocol, local = info.protocol, "-LOCAL" if info.external_policy_local else ""
    yield SetEntry("KUBE-CLUSTER-IP", info.cluster_ip, info.port, protocol)
    for ip in info.external_ips:
        yield SetEntry(f"KUBE-EXTERNAL-IP{local}", ip, info.port, protocol)
    for ip in info.load_balancer_vips:
        yield from _balancer(node, info, ip)
    addresses = _node_addresses(node)
    if info.node_port and not addresses:
        return  # as kube-proxy, which then goes on with the next port
    for kind in dict.fromkeys(("", local)) if info.node_port else ():
        name = f"KUBE-NODE-PORT{kind}-{protocol}"
        if protocol == "SCTP":
            for ip in addresses:
                yield SetEntry(f"{name}-HASH", ip, info.node_port, protocol)
        else:
            yield SetEntry(name, port=info.node_port)
    if info.health_check_node_port:
        yield SetEntry("KUBE-HEALTH-CHECK-NODE-PORT", port=info.health_check_node_port)


def _balancer(node: ProxyNode, info: ServicePortInfo, ip: str) -> Iterator[SetEntry]:
    pair = (ip, info.port, info.protocol)
    yield SetEntry("KUBE-LOAD-BALANCER", *pair)
    if info.external_policy_local:
        yield SetEntry("KUBE-LOAD-BALANCER-LOCAL", *pair)
    if info.source_ranges:
        yield SetEntry("KUBE-LOAD-BALANCER-FW", *pair)
        for source in info.source_ranges:
            yield SetEntry("KUBE-LOAD-BALANCER-SOURCE-CIDR", *pair, source)
        if _allows(node, info):
            yield SetEntry("KUBE-LOAD-BALANCER-SOURCE-IP", *pair, ip)


def _allows(node: ProxyNode, info: ServicePortInfo) -> bool:
    own = ip_address(node.addresses[0])
    return any(own in ip_network(source) for source in info.source_ranges)


def _out(node: ProxyNode, info: ServicePortInfo) -> Iterator[str]:
    """Keeps the node itself from an address: its packets have that very address as source."""
    if info.source_ranges and not _allows(node, info):
        for ip in info.load_balancer_vips:
            yield (
                f"KUBE-IPVS-OUT-FILTER -s {ip} -m ipvs --vaddr {ip}"
                f" --vproto {info.protocol.lower()} --vport {info.port} -j DROP"
            )
