"""Configurations: of the controller, and of Open vSwitch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.sdn import config, openvswitch
from testbed.sdn.graph import Port, tree, ways
from testbed.topology.load import load
from testbed.topology.model import Topology

MIXED = """
hosts:
  - {name: n1, address: 192.168.0.11/24}
  - {name: n2, address: 192.168.0.12/24}
switches: [s1, {name: o1, kind: openvswitch}, {name: o2, kind: openvswitch}]
links:
  - ends: [n1, s1]
  - ends: [s1, o1]
  - ends: [o1, o2]
  - ends: [o2, o1]
  - ends: [n2, o2]
"""


@pytest.fixture
def mixed(tmp_path: Path) -> Topology:
    """A Linux bridge and two Open vSwitches with two links between them."""
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED)
    return load(str(path), {})


def test_the_configuration_survives_json(mixed: Topology) -> None:
    fabric = config.fabric_of(json.loads(json.dumps(config.config_of(mixed))))
    assert fabric.dpids == {"o1": 1, "o2": 2}
    assert fabric.peers == {
        Port("o1", "o1-eth1"): "s1",
        Port("o1", "o1-eth2"): Port("o2", "o2-eth1"),
        Port("o1", "o1-eth3"): Port("o2", "o2-eth2"),
        Port("o2", "o2-eth1"): Port("o1", "o1-eth2"),
        Port("o2", "o2-eth2"): Port("o1", "o1-eth3"),
        Port("o2", "o2-eth3"): "n2",
    }


def test_behind_a_linux_bridge_are_hosts(mixed: Topology) -> None:
    fabric = config.fabric_of(config.config_of(mixed))
    edge = {port.name for port in fabric.peers if fabric.is_edge(port)}
    assert edge == {"o1-eth1", "o2-eth3"}


def test_one_transaction_makes_every_openvswitch_and_nothing_else(mixed: Topology) -> None:
    argv = openvswitch.transaction(mixed, "netdev")
    commands = [part.split() for part in " ".join(argv).split(" -- ")]
    made = {words[-1] for words in commands if "add-br" in words}
    ports = {tuple(words[-2:]) for words in commands if "add-port" in words}
    numbers = {w[2]: w[3].partition("=")[2] for w in commands if w[:2] == ["set", "interface"]}
    ids = [word for words in commands for word in words if "datapath-id" in word]
    assert made == {"o1", "o2"}
    assert ports == {(p.switch, p.name) for p in config.fabric_of(config.config_of(mixed)).peers}
    assert numbers == {f"o{i}-eth{j}": str(j) for i in (1, 2) for j in (1, 2, 3)}
    assert [int(word.partition("=")[2], 16) for word in ids] == [1, 2]
    assert argv.count("datapath_type=netdev") == argv.count("fail_mode=secure") == 2


def test_everything_is_kept_in_the_sandbox() -> None:
    lines = [openvswitch.database(), *openvswitch.daemons().values()]
    paths = [
        word for words in lines for word in words if "/" in word and word != openvswitch.SCHEMA
    ]
    assert paths
    assert all(str(openvswitch.STATE) in path for path in paths)
    assert set(openvswitch.ENVIRONMENT.values()) == {str(openvswitch.STATE)}


def test_the_sdn_topology_has_a_star_as_its_tree() -> None:
    fabric = config.fabric_of(config.config_of(load("sdn", {"spines": "3", "leaves": "3"})))
    up = set(fabric.peers)
    chosen = tree(fabric, up)
    assert {port.switch for port in chosen} == {"sp1", "l1", "l2", "l3", "b1"}
    assert len(chosen) == 2 * 4
    assert len(ways(fabric, up, "l3")["l1"].ports) == 3
    assert ways(fabric, up, "l3")["l1"].distance == 2
    up -= set(fabric.ports["sp1"])
    assert {port.switch for port in tree(fabric, up)} == {"sp2", "l1", "l2", "l3", "b1"}
