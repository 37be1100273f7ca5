"""The underlay of a topology: addresses, MTUs, default routes, impairments, and routing.

Mininet makes hosts, switches and links; what is configured on them is planned here. Routers with
an AS number run FRR and speak eBGP with each other (RFC 7938), and let any node of their subnets
connect as a dynamic neighbour, as a data centre's top-of-rack switch would; the others have the
topology's static routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from testbed.plan import frr, sdn
from testbed.plan.impairment import Impairment
from testbed.plan.model import (
    FABRIC,
    Address,
    ExpectedRoute,
    NamespacePlan,
    Neighbour,
    NextHop,
    Plan,
    Port,
    Route,
    Sysctl,
)
from testbed.plan.names import mac_of_address
from testbed.topology.model import Host, Interface, Link, Topology

_DEFAULT = "0.0.0.0/0"
# A lab's clusters are IPv4: without this every interface would solicit routers and report groups.
_NO_IPV6 = Sysctl("net/ipv6/conf/all/disable_ipv6", "1")
_FORWARDING = (
    _NO_IPV6,
    Sysctl("net/ipv4/ip_forward", "1"),
    # Equal-cost paths make replies come back another way: strict reverse path filtering would
    # drop them (RFC 3704).
    Sysctl("net/ipv4/conf/all/rp_filter", "0"),
    Sysctl("net/ipv4/conf/default/rp_filter", "0"),
)
_ROUTER = (
    *_FORWARDING,
    # A switch chip hashes ports too; the kernel's default hashes addresses only.
    Sysctl("net/ipv4/fib_multipath_hash_policy", "1"),
)


def plan(
    topology: Topology,
    *,
    bfd: bool = False,
    datapath: str = "auto",
    on_link: Mapping[str, Route] | None = None,
) -> Plan:
    """What must be configured on every host of the underlay, and on the switches' ports.

    Args:
        topology: The underlay.
        bfd: Whether the routers watch their BGP sessions by BFD.
        datapath: Of Open vSwitches (:data:`testbed.plan.sdn.DATAPATHS`).
        on_link: Host → a route to addresses that are on a link of its own besides those of its
            subnet; routers tell their peers of them.
    """
    more = on_link or {}
    hosts = {
        namespace(host): _host(topology, host, bfd, datapath, more.get(host.name))
        for host in topology.hosts
    }
    return Plan({FABRIC: _switch_ports(topology) + sdn.plan(topology, datapath), **hosts})


def namespace(host: Host) -> str:
    """Name of a host's network namespace in a plan."""
    return f"{host.role}/{host.name}"


def expects(topology: Topology) -> Mapping[str, tuple[ExpectedRoute, ...]]:
    """On each BGP router a route to every subnet that is not its own, over all shortest ways."""
    return {
        namespace(router): tuple(
            ExpectedRoute(subnet, ways(topology, router, subnet))
            for subnet in topology.subnets
            if subnet not in _subnets(router)
        )
        for router in topology.routers
        if router.asn
    }


def _host(
    topology: Topology, host: Host, bfd: bool, datapath: str, on_link: Route | None
) -> NamespacePlan:
    roles = {"router": _ROUTER, "node": _FORWARDING, "external": (_NO_IPV6,)}
    part = NamespacePlan(
        ports=tuple(
            _port(interface, sdn.is_software(topology, interface.link, datapath))
            for interface in host.interfaces
        ),
        addresses=tuple(Address(i.name, i.address) for i in host.interfaces if i.address),
        neighbours=tuple(
            Neighbour(n.interface.name, n.address, _mac(n.address))
            for n in topology.neighbours(host.name)
        ),
        routes=(*_default_route(host), *([on_link] if on_link else ())),
        sysctls=roles[host.role],
        impairments=_impairments(topology, host.name),
    )
    if host.role == "router" and host.asn:
        return part + frr.speaker_plan(_speaker(topology, host, host.asn, bfd, on_link))
    return part + NamespacePlan(routes=_static_routes(host))


