"""A topology as plain data: hosts, switches, links.

A *host* is a node of the cluster, an external host outside it, or a router; each is a network
namespace. A *switch* forwards frames and has no address: a Linux bridge, which learns by itself, or
an Open vSwitch, which does as the lab's SDN controller tells it (:mod:`testbed.sdn`). Hosts that
switches join, or one link, are one layer-2 *segment*; two hosts are *neighbours* if a segment gives
them addresses in one subnet.

What the routing of a lab needs follows from these: a node's top-of-rack router is its neighbour of
role ``router``; two neighbouring routers with an ``asn`` are eBGP peers; without a routing daemon,
``Host.routes`` has the static routes. Nothing here knows Mininet, netlink or a clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from ipaddress import IPv4Interface
from typing import Any, Literal

from testbed.topology.limits import UNLIMITED, Limits

Role = Literal["node", "external", "router"]
ROLES: tuple[Role, ...] = ("node", "external", "router")
SwitchKind = Literal["bridge", "openvswitch"]
SWITCH_KINDS: tuple[SwitchKind, ...] = ("bridge", "openvswitch")

DEFAULT_MTU = 1500


@dataclass(frozen=True, slots=True)
class Interface:
    """A host's end of a link.

    Attributes:
        name: Of the network device, ``n1-eth0``.
        address: With its prefix length, ``192.168.0.11/24``; None for an end without address.
        link: Index of the link in ``Topology.links``.
        mtu: Of the link, in bytes.
    """

    name: str
    address: str | None
    link: int
    mtu: int = DEFAULT_MTU


@dataclass(frozen=True)
class Host:
    """A node, an external host or a router.

    Attributes:
        name: A DNS label.
        role: What it is.
        interfaces: In the order of its links; the first with an address is the primary one.
        gateway: Next hop of the default route; None for no default route.
        routes: Static routes: pairs of a destination and its next hops, several being equal-cost.
        zone: The value of ``topology.kubernetes.io/zone``, if it has one.
        asn: Its BGP autonomous system; None for a host that speaks no BGP on its own account.
    """

    name: str
    role: Role
    interfaces: tuple[Interface, ...]
    gateway: str | None = None
    routes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    zone: str | None = None
    asn: int | None = None

    @property
    def primary(self) -> Interface:
        """The first interface that has an address."""
        return next(interface for interface in self.interfaces if interface.address)

    @property
    def address(self) -> str:
        """The address on the underlay, without prefix length: ``192.168.0.11``."""
        return str(self.primary.address).partition("/")[0]


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch.

    Attributes:
        name: A DNS label.
        kind: ``bridge``, a Linux bridge; ``openvswitch``, run by the SDN controller.
    """

    name: str
    kind: SwitchKind = "bridge"


