"""Topologies that are impossible, each with its place and its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.topology.limits import Limits
from testbed.topology.load import load

GOOD = """\
hosts:
  - {name: n1, address: 192.168.0.11/24}
  - {name: n2, address: 192.168.0.12/24}
switches: [s1]
links:
  - ends: [n1, s1]
  - ends: [n2, s1]
"""

CASES = {
    "not YAML": ("a: b: c", "", 1, "invalid YAML"),
    "empty": ("# nothing", "", None, "exactly one YAML document"),
    "a list": ("[]", "", 1, "is not of type 'object'"),
    "no hosts": ("links: []", "", 1, "'hosts' is a required property"),
    "unknown field": ("switches: [s1]", "swiches: [s1]", 1, "'swiches' was unexpected"),
    "unknown role": ("{name: n2,", "{name: n2, role: boss,", 3, "'boss' is not one of"),
    "alias bomb": ("switches: [s1]", "x: &a [1]\ny: [*b]", 5, "the alias \\*b"),
    "key twice": ("switches: [s1]", "switches: [s1]\nswitches: [s1]", 5, "already in line 4"),
    "name twice": ("name: n2", "name: n1", 3, "the name 'n1' is already taken"),
    "switch like a host": ("[s1]", "[s1, n1]", 4, "the name 'n1' is already taken"),
    "no DNS label": ("name: n2", "name: N_2", 3, "the name 'N_2' is no DNS label"),
    "no node": ("{name: n", "{role: external, name: n", 1, "the topology has no node"),
    "end nowhere": ("ends: [n2, s1]", "ends: [n2, s9]", 7, "ends at 's9', which is nowhere"),
    "to itself": ("ends: [n2, s1]", "ends: [s1, s1]", 7, "joins 's1' to itself"),
    "no link": ("  - ends: [n2, s1]\n", "", 3, "'n2' is on no link"),
    "three ends": ("[n2, s1]", "[n2, s1, s1]", 7, "is too long"),
    "no address": (", address: 192.168.0.12/24", "", 3, "'n2' has no address"),
    "no prefix": ("0.12/24", "0.12", 3, "lacks its prefix length"),
    "no number": ("0.12/24", "0.256/24", 3, "is no IPv4 address"),
    "subnet's address": ("0.12/24", "0.0/24", 3, "is the address of the subnet"),
    "broadcast": ("0.12/24", "0.255/24", 3, "or its broadcast address"),
    "loopback": ("192.168.0.12/24", "127.0.0.1/8", 3, "cannot be a host's address"),
    "address twice": ("0.12/24", "0.11/24", 3, "'n2' has 'n1''s address"),
    "subnets overlap": ("0.12/24", "0.12/25", 3, "overlaps"),
    "gateway outside": ("0.12/24}", "0.12/24, gateway: 10.0.0.1}", 3, "in none of its subnets"),
    "no gateway": ("0.12/24}", "0.12/24, gateway: home}", 3, "in none of its subnets"),
    "no destination": (
        "0.12/24}",
        "0.12/24, routes: [{to: 10.0.0.1/8, via: [192.168.0.11]}]}",
        3,
        "has host bits set",
    ),
    "foreign address": ("[n2, s1]", "[n2, s1]\n    addresses: {n1: 1.2.3.4/8}", 8, "is no end"),
    "bad rate": ("[n2, s1]", "[n2, s1]\n    rate: fast", 8, "invalid value 'fast'"),
    "bad jitter": ("[n2, s1]", "[n2, s1]\n    jitter: 1ms", 7, "jitter needs a delay"),
    "bad limit": ("[n2, s1]", "[n2, s1]\n    limit: 0", 8, "invalid value 0"),
    "bad mtu": ("[n2, s1]", "[n2, s1]\n    mtu: 100", 8, "invalid value 100"),
    "bad default": ("switches: [s1]", "switches: [s1]\ndefaults: {loss: 3}", 5, "invalid value 3"),
    "long name": ("n2", "edge-router-12", 7, "longer than 15 characters"),
    "loop": (
        "[s1]",
        "[s1, s2]\n",
        9,
        "closes a loop of switches",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_impossible_file_names_line_and_reason(case: str, tmp_path: Path) -> None:
    old, new, line, message = CASES[case]
    text = GOOD.replace(old, new) if old in GOOD else old
    if case == "loop":
        text = text.replace("\n\n", "\n") + "  - ends: [s1, s2]\n  - ends: [s2, s1]\n"
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load(str(path), {})
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.line) == (str(path), line)


RING = GOOD.replace("\n\n", "\n") + "  - ends: [s1, s2]\n  - ends: [s2, s1]\n"
OPEN = "{{name: {}, kind: openvswitch}}"


def test_open_vswitches_may_form_a_ring(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(RING.replace("[s1]", f"[{OPEN.format('s1')}, {OPEN.format('s2')}]"))
    assert [switch.kind for switch in load(str(path), {}).switches] == ["openvswitch"] * 2


def test_a_ring_with_a_bridge_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(RING.replace("[s1]", f"[{OPEN.format('s1')}, s2]"))
    with pytest.raises(InputError, match="closes a loop of switches"):
        load(str(path), {})


def test_two_segments_may_not_share_a_subnet(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(GOOD.replace("[s1]", "[s1, s2]").replace("[n2, s1]", "[n2, s2]"))
    with pytest.raises(InputError, match=r"subnet 192\.168\.0\.0/24 overlaps"):
        load(str(path), {})


def test_settings_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(GOOD + "    rate: 1Mbit\n")
    topology = load(str(path), {"nodes": "2", "rate": "1Gbit", "mtu": "1400"})
    assert [(link.limits.rate, link.mtu) for link in topology.links] == [(1e9, 1400), (1e6, 1400)]
    assert [host.name for host in load(str(path), {"nodes": "1"}).hosts] == ["n1"]
    with pytest.raises(InputError, match="has 2 nodes, not 3"):
        load(str(path), {"nodes": "3"})


def test_lines_hold_after_nodes_were_dropped(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(GOOD.replace("  - ends: [n1, s1]\n", "") + "  - ends: [n1, s9]\n")
    text = path.read_text().replace("n1", "n0").replace("n2", "n1").replace("n0", "n2")
    path.write_text(text.replace("{name: n2", "{name: n3, role: external"))
    with pytest.raises(InputError) as caught:
        load(str(path), {"nodes": "1"})
    assert caught.value.where is not None
    assert caught.value.where.line == 7


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\n", None, "no topology in this file"),
        ("topos = {}\n", None, "no topology in this file"),
        ("x = 1\ntopos = {\n", 2, "SyntaxError"),
        ("x = 1\nraise RuntimeError('boom')\n", 2, "RuntimeError: boom"),
        ("topos = {'a': 1, 'b': 2}\n", None, "several topologies"),
    ],
)
def test_a_wrong_python_file(text: str, line: int | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load(str(path), {})
    assert caught.value.where is not None
    assert caught.value.where.line == line


def test_any_mininet_topo_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from mininet.topo import Topo\n"
        "class Mine(Topo):\n"
        "    def build(self, depth=1):\n"
        "        self.addHost('h1', ip='10.1.0.1/24')\n"
        "        self.addSwitch('s1')\n"
        "        self.addLink('h1', 's1', bw=10, delay='5ms', loss=depth)\n"
        "topos = {'mine': Mine}\n"
    )
    topology = load(str(path), {"depth": "2"})
    assert [host.name for host in topology.nodes] == ["h1"]
    assert topology.links[0].limits == Limits(rate=10e6, delay=0.005, loss=0.02)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("sngle", {}, "Did you mean 'single'"),
        ("none.yaml", {}, "no such topology file"),
        ("single", {"spines": "2"}, "unknown setting 'spines'"),
        ("single", {"nodes": "190"}, "nodes must be 1 to 189"),
        ("twozone", {"nodes": "1"}, "nodes must be 2 to 200"),
        ("leafspine", {"spines": "33"}, "spines must be 1 to 32"),
    ],
)
def test_a_wrong_name_or_setting(name: str, settings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(name, settings)
    assert message in str(caught.value)
