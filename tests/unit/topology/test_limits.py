"""Which limits go together, and which link gets which."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.topology.limits import Limits, limits
from testbed.topology.load import load
from testbed.topology.model import Topology

FILE = """\
defaults: {delay: 10ms, loss: 1%}
hosts:
  - {name: a-b, address: 192.168.0.11/24}
  - {name: a, address: 192.168.0.12/24}
  - {name: n3, address: 192.168.0.13/24}
switches: [s1, b-s1]
links:
  - {ends: [a-b, s1], delay: 0}
  - {ends: [a, b-s1]}
  - {ends: [n3, s1], loss: 2%, jitter: 5ms}
  - {ends: [s1, b-s1], rate: 1Mbit}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "t.yaml"
    path.write_text(FILE)
    return str(path)


def of(topology: Topology, a: str, b: str) -> Limits:
    return next(link.limits for link in topology.links if (link.a, link.b) == (a, b))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jitter": 0.001}, "jitter needs a delay"),
        ({"jitter": 0.001, "delay": 0}, "jitter needs a delay"),
        ({"jitter": 0.002, "delay": 0.001}, "the jitter is larger than the delay"),
        ({"distribution": "normal", "delay": 0.1}, "distribution needs a jitter"),
        ({"reorder": 0.1}, "reorder needs a delay"),
        ({"limit": 10, "delay": 0.1}, "limit needs a rate"),
    ],
)
def test_what_does_not_go_together(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        limits(values)


def test_zero_is_no_limit() -> None:
    assert limits({"delay": 0.0, "loss": 0, "rate": 1e6, "mtu": 1400}) == Limits(rate=1e6)
    assert not limits({"delay": 0.0})
    assert limits({"loss": 0.1})


def test_a_link_says_it_itself_or_the_setting_or_the_default(file: str) -> None:
    topology = load(file, {"loss": "3%"})
    assert of(topology, "a-b", "s1") == Limits(loss=0.03)
    assert of(topology, "a", "b-s1") == Limits(delay=0.01, loss=0.03)
    assert of(topology, "n3", "s1") == Limits(delay=0.01, jitter=0.005, loss=0.02)
    assert of(topology, "s1", "b-s1") == Limits(rate=1e6, delay=0.01, loss=0.03)


@pytest.mark.parametrize("name", ["n3-s1", "s1-n3"])
def test_a_single_link_is_named_by_its_ends_and_obeys(name: str, file: str) -> None:
    topology = load(file, {f"{name}.loss": "5%", f"{name}.mtu": "1400", "mtu": "1450"})
    assert of(topology, "n3", "s1").loss == 0.05
    assert topology.host("n3").primary.mtu == 1400
    assert topology.host("a").primary.mtu == 1450


def test_a_link_of_a_class_is_named_in_the_same_way() -> None:
    topology = load("leafspine", {"l1-sp1.delay": "20ms", "s1-n2.rate": "1Mbit", "loss": "1%"})
    assert of(topology, "l1", "sp1") == Limits(delay=0.02, loss=0.01)
    assert of(topology, "n2", "s1") == Limits(rate=1e6, loss=0.01)
    assert of(topology, "n1", "s1") == Limits(loss=0.01)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n4-s1.loss": "1%"}, "--set: n4-s1.loss: unknown link 'n4-s1'\n  Did you mean 'n3-s1'?"),
        ({"a-b-s1.loss": "1%"}, "names several links: a to b-s1 and a-b to s1"),
        ({"n3-s1.loss": "1%", "s1-n3.loss": "2%"}, "loss of s1-n3 is set twice"),
        ({"n3-s1.nodes": "1"}, "unknown setting of a link 'nodes'"),
        ({"n3-s1.delay": "1ms"}, "t.yaml:10: links[2]: the jitter is larger than the delay"),
        ({"limit": "20"}, "limit needs a rate"),
    ],
)
def test_a_wrong_setting_of_a_link(values: dict[str, str], said: str, file: str) -> None:
    with pytest.raises(InputError) as caught:
        load(file, values)
    assert said in str(caught.value)


def test_a_wrong_setting_of_all_links_is_told_as_such() -> None:
    with pytest.raises(InputError, match=r"^--set: jitter needs a delay of the same link"):
        load("single", {"jitter": "1ms"})


MINE = """
from mininet.topo import Topo

class Mine(Topo):
    def build(self, rate=3e6):
        self.addHost("h1", ip="10.1.0.1/24")
        self.addHost("h2", ip="10.1.0.2/24")
        self.addLink("h1", "h2", bw=rate / 1e6, delay="5ms", jitter=500, max_queue_size=20,
                     reorder=1, duplicate=2, corrupt=3, loss=4, distribution="normal",
                     ifconfig="mtu 1400")

topos = {"mine": Mine}
"""


def test_the_options_of_a_mininet_link(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    link = load(str(path), {"loss": "50%", "mtu": "9000"}).links[0]
    assert link.mtu == 1400
    assert link.limits == Limits(3e6, 20, 0.005, 0.0005, "normal", 0.01, 0.04, 0.02, 0.03)


def test_a_class_keeps_its_own_parameter(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    limits = load(str(path), {"rate": "2Mbit", "h1-h2.loss": "0"}).links[0].limits
    assert (limits.rate, limits.loss) == (2e6, None)
