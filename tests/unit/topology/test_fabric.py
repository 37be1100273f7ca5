"""To Mininet and back: the fabric that a lab builds is the topology that was planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.errors import Where
from testbed.topology.convert import from_topo
from testbed.topology.fabric import FabricTopo
from testbed.topology.load import load
from testbed.topology.model import Host, Interface, Topology


def _comparable(topology: Topology) -> tuple[object, ...]:
    """A topology without the order of its links, and so without their numbers."""

    def ends(host: Host) -> tuple[Interface, ...]:
        return tuple(replace(interface, link=0) for interface in host.interfaces)

    hosts = {replace(host, interfaces=ends(host), zone=None, asn=None) for host in topology.hosts}
    return hosts, set(topology.switches), set(topology.links)


@pytest.mark.parametrize("name", ["single", "twozone", "leafspine", "edge"])
def test_the_fabric_is_the_topology(name: str) -> None:
    planned = load(name, {"rate": "2Gbit", "delay": "3ms", "loss": "0.5%", "mtu": "1400"})
    built = from_topo(name, FabricTopo(planned), Where("test"))
    assert _comparable(built) == _comparable(planned)


def test_a_lab_with_a_routing_daemon_has_no_static_routes() -> None:
    built = from_topo("x", FabricTopo(load("leafspine", {}), static_routes=False), Where("test"))
    assert {host.routes for host in built.hosts} == {()}


@pytest.mark.parametrize(("settings", "kind"), [({}, "Link"), ({"rate": "1Gbit"}, "TCLink")])
def test_only_limited_links_are_shaped(settings: dict[str, str], kind: str) -> None:
    fabric = FabricTopo(load("single", settings))
    assert {info["cls"].__name__ for _, _, info in fabric.links(withInfo=True)} == {kind}
