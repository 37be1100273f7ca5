"""Links, nodes and daemons that fail, and are healed again exactly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from labs import RunningLab, StartLab
from machine import until

from testbed.lab.client import Lab

pytestmark = pytest.mark.e2e

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: n1, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec: {nodeName: n2, containers: [{name: c, image: pause}]}
"""
B = "10.244.2.2"
N1_SHARE, N2_SHARE = "10.244.1.0/24", "10.244.2.0/24"


@pytest.fixture
def fabric(shared_lab: StartLab) -> Iterator[RunningLab]:
    """Two racks with a node each, routed by BGP; nothing has failed before and after a test."""
    running = shared_lab(topology="leafspine", cni="bgp", settings=["nodes=1"], manifests=[PODS])
    yield running
    running.run("heal")
    assert running.run("fail").stdout == ""


def reaches(lab: RunningLab) -> bool:
    argv = ("exec", "a", "--", "ping", "-c1", "-W1", B)
    return lab.run(*argv, code=None).returncode == 0


def state(lab: RunningLab, target: str) -> list[str]:
    """Links, routes, ARP and forwarding entries and rules of a host, in no particular order."""
    commands = "ip route; ip neigh show nud permanent; bridge fdb | grep permanent; ip -o link; "
    commands += "nft --stateless list ruleset"
    return sorted(lab.exec(target, "sh", "-c", commands).splitlines())


def flags(lab: RunningLab, target: str) -> dict[str, set[str]]:
    links = json.loads(lab.exec(target, "ip", "-j", "link"))
    return {link["ifname"]: set(link["flags"]) for link in links}


def ways(lab: RunningLab, router: str, share: str) -> int:
    """How many next hops a router has to a share."""
    routes = json.loads(lab.exec(router, "ip", "-j", "route", "show", share))
    return sum(len(route.get("nexthops", [route])) for route in routes)


def test_a_partitioned_node_loses_its_traffic_and_keeps_its_carrier(fabric: RunningLab) -> None:
    before, links = state(fabric, "node/n1"), flags(fabric, "node/n1")
    assert reaches(fabric)
    said = fabric.run("fail", "node", "n1")
    assert said.stdout == "node n1 failed\n"
    assert not reaches(fabric)
    assert flags(fabric, "node/n1") == links
    assert flags(fabric, "router/l1")["l1-eth0"] >= {"UP", "LOWER_UP"}
    capture = "timeout 4 tcpdump -c1 -n -i l1-eth0 src 192.168.1.11"  # keepalives: one in 3 s
    assert (
        "0 packets captured"
        in fabric.run("exec", "router/l1", "--", "sh", "-c", f"{capture} 2>&1", code=None).stdout
    )
    assert fabric.run("heal", "node", "n1").stdout == "node n1 healed\n"
    assert reaches(fabric)
    assert state(fabric, "node/n1") == before


def test_bgp_does_without_a_partitioned_spine(fabric: RunningLab) -> None:
    """Nobody sees a carrier go: it takes the hold time of 9 s."""
    control = Lab(fabric.name)
    control.fail("node", "sp1")
    assert ways(fabric, "router/l1", N2_SHARE) == 2
    until(lambda: ways(fabric, "router/l1", N2_SHARE) == 1, "only sp2 is used", 60)
    assert reaches(fabric)
    assert control.settle(0.1) != []
    assert control.heal("node", "sp1")
    assert control.settle(120) == []
    assert ways(fabric, "router/l1", N2_SHARE) == 2
    control.close()


@pytest.mark.parametrize("link", ["l1-sp1", "s1-n1", "sp2-l2"])
def test_a_link_loses_its_carrier_and_comes_back_exactly(fabric: RunningLab, link: str) -> None:
    ends = [f"router/{name}" for name in link.split("-") if name[0] in "ls" and name != "s1"]
    ends += ["node/n1"] * ("n1" in link)
    before, links = [state(fabric, end) for end in ends], [flags(fabric, end) for end in ends]
    fabric.run("fail", "link", link)
    for end, old in zip(ends, links, strict=True):
        lost = [name for name, found in flags(fabric, end).items() if found != old[name]]
        assert len(lost) == 1
        assert "LOWER_UP" not in flags(fabric, end)[lost[0]]
    until(
        lambda: reaches(fabric) == ("n1" not in link), "routers have another way, if there is one"
    )
    fabric.run("heal", "link", link)
    assert [state(fabric, end) for end in ends] == before
    assert reaches(fabric)


