"""A :class:`~testbed.topology.model.Topology` as a Mininet ``Topo``: what a lab builds.

Links with a rate, a delay or a loss are shaped by Mininet's ``TCLink`` (HTB, and netem below it);
all others are bare veth pairs, so that a link without limits needs no queueing discipline.
"""

from __future__ import annotations

from typing import Any

from mininet.link import Link as PlainLink
from mininet.link import TCIntf, TCLink
from mininet.topo import Topo

from testbed.topology.model import Host, Link, Topology
from topologies.leafspine import Router, link_options


class FastIntf(TCIntf):  # type: ignore[misc]
    """Mininet's shaped interface without its limit of 1 Gbit/s, above which it does not shape."""

    bwParamMax = 1_000_000  # noqa: N815 - Mininet's name; Mbit/s


class FabricTopo(Topo):  # type: ignore[misc]
    """The Mininet ``Topo`` of a topology."""

    def build(self, topology: Topology, static_routes: bool = True) -> None:
        """Builds the graph; Mininet's constructor calls it.

        Args:
            topology: What to build.
            static_routes: Whether routers set their static routes; a lab that runs a routing
                daemon on them says False.
        """
        ends = {
            (host.name, interface.name): (port, interface.address)
            for host in topology.hosts
            for port, interface in enumerate(host.interfaces)
        }
        for host in topology.hosts:
            self.addHost(host.name, **_host_options(host, static_routes))
        for number, switch in enumerate(topology.switches, start=1):
            self.addSwitch(switch.name, dpid=f"{number:016x}")
        for link in topology.links:
            self.addLink(link.a, link.b, **_link_options(link, ends))


def _host_options(host: Host, static_routes: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"ip": host.interfaces[0].address, "role": host.role}
    if host.role == "router":
        options |= {"cls": Router, "routes": host.routes if static_routes else ()}
    if host.gateway:
        options["defaultRoute"] = f"via {host.gateway}"
    return options


def _link_options(
    link: Link, ends: dict[tuple[str, str], tuple[int, str | None]]
) -> dict[str, Any]:
    """Mininet's options of a link; a host's ports follow the order of its interfaces."""
    options = link_options(link.rate, link.delay, link.loss, link.mtu)
    options |= {"intfName1": link.a_interface, "intfName2": link.b_interface}
    for number, end in ((1, (link.a, link.a_interface)), (2, (link.b, link.b_interface))):
        port, address = ends.get(end, (None, None))
        options[f"port{number}"] = port
        if address:
            options[f"params{number}"] = {"ip": address}
    if link.rate is None and link.delay is None and link.loss is None:
        return options | {"cls": PlainLink}
    return options | {"cls": TCLink, "gro": True, "cls1": FastIntf, "cls2": FastIntf}
