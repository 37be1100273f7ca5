"""What a topology knows of itself."""

from __future__ import annotations

from testbed.topology.limits import KEYS, Limits
from testbed.topology.load import load, names


def test_roles_and_addresses() -> None:
    topology = load("single", {"nodes": "2", "externals": "2"})
    assert [(host.name, host.address) for host in topology.nodes] == [
        ("n1", "192.168.0.11"),
        ("n2", "192.168.0.12"),
    ]
    assert [host.name for host in topology.externals] == ["client", "client2"]
    assert topology.routers == ()
    assert topology.subnets == ("192.168.0.0/24",)
    assert topology.host("n1").primary.name == "n1-eth0"


def test_limits_reach_every_link_and_interface() -> None:
    chosen = {"rate": "1Gbit", "delay": "20ms", "loss": "1%", "mtu": "9000"}
    for name in names():
        topology = load(name, chosen)
        said = {k for k in load(name, {}).links if k.limits or k.mtu != 1500}
        free = [k for k in topology.links if (k.a, k.b) not in {(s.a, s.b) for s in said}]
        assert {k.limits for k in free} == {Limits(rate=1e9, delay=0.02, loss=0.01)}
        assert {k.mtu for k in free} == {9000}
        interfaces = [i for host in topology.hosts for i in host.interfaces]
        assert all(i.mtu == topology.links[i.link].mtu for i in interfaces)


def test_only_the_link_between_the_zones_is_slow() -> None:
    topology = load("twozone", {"zone_rate": "20Mbit", "zone_delay": "5ms"})
    slow = [(k.a, k.b, k.limits) for k in topology.links if k.limits]
    assert slow == [("r1", "s2", Limits(rate=20e6, delay=0.005))]


def test_zones_hold_half_of_the_nodes_each() -> None:
    topology = load("twozone", {"nodes": "5"})
    assert [(host.name, host.zone, host.gateway) for host in topology.nodes] == [
        ("n1", "a", "192.168.1.1"),
        ("n2", "a", "192.168.1.1"),
        ("n3", "a", "192.168.1.1"),
        ("n4", "b", "192.168.2.1"),
        ("n5", "b", "192.168.2.1"),
    ]


def test_neighbours_are_over_switches_and_over_bare_links() -> None:
    topology = load("leafspine", {})
    found = {(n.host.name, n.interface.name, n.address) for n in topology.neighbours("l1")}
    assert found == {
        ("n1", "l1-eth0", "192.168.1.11"),
        ("n2", "l1-eth0", "192.168.1.12"),
        ("sp1", "l1-eth1", "10.0.1.0"),
        ("sp2", "l1-eth2", "10.0.2.0"),
    }


def test_autonomous_systems_of_the_fabric() -> None:
    topology = load("leafspine", {"leaves": "3"})
    assert {host.name: host.asn for host in topology.routers} == {
        "sp1": 65000,
        "sp2": 65000,
        "l1": 65001,
        "l2": 65002,
        "l3": 65003,
        "b1": 65100,
    }
    assert {host.asn for host in (*topology.nodes, *topology.externals)} == {None}


def test_leaves_reach_other_racks_over_every_spine() -> None:
    routes = dict(load("leafspine", {"spines": "3"}).host("l1").routes)
    assert routes["192.168.2.0/24"] == ("10.0.1.0", "10.0.2.0", "10.0.3.0")
    assert routes["192.168.100.0/24"] == ("10.0.1.0", "10.0.2.0", "10.0.3.0")
    assert "192.168.1.0/24" not in routes


def test_the_picture_has_every_host_switch_and_link() -> None:
    limits = dict.fromkeys(KEYS) | {"rate": 1e9}
    assert load("single", {"nodes": "1", "rate": "1Gbit"}).to_dict() == {
        "name": "single",
        "nodes": [
            {"name": "client", "role": "external", "address": "192.168.0.200"},
            {"name": "n1", "role": "node", "address": "192.168.0.11"},
            {"name": "s1", "role": "switch", "kind": "bridge", "address": None},
        ],
        "links": [
            {"a": "client", "b": "s1", "mtu": 1500, **limits},
            {"a": "n1", "b": "s1", "mtu": 1500, **limits},
        ],
    }
