"""What kube-proxy does with a packet, worked out from a view: no rules, no kernel.

The semantics that every proxy mode has to have, in their plainest form, for the tests of the view
(``pkg/proxy/iptables/proxier.go``): which address is meant, whether the packet goes on, to which
endpoints, and whether as from the node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from testbed.cluster.categorize import Categorized, categorize
from testbed.cluster.serviceview import ProxyView, ServicePortInfo


@dataclass(frozen=True)
class Host:
    """The node whose proxy sees the packet.

    Attributes:
        name: Of the node.
        addresses: Of the node.
        pod_cidr: What a pod's address looks like; None if the proxy cannot tell.
        masquerade_all: Whether all traffic to cluster IPs is masqueraded.
        localhost_node_ports: Whether node ports are there on 127.0.0.1.
        node_port_addresses: Where node ports are; empty for all the node's addresses.
    """

    name: str
    addresses: tuple[str, ...]
    pod_cidr: str | None
    masquerade_all: bool = False
    localhost_node_ports: bool = True
    node_port_addresses: tuple[str, ...] = ()

    def is_pod(self, source: str) -> bool:
        return self.pod_cidr is not None and ip_address(source) in ip_network(self.pod_cidr)

    def is_local(self, address: str) -> bool:
        return address in self.addresses or ip_address(address).is_loopback

    def has_node_port(self, address: str) -> bool:
        if ip_address(address).is_loopback and not self.localhost_node_ports:
            return False
        wanted = self.node_port_addresses
        inside = not wanted or any(ip_address(address) in ip_network(text) for text in wanted)
        return self.is_local(address) and inside


@dataclass(frozen=True)
class Packet:
    source: str
    protocol: str
    address: str
    port: int


@dataclass(frozen=True)
class Fate:
    """``dnat`` with endpoints, ``reject``, ``drop`` or ``none`` (no Service's)."""

    action: str
    endpoints: tuple[str, ...] = ()
    masquerade: bool = False


def fate(view: ProxyView, host: Host, packet: Packet) -> Fate:
    """What becomes of a packet."""
    for info, ends, way in _meant(view, host, packet):
        if not ends.has_any:
            return Fate("reject")
        return _internal(info, ends, host, packet) if way == "cluster" else _external(
            info, ends, host, packet, way
        )  # fmt: skip
    return Fate("none")


def _meant(
    view: ProxyView, host: Host, packet: Packet
) -> Iterator[tuple[ServicePortInfo, Categorized, str]]:
    """The port that a packet is for, its endpoints, and by which kind of address."""
    for name, info in view.services.items():
        if info.protocol != packet.protocol:
            continue
        ends = categorize(info, view.endpoints[name], host.name)
        if packet.port == info.port:
            if packet.address == info.cluster_ip:
                yield info, ends, "cluster"
            if packet.address in info.external_ips:
                yield info, ends, "external"
            if packet.address in info.load_balancer_vips:
                yield info, ends, "balancer"
        if packet.port == info.node_port and host.has_node_port(packet.address):
            yield info, ends, "node"


def _internal(info: ServicePortInfo, ends: Categorized, host: Host, packet: Packet) -> Fate:
    outside = host.pod_cidr is not None and not host.is_pod(packet.source)
    return _to(ends, info.internal_policy_local, host.masquerade_all or outside)


def _external(
    info: ServicePortInfo, ends: Categorized, host: Host, packet: Packet, way: str
) -> Fate:
    if way == "balancer" and info.source_ranges:
        allowed = (ip_address(packet.source) in ip_network(text) for text in info.source_ranges)
        if not any(allowed):
            return Fate("drop")
    if not info.external_policy_local:
        return _to(ends, False, True)
    if host.is_pod(packet.source):
        return _to(ends, False, host.masquerade_all)
    if host.is_local(packet.source):
        return _to(ends, False, True)
    return _to(ends, True, False)


def _to(ends: Categorized, local: bool, masquerade: bool) -> Fate:
    chosen = ends.local if local else ends.cluster
    return Fate("dnat", tuple(map(str, chosen)), masquerade) if chosen else Fate("drop")
