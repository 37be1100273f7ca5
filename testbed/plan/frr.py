"""FRR on a host: its files and daemons, from what the host has to say in BGP.

Used for nodes by the ``bgp`` mode and for the fabric's routers by :mod:`testbed.plan.underlay`.
Each daemon reads its own file in ``/etc/frr`` and has its sockets in ``/run/frr``, both private to
the host, so that ``vtysh`` works there as on any FRR machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.cluster.model import Cluster, Node
from testbed.plan.model import Daemon, File, NamespacePlan
from testbed.templates import render

NEEDS = ("zebra", "bgpd", "vtysh")
"""What a host with FRR needs, by the names of ``testbed doctor``."""

_LIBRARY = "/usr/lib/frr"
_FIRST_NODE_AS = 4200000000  # the 32-bit private range (RFC 6996), apart from the fabric's numbers


def node_asn(cluster: Cluster, node: Node) -> int:
    """The AS of a node that is a peer of its router: one of its own.

    Calico's documentation calls it the "AS per compute server" model.
    """
    return _FIRST_NODE_AS + cluster.nodes.index(node)


@dataclass(frozen=True, slots=True)
class PeerGroup:
    """Neighbours that are treated alike.

    Attributes:
        name: Of the group in the configuration.
        remote_as: ``internal``, ``external`` or a number.
        neighbours: Addresses that this host connects to.
        listen: Prefixes whose hosts may connect to this one (dynamic neighbours).
        reflector_clients: Whether this host reflects routes between them (RFC 4456).
        accept: Prefixes of which (and within which) routes are accepted; empty accepts all.
        bfd: Whether the sessions are watched by BFD.
        keepalive: Seconds between keepalives; three that are missed end the session.
        send_only: Whether nothing that they say is taken.
    """

    name: str
    remote_as: str
    neighbours: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    reflector_clients: bool = False
    accept: tuple[str, ...] = ()
    bfd: bool = False
    keepalive: int = 3
    send_only: bool = False


@dataclass(frozen=True, slots=True)
class Speaker:
    """A BGP speaker (RFC 4271).

    Attributes:
        host: Name of the host.
        asn: Its autonomous system.
        router_id: An address of the host.
        networks: Prefixes that it originates.
        groups: Its neighbours.
        cluster_id: Of the route reflectors together.
        announced: Prefixes within which it also originates what the kernel has a route to, as
            long as it has.
    """

    host: str
    asn: int
    router_id: str
    networks: tuple[str, ...]
    groups: tuple[PeerGroup, ...]
    cluster_id: str = ""
    announced: tuple[str, ...] = ()

    @property
    def is_reflector(self) -> bool:
        """Whether it reflects routes between any of its neighbours."""
        return any(group.reflector_clients for group in self.groups)


def speaker_plan(speaker: Speaker) -> NamespacePlan:
    """Files and daemons of a BGP speaker: zebra, bgpd and, where a group wants it, bfdd."""
    names = ["zebra", "bgpd"] + ["bfdd"] * any(group.bfd for group in speaker.groups)
    files = (
        File(f"/etc/frr/{name}.conf", render(f"{name}.conf.j2", speaker=speaker)) for name in names
    )
    vtysh = File("/etc/frr/vtysh.conf", "no service integrated-vtysh-config\n")
    return NamespacePlan(files=(*files, vtysh), daemons=tuple(map(_daemon, names)))


def _daemon(name: str) -> Daemon:
    port = ("-p", "179") if name == "bgpd" else ()
    argv = (f"{_LIBRARY}/{name}", "-f", f"/etc/frr/{name}.conf", *port)
    ready = "/run/frr/zserv.api" if name == "zebra" else f"/run/frr/{name}.vty"
    return Daemon(name, argv, ready)