@dataclass(frozen=True, slots=True)
class Link:
    """A pair of interfaces, with what it does to the packets of each of its two directions.

    Attributes:
        a: Name of the host or switch at one end.
        a_interface: Name of its network device.
        b: Name of the host or switch at the other end.
        b_interface: Name of its network device.
        mtu: Bytes.
        limits: Its rate, queue and impairments.
    """

    a: str
    a_interface: str
    b: str
    b_interface: str
    mtu: int = DEFAULT_MTU
    limits: Limits = UNLIMITED


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another host in a subnet of a host's own.

    Attributes:
        interface: The own interface.
        host: The other host.
        address: The other host's address there, without prefix length.
    """

    interface: Interface
    host: Host
    address: str


@dataclass(frozen=True)
class Topology:
    """Hosts, switches and links, in the order in which they were written.

    Attributes:
        name: Name of the topology, or stem of its file.
        hosts: Nodes, external hosts and routers.
        switches: The switches.
        links: The links.
    """

    name: str
    hosts: tuple[Host, ...]
    switches: tuple[Switch, ...]
    links: tuple[Link, ...]

    @property
    def nodes(self) -> tuple[Host, ...]:
        """The nodes of the cluster."""
        return self._of_role("node")

    @property
    def externals(self) -> tuple[Host, ...]:
        """The hosts outside the cluster."""
        return self._of_role("external")

    @property
    def routers(self) -> tuple[Host, ...]:
        """The routers of the fabric."""
        return self._of_role("router")

    @property
    def openvswitches(self) -> tuple[Switch, ...]:
        """The switches that the SDN controller runs."""
        return tuple(switch for switch in self.switches if switch.kind == "openvswitch")

    def with_switches(self, kind: SwitchKind | None) -> Topology:
        """The same with all switches of one kind; None leaves them as they are."""
        if kind is None:
            return self
        return replace(self, switches=tuple(Switch(s.name, kind) for s in self.switches))

    def _of_role(self, role: Role) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == role)

    def host(self, name: str) -> Host:
        """The host of that name.

        Raises:
            KeyError: There is none.
        """
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Host]:
        return {host.name: host for host in self.hosts}

    @cached_property
    def segments(self) -> tuple[tuple[tuple[Host, Interface], ...], ...]:
        """The layer-2 segments, each as its hosts with their interfaces on it."""
        leader = _joined(self)
        found: dict[str, list[tuple[Host, Interface]]] = defaultdict(list)
        for host in self.hosts:
            for interface in host.interfaces:
                found[leader[f"link {interface.link}"]].append((host, interface))
        return tuple(tuple(members) for members in found.values())

    @cached_property
    def controlled_links(self) -> frozenset[int]:
        """Indices of the links in segments with an Open vSwitch."""
        leader = _joined(self)
        controlled = {leader[switch.name] for switch in self.openvswitches}
        every = range(len(self.links))
        return frozenset(i for i in every if leader[f"link {i}"] in controlled)

    @cached_property
    def subnets(self) -> tuple[str, ...]:
        """The subnets of the underlay, ``192.168.0.0/24``, in the order of their hosts."""
        return tuple(dict.fromkeys(str(subnet) for _, _, subnet in self._addresses()))

    def _addresses(self) -> Iterator[tuple[Host, Interface, Any]]:
        for host in self.hosts:
            for interface in host.interfaces:
                if interface.address:
                    yield host, interface, IPv4Interface(interface.address).network

    def neighbours(self, name: str) -> tuple[Neighbour, ...]:
        """The hosts that a host reaches without a router, over all of its interfaces.

        Raises:
            KeyError: There is no host of that name.
        """
        own = self.host(name)
        return tuple(
            Neighbour(interface, host, other.address.partition("/")[0])
            for segment in self.segments
            for member, interface in segment
            if member is own and interface.address
            for host, other in segment
            if host is not own
            and other.address
            and IPv4Interface(other.address).network == IPv4Interface(interface.address).network
        )

    def to_dict(self) -> dict[str, Any]:
        """What a picture of the topology needs, as JSON values.

        Returns:
            ``nodes``: name, role (``switch`` too) and address; ``links``: a, b, mtu in bytes, and
            every one of :class:`~testbed.topology.limits.Limits`, null where there is none.
        """
        hosts = [{"name": h.name, "role": h.role, "address": h.address} for h in self.hosts]
        switches = [
            {"name": s.name, "role": "switch", "kind": s.kind, "address": None}
            for s in self.switches
        ]
        links = [{"a": k.a, "b": k.b, "mtu": k.mtu, **asdict(k.limits)} for k in self.links]
        return {"name": self.name, "nodes": hosts + switches, "links": links}


def _joined(topology: Topology) -> dict[str, str]:
    """Union-find over links and switches: ``link N`` and each switch → their segment's leader."""
    leader = {f"link {i}": f"link {i}" for i in range(len(topology.links))}
    leader |= {switch.name: switch.name for switch in topology.switches}

    def find(item: str) -> str:
        while leader[item] != item:
            leader[item] = item = leader[leader[item]]
        return item

    for i, link in enumerate(topology.links):
        for end in (link.a, link.b):
            if end in leader:
                leader[find(f"link {i}")] = find(end)
    return {item: find(item) for item in leader}
