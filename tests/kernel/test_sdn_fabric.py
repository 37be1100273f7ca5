"""Real Open vSwitches under the real controller: what frames do, what fails and what heals.

One fabric (of each datapath that this kernel has) for all tests here; each leaves it as it found
it, with no rule refused.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from sdnfabric import SdnFabric, sdn_fabric, until

ETHERTYPE = 0x88B5  # IEEE 802: local experimental
VXLAN = "8472"
FLOWS = 8
PATIENCE = 3000
"""Milliseconds that a path may be interrupted on a busy machine; on a quiet one it is some 10."""


@pytest.fixture(scope="module", params=["netdev", "system"])
def running(request: pytest.FixtureRequest) -> Iterator[SdnFabric]:
    with sdn_fabric(request.param) as made:
        addresses = [host.address for host in made.topology.hosts]
        for host in made.topology.hosts:
            for address in addresses:
                if address != host.address:
                    made.say(made.at(host.name, "ping", "-c1", "-W2", address))
        yield made


@pytest.fixture
def fabric(running: SdnFabric) -> Iterator[SdnFabric]:
    running.settle()
    before = running.rules()
    yield running
    state = running.settle()
    assert state["errors"] == 0
    assert running.rules() == before


def address(fabric: SdnFabric, host: str) -> str:
    return fabric.topology.host(host).address


def answer(process: subprocess.Popen[str]) -> Any:
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return json.loads(out)


class Traffic:
    """Numbered datagrams from n1 to n3, a millisecond apart, in flows that take different ways.

    Attributes:
        gap: The milliseconds for which the flow that had it worst was interrupted.
        lost: How many did not come, but for those that a busy machine dropped from a socket.
    """

    def __init__(self, fabric: SdnFabric, seconds: float = 1.0) -> None:
        self._fabric, self._starved = fabric, fabric.starved()
        self._collector = fabric.probe("n3", "collect")
        target = address(fabric, "n3")
        self._sender = fabric.probe("n1", "ticks", target, str(FLOWS), f"{seconds:.1f}")

    def end(self) -> None:
        """Waits for what is on its way; nothing came twice."""
        assert self._sender.wait(60) == 0
        found = answer(self._collector)
        flows = found["flows"].values()
        assert len(flows) == FLOWS
        assert not any(flow["twice"] for flow in flows)
        dropped = found["dropped"] + self._fabric.starved() - self._starved
        self.gap = max(flow["gap"] for flow in flows)
        self.lost = max(0, sum(flow["missing"] for flow in flows) - dropped)


def test_the_controller_knows_every_host(fabric: SdnFabric) -> None:
    state = fabric.settle()
    assert {mac: place["peer"] for mac, place in state["hosts"].items()} == {
        mac: host for host, mac in fabric.macs.items()
    }
    assert state["missing"] == state["down"] == []
    assert len(state["links"]) == 6


def test_everyone_reaches_everyone_and_nothing_comes_twice(fabric: SdnFabric) -> None:
    hosts = [host.name for host in fabric.topology.hosts]
    for host in hosts:
        for other in hosts:
            if other != host:
                said = fabric.say(fabric.at(host, "ping", "-c1", "-W2", address(fabric, other)))
                assert "DUP" not in said
    assert fabric.told() <= 4 * len(hosts)  # what is known is not told


@pytest.mark.parametrize("to", ["ff:ff:ff:ff:ff:ff", "33:33:00:00:00:fb", "02:00:00:00:99:99"])
def test_what_is_flooded_comes_once_to_everyone_else(fabric: SdnFabric, to: str) -> None:
    hosts = [host.name for host in fabric.topology.hosts]
    kind, number = str(ETHERTYPE), 50
    takers = {host: fabric.probe(host, "count", f"{host}-eth0", kind) for host in hosts}
    sender = fabric.probe("n1", "raw", "n1-eth0", to, fabric.macs["n1"], kind, str(number))
    assert sender.wait(60) == 0
    found = {host: answer(taker) for host, taker in takers.items()}
    own = found.pop("n1")
    assert own["frames"] == 0  # not even the sender gets it back
    assert all(count == {"frames": number, "numbers": number} for count in found.values())


def test_flows_spread_over_both_spines_and_each_keeps_its_way(fabric: SdnFabric) -> None:
    target = address(fabric, "n3")

    def sprayed(count: int, first: int, last: int) -> list[int]:
        """Frames that went to each spine."""
        before = fabric.counters()
        argv = ("spray", target, VXLAN, str(count), str(first), str(last))
        assert fabric.probe("n1", *argv).wait(60) == 0
        sent = count * (last - first + 1)
        uplinks = ("l1-eth1", "l1-eth2")

        def risen() -> list[int]:
            now = fabric.counters()
            return [now[port]["tx_packets"] - before[port]["tx_packets"] for port in uplinks]

        until(lambda: sum(risen()) >= sent, "all went")
        return risen()

    assert min(sprayed(1, 30000, 30099)) >= 25  # of 100; both spines have about half
    least, most = sorted(sprayed(20, 31000, 31000))
    assert most >= 20
    assert least <= 2  # ARP, when the kernel confirms a neighbour


def ping(fabric: SdnFabric) -> tuple[Any, Any]:
    """The counters before and after 10 pings, of which a busy machine has dropped none."""
    for _ in range(5):
        starved, before = fabric.starved(), fabric.counters()
        fabric.say(fabric.at("n1", "ping", "-c10", "-i0.01", "-s1000", address(fabric, "n2")))
        after = fabric.counters()
        if fabric.starved() == starved:
            return before, after
    pytest.fail("frames are dropped each time")


def test_counters_are_what_was_sent(fabric: SdnFabric) -> None:
    before, after = ping(fabric)
    frame = 14 + 20 + 8 + 1000

    def rise(port: str) -> dict[str, int]:
        return {k: after[port][k] - v for k, v in before[port].items() if isinstance(v, int)}

    for port in ("l1-eth3", "l1-eth4"):
        found = rise(port)
        others = found["rx_packets"] - 10
        assert 0 <= others <= 8  # each side confirms its neighbour, and looks for IPv6 routers
        assert frame * 10 <= found["rx_bytes"] <= frame * 10 + 90 * others
        assert found["tx_packets"] >= 10
        assert not any(found[f"{w}_{what}"] for w in ("rx", "tx") for what in ("dropped", "errors"))
    assert {row["peer"] for row in after.values() if row["switch"] == "sp1"} == {"l1", "l2", "b1"}


@pytest.mark.parametrize("port", ["l1-eth1", "l2-eth1"])
def test_a_failed_link_is_left_at_once_and_used_again(fabric: SdnFabric, port: str) -> None:
    """Of l1, which sends, the link is near: its group skips the port. Of l2 it is far."""
    traffic = Traffic(fabric)
    fabric.set_link(port, "down")
    traffic.end()
    assert len(fabric.settle()["links"]) == 5
    assert traffic.gap < PATIENCE
    traffic = Traffic(fabric)
    fabric.set_link(port, "up")
    until(lambda: len(fabric.settle()["links"]) == 6, "the link is back")
    traffic.end()
    assert traffic.lost == 0


def test_broadcasts_survive_the_loss_of_a_link_of_the_tree(fabric: SdnFabric) -> None:
    kind, number = str(ETHERTYPE), 20
    for state in ("down", "up"):
        fabric.set_link("l2-eth1", state)
        links = 5 if state == "down" else 6
        until(lambda links=links: len(fabric.settle()["links"]) == links, "it is noticed")
        taker = fabric.probe("n3", "count", "n3-eth0", kind)
        broadcast = "ff:ff:ff:ff:ff:ff"
        argv = ("raw", "n1-eth0", broadcast, fabric.macs["n1"], kind, str(number))
        assert fabric.probe("n1", *argv).wait(60) == 0
        assert answer(taker) == {"frames": number, "numbers": number}


def test_a_controller_that_dies_and_one_that_takes_over_lose_nothing(fabric: SdnFabric) -> None:
    before, known = fabric.rules(), fabric.settle()["hosts"]
    traffic = Traffic(fabric, 5.0)
    fabric.kill_controller()
    assert fabric.rules() == before
    fabric.start_controller()
    assert fabric.settle()["hosts"] == known
    traffic.end()
    assert traffic.lost == 0


def test_without_a_controller_the_near_switch_still_leaves_a_failed_link(fabric: SdnFabric) -> None:
    fabric.kill_controller()
    traffic = Traffic(fabric)
    fabric.set_link("l1-eth1", "down")
    traffic.end()
    fabric.set_link("l1-eth1", "up")
    fabric.start_controller()
    assert traffic.gap < PATIENCE


def test_a_link_that_failed_without_a_controller_is_noticed_by_the_next(fabric: SdnFabric) -> None:
    fabric.kill_controller()
    fabric.set_link("l2-eth2", "down")
    fabric.start_controller()
    assert len(fabric.settle()["links"]) == 5
    traffic = Traffic(fabric)
    traffic.end()
    assert traffic.lost == 0
    fabric.set_link("l2-eth2", "up")
    until(lambda: len(fabric.settle()["links"]) == 6, "the link is back")


def test_a_host_that_moves_is_followed(fabric: SdnFabric) -> None:
    """n1's MAC address speaks up behind l2, where n4 is, and then behind l1 again."""
    mac, kind = fabric.macs["n1"], str(ETHERTYPE)
    for host, switch in (("n4", "l2"), ("n1", "l1")):
        fabric.probe(host, "raw", f"{host}-eth0", "ff:ff:ff:ff:ff:ff", mac, kind, "1").wait(60)
        until(lambda s=switch: fabric.settle()["hosts"][mac]["switch"] == s, "it is followed")
        taker = fabric.probe(host, "count", f"{host}-eth0", kind)
        argv = ("raw", "client-eth0", mac, fabric.macs["client"], kind, "10")
        assert fabric.probe("client", *argv).wait(60) == 0
        assert answer(taker) == {"frames": 10, "numbers": 10}


