"""What must exist, per network namespace: the plan, as plain frozen data.

A plan says the whole truth about a lab's network before any of it exists. It is made by pure
functions (:mod:`cni_modes`, :mod:`testbed.plan.build`), compared with another one
(:mod:`testbed.plan.diff`), printed (:mod:`testbed.plan.shell`) and made so
(:mod:`testbed.kernel.executor`). Every item is hashable; two equal items are the same thing.

Names of namespaces:

=====================  ====================================================
``node/NAME``          a Mininet host that is a Kubernetes node
``router/NAME``        a Mininet host that routes on the underlay
``external/NAME``      a Mininet host outside the cluster
``pod/NAMESPACE/NAME`` a pod
``fabric``             where the switches are: the lab's own root namespace
=====================  ====================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from testbed.plan.impairment import Impairment

FABRIC = "fabric"
PYTHON = "python3"
"""In a daemon's command, the Python that has this project."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A Linux bridge without spanning tree.

    Attributes:
        name: Interface name.
        mac: Its hardware address; fixed, so that it does not follow its ports.
        mtu: In bytes.
    """

    name: str
    mac: str
    mtu: int


@dataclass(frozen=True, slots=True)
class Vxlan:
    """A VXLAN tunnel end point (VTEP, RFC 7348).

    Attributes:
        name: Interface name.
        vni: VXLAN network identifier.
        port: UDP destination port.
        local: Outer source address.
        parent: The underlay interface that it sends through.
        mac: Inner hardware address of the VTEP.
        mtu: In bytes, of the inner packet.
        learning: Whether it learns where a hardware address is from received packets.
    """

    name: str
    vni: int
    port: int
    local: str
    parent: str
    mac: str
    mtu: int
    learning: bool = False


@dataclass(frozen=True, slots=True)
class Veth:
    """A veth pair, seen from the end that stays in this namespace.

    Attributes:
        name: This end.
        peer: The other end's interface name.
        peer_namespace: The namespace of the other end.
        peer_mac: The other end's hardware address.
        mtu: Of both ends, in bytes.
        mac: This end's hardware address; None leaves it to the kernel.
        master: The bridge that this end is a port of.
        hairpin: Whether the bridge may send a packet back out of the port that it came in by.
    """

    name: str
    peer: str
    peer_namespace: str
    peer_mac: str
    mtu: int
    mac: str | None = None
    master: str | None = None
    hairpin: bool = False


Link = Bridge | Vxlan | Veth


@dataclass(frozen=True, slots=True)
class Port:
    """An interface that the fabric made, and what it must be like.

    Attributes:
        device: Interface name.
        mtu: In bytes.
        mac: Hardware address; None leaves it as it is.
        software_checksums: Whether the kernel computes checksums and cuts segments before it sends,
            as for a network card without offloads.
    """

    device: str
    mtu: int
    mac: str | None = None
    software_checksums: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 address with its prefix length, ``10.244.1.1/24``."""

    device: str
    address: str
    scope: Literal["global", "link", "host"] = "global"


@dataclass(frozen=True, slots=True)
class NextHop:
    """One way of a route: a gateway, a device, or both."""

    via: str | None = None
    device: str | None = None
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """An IPv4 route.

    Attributes:
        destination: A prefix; ``0.0.0.0/0`` is the default route.
        next_hops: One or, for multipath, several; none for a blackhole.
        kind: ``unicast`` or ``blackhole``.
        scope: ``link`` for what is reached without a gateway.
        source: The preferred source address.
        protocol: Who made it, in the kernel's numbers: 3 boot, 4 static.
        table: Its table; None for the main one.
        metric: Of several routes to a destination the one with the least is used.
    """

    destination: str
    next_hops: tuple[NextHop, ...] = ()
    kind: Literal["unicast", "blackhole"] = "unicast"
    scope: Literal["global", "link"] = "global"
    source: str | None = None
    protocol: int = 3
    table: int | None = None
    metric: int = 0


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """A rule of the routing policy database (ip-rule(8)): which table routes a packet.

    Attributes:
        priority: The rule with the least comes first; the main table's has 32766.
        source: A prefix of source addresses; None for all.
        destination: A prefix; ``0.0.0.0/0`` for all.
        table: Where to look; None for the main table.
        mark: A bit that packets must be marked with; 0 for all packets.
    """

    priority: int
    source: str | None = None
    destination: str = "0.0.0.0/0"
    table: int | None = None
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent ARP entry.

    Every address of a plan is known, so nothing of a lab need be asked for by ARP. It must not be,
    either: the kernel has one ARP table for all namespaces together, of 1,024 entries, in which
    permanent ones do not count (``net.ipv4.neigh.default.gc_thresh3``, arp(7)); 30 nodes that all
    talk to each other would fill it.
    """

    device: str
    address: str
    mac: str


@dataclass(frozen=True, slots=True)
class Fdb:
    """A permanent entry of a VXLAN device's forwarding database: MAC address → VTEP."""

    device: str
    mac: str
    vtep: str


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel parameter of the namespace, ``net/ipv4/ip_forward``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class IptablesRules:
    """Chains that one owner programs, as one ``iptables-restore --noflush`` transaction.

    Attributes:
        owner: Who owns the chains, for messages.
        text: The input of iptables-restore. It declares (and so flushes) the owner's own chains
            and must be safe to load again.
        undo: What takes it away again, as input of iptables-restore; empty for what stays as long
            as the namespace does. It is not loaded when the owner's next text is.
    """

    owner: str
    text: str
    undo: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file in a folder private to the namespace's host (``/etc/frr`` …).

    One of ``fabric`` is at its path in the sandbox, below ``/run``.
    """

    path: str
    content: str
    mode: int = 0o640


@dataclass(frozen=True, slots=True)
class Daemon:
    """A long-running program.

    Attributes:
        name: For logs and messages.
        argv: Program and arguments; it stays in the foreground.
        ready: A file (a socket) that exists once it serves.
        prepare: A command to be run before it starts, which ends by itself.
        configure: A command to be run once it serves, which ends by itself.
    """

    name: str
    argv: tuple[str, ...]
    ready: str | None = None
    prepare: tuple[str, ...] = ()
    configure: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamespacePlan:
    """All that must exist in one network namespace, kind by kind, in the order of making."""

    links: tuple[Link, ...] = ()
    ports: tuple[Port, ...] = ()
    addresses: tuple[Address, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[Fdb, ...] = ()
    routes: tuple[Route, ...] = ()
    routing_rules: tuple[RoutingRule, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
    impairments: tuple[Impairment, ...] = ()
    rules: tuple[IptablesRules, ...] = ()
    files: tuple[File, ...] = ()
    daemons: tuple[Daemon, ...] = ()

    def __add__(self, other: NamespacePlan) -> NamespacePlan:
        """Both: what two parts of the code want of the same namespace."""
        names = (item.name for item in fields(self))
        return NamespacePlan(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True)
class Plan:
    """Namespace name → what must exist in it."""

    namespaces: Mapping[str, NamespacePlan] = field(default_factory=dict)

    def __add__(self, other: Plan) -> Plan:
        """Both plans, namespace by namespace."""
        merged = dict(self.namespaces)
        for name, part in other.namespaces.items():
            merged[name] = merged[name] + part if name in merged else part
        return Plan(merged)


@dataclass(frozen=True, slots=True)
class ExpectedRoute:
    """A route that daemons must have put into the kernel before a lab counts as converged.

    Attributes:
        destination: A prefix.
        next_hops: How many next hops it must have at least.
    """

    destination: str
    next_hops: int = 1