def test_static_routes_are_there_again_after_a_link_of_two_hosts_failed(lab: StartLab) -> None:
    pods = PODS.replace("nodeName: n2", "nodeName: n3")
    running = lab(topology="edge", manifests=[pods])
    ends = ("node/n3", "router/r1")
    before = [state(running, end) for end in ends]
    ping = ("exec", "a", "--", "ping", "-c1", "-W2", "10.244.3.2")
    running.run(*ping)
    for _ in range(2):
        running.run("fail", "link", "n3-r1")
        running.run(*ping, code=1)
        running.run("heal")
        assert [state(running, end) for end in ends] == before
        running.run(*ping)


def test_routes_go_with_a_killed_bgpd_and_come_back(fabric: RunningLab) -> None:
    old = fabric.exec("router/l1", "cat", "/run/frr/bgpd.pid")
    assert ways(fabric, "router/l1", N2_SHARE) == 2
    fabric.run("fail", "daemon", "l1/bgpd")
    until(lambda: ways(fabric, "router/l1", N2_SHARE) == 0, "zebra withdraws its routes", 8)
    until(lambda: ways(fabric, "router/l2", N1_SHARE) == 0, "the fabric hears of it", 8)
    assert fabric.run("fail").stdout == "daemon l1/bgpd\n"
    fabric.run("fail", "daemon", "l1/bgpd")  # it has failed already
    fabric.run("heal", "daemon", "l1/bgpd")
    assert ways(fabric, "router/l1", N2_SHARE) == 2
    assert ways(fabric, "router/l2", N1_SHARE) == 2
    assert fabric.exec("router/l1", "cat", "/run/frr/bgpd.pid") != old
    assert reaches(fabric)


def test_everything_that_failed_is_healed_at_once(fabric: RunningLab) -> None:
    for words in ("node n2", "link sp1-l1", "daemon sp2/bgpd"):
        fabric.run("fail", *words.split())
    assert fabric.run("fail").stdout == "node n2\nlink l1-sp1\ndaemon sp2/bgpd\n"
    healed = fabric.run("heal").stdout.splitlines()
    assert healed == ["daemon sp2/bgpd healed", "link l1-sp1 healed", "node n2 healed"]
    assert fabric.run("heal").stdout == ""
    assert fabric.run("heal", "node", "n2").stdout == ""
    assert reaches(fabric)


def test_for_a_while(fabric: RunningLab) -> None:
    said = fabric.run("fail", "node", "n1", "--for", "200ms")
    assert said.stdout == "node n1 failed\nnode n1 healed\n"
    assert reaches(fabric)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fail link l1-l2", "unknown link of leafspine 'l1-l2'"),
        ("fail node n7", "unknown host of leafspine 'n7'"),
        ("fail daemon l1/bgp", "Did you mean 'l1/bgpd'?"),
        ("fail rack 1", "unknown kind of failure 'rack'"),
        ("fail link", "name what fails"),
        ("fail node n1 --for long", "'long' is no time such as 500ms"),
        ("heal link l1-l2", "unknown link of leafspine 'l1-l2'"),
        ("heal node", "name what is healed"),
    ],
)
def test_what_cannot_fail(fabric: RunningLab, words: str, message: str) -> None:
    done = fabric.run(*words.split(), code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_ports_count_what_passes(fabric: RunningLab) -> None:
    control = Lab(fabric.name)
    ends = {(port["a"], port["peer"]): port for port in control.ports()}
    count = ["ping", "-q", "-c", "200", "-s", "1000", "-i", "0.002", B]
    assert control.popen("default/a", count, stdout=subprocess.DEVNULL).wait(30) == 0
    after = {(port["a"], port["peer"]): port for port in control.ports()}
    control.close()

    def grown(a: str, peer: str, what: str) -> int:
        return int(after[a, peer][what] - ends[a, peer][what])

    for a, peer in (("n1", "s1"), ("s1", "l1"), ("l2", "s2"), ("s2", "n2")):
        assert 200 <= grown(a, peer, "tx_packets") < 260  # the others are BGP's
        assert 200 * 1042 <= grown(a, peer, "tx_bytes") < 240 * 1042
        assert grown(a, peer, "tx_packets") == pytest.approx(grown(peer, a, "rx_packets"), abs=5)
    up = [grown("l1", spine, "tx_packets") for spine in ("sp1", "sp2")]
    assert 200 <= sum(up) < 280
    assert len(ends) == 2 * len(Lab(fabric.name).info["fabric"]["links"])