def test_who_is_behind_a_port_without_carrier_is_forgotten(fabric: SdnFabric) -> None:
    fabric.run("ip", "-n", "n2", "link", "set", "n2-eth0", "down")
    until(lambda: fabric.macs["n2"] not in fabric.settle()["hosts"], "it is forgotten")
    fabric.run("ip", "-n", "n2", "link", "set", "n2-eth0", "up")
    fabric.say(fabric.at("n2", "ping", "-c1", "-W3", address(fabric, "n3")))
    until(lambda: fabric.macs["n2"] in fabric.settle()["hosts"], "it is known again")


def test_a_new_source_does_not_bury_the_controller(fabric: SdnFabric) -> None:
    told, kind, number = fabric.told(), str(ETHERTYPE), 3000
    taker = fabric.probe("n3", "count", "n3-eth0", kind)
    argv = ("raw", "n1-eth0", fabric.macs["n3"], "02:00:00:00:77:01", kind, str(number))
    assert fabric.probe("n1", *argv).wait(60) == 0
    found = answer(taker)
    assert found["frames"] == found["numbers"] > 0  # learning neither holds nor doubles them
    assert fabric.settle()["hosts"]["02:00:00:00:77:01"]["peer"] == "n1"
    assert 0 < fabric.told() - told < number
    fabric.run("ip", "-n", "n1", "link", "set", "n1-eth0", "down")  # forgets both of n1's
    until(lambda: fabric.macs["n1"] not in fabric.settle()["hosts"], "they are forgotten")
    fabric.run("ip", "-n", "n1", "link", "set", "n1-eth0", "up")
    fabric.say(fabric.at("n1", "ping", "-c1", "-W3", address(fabric, "n3")))
    until(lambda: fabric.macs["n1"] in fabric.settle()["hosts"], "it is known again")