def _port(interface: Interface, software_checksums: bool) -> Port:
    address = (interface.address or "").partition("/")[0]
    mac = _mac(address) if address else None
    return Port(interface.name, interface.mtu, mac, software_checksums)


def _mac(address: str) -> str:
    return mac_of_address(address, "02:00")


def _default_route(host: Host) -> tuple[Route, ...]:
    """Through the gateway; a node without one has the rest of the world on its own link.

    A node needs some default route for proxy ARP to answer its pods (Calico documents the same).
    """
    device = host.primary.name
    if host.gateway:
        return (Route(_DEFAULT, (NextHop(host.gateway, _device_to(host, host.gateway)),)),)
    return (Route(_DEFAULT, (NextHop(device=device),), scope="link"),) * (host.role == "node")


def _static_routes(host: Host) -> tuple[Route, ...]:
    return tuple(
        Route(to, tuple(NextHop(hop, _device_to(host, hop)) for hop in hops), protocol=4)
        for to, hops in host.routes
    )


def _device_to(host: Host, address: str) -> str:
    for interface in host.interfaces:
        if interface.address and IPv4Address(address) in _subnet(interface):
            return interface.name
    return host.primary.name


def _subnet(interface: Interface) -> IPv4Network:
    return IPv4Interface(str(interface.address)).network


def _subnets(host: Host) -> list[str]:
    return [str(_subnet(interface)) for interface in host.interfaces if interface.address]


def _speaker(
    topology: Topology, router: Host, asn: int, bfd: bool, on_link: Route | None
) -> frr.Speaker:
    neighbours = topology.neighbours(router.name)
    peers = tuple(n.address for n in neighbours if n.host.role == "router" and n.host.asn)
    racks = {str(_subnet(n.interface)): None for n in neighbours if n.host.role == "node"}
    groups = [frr.PeerGroup("FABRIC", "external", peers, bfd=bfd)] * bool(peers)
    groups += [frr.PeerGroup("NODES", "external", listen=tuple(racks), bfd=bfd)] * bool(racks)
    networks = (*_subnets(router), *([on_link.destination] if on_link else ()))
    return frr.Speaker(router.name, asn, router.address, networks, tuple(groups))


def ways(topology: Topology, start: Host, subnet: str) -> int:
    """How many next hops a router has on shortest ways to a subnet; one if it is its own."""
    if subnet in _subnets(start):
        return 1
    owners = {router.name for router in topology.routers if subnet in _subnets(router)}
    reached, ring, nearer = set(owners), set(owners), set[str]()
    while ring and start.name not in ring:
        nearer, ring = ring, {n for name in ring for n in _peers(topology, name)} - reached
        reached |= ring
    return sum(name in nearer for name in _peers(topology, start.name)) if ring else 0


def _peers(topology: Topology, name: str) -> list[str]:
    return [n.host.name for n in topology.neighbours(name) if n.host.role == "router"]


def _impairments(topology: Topology, name: str) -> tuple[Impairment, ...]:
    """What the ends of links at a host or switch do to the packets that they send."""
    ends = ((k, d) for k in topology.links for h, d in _ends(k) if h == name)
    return tuple(Impairment(device, k.mtu, k.limits) for k, device in ends if k.limits)


def _ends(link: Link) -> tuple[tuple[str, str], tuple[str, str]]:
    return (link.a, link.a_interface), (link.b, link.b_interface)


def _switch_ports(topology: Topology) -> NamespacePlan:
    switches = [switch.name for switch in topology.switches]
    return NamespacePlan(
        ports=tuple(
            Port(device, link.mtu)
            for link in topology.links
            for end, device in _ends(link)
            if end in switches
        ),
        sysctls=(_NO_IPV6,),
        impairments=tuple(i for name in switches for i in _impairments(topology, name)),
    )
