"""What is on the wire and in the routing tables, looked at with the tools of the trade."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from machine import until

from testbed.lab.client import Lab

pytestmark = pytest.mark.e2e

StartLab = Callable[..., Any]  # of tests/conftest.py

SHARE_OF_N4 = "10.244.4.0/24"
FROM, TO = "10.244.1.2", "10.244.2.2"

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: n1, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec: {nodeName: NODE, containers: [{name: c, image: pause}]}
"""


def _manifest(node: str = "n2") -> list[str]:
    return [PODS.replace("NODE", node)]


@contextmanager
def _capture(lab: Any, target: str, device: str, expression: str) -> Iterator[list[str]]:
    """Captures two packets while the block runs; the lines are there after it."""
    argv = (
        "tcpdump",
        "-nnvl",
        "-T",
        "vxlan",
        "--immediate-mode",
        "-c",
        "2",
        "-i",
        device,
        expression,
    )
    with Lab(lab.name).popen(
        target, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tcpdump:
        assert tcpdump.stderr is not None
        for line in tcpdump.stderr:
            if "listening on" in str(line):
                break
        lines: list[str] = []
        yield lines
        out, _ = tcpdump.communicate(timeout=60)
        lines += str(out).splitlines()


def _vtysh(lab: Any, host: str, command: str) -> Any:
    return json.loads(lab.exec(host, "vtysh", "-c", f"{command} json"))


def test_vxlan_on_the_underlay(shared_lab: StartLab) -> None:
    lab = shared_lab(cni="vxlan", manifests=_manifest())
    with _capture(lab, "node/n1", "n1-eth0", "udp port 8472") as lines:
        lab.exec("default/a", "ping", "-c1", "-W2", TO)
    text = "\n".join(lines)
    for source, target in (("11", "12"), ("12", "11")):
        outer = rf"192\.168\.0\.{source}\.\d+ > 192\.168\.0\.{target}\.8472: .*vni 1\b"
        assert re.search(outer, text), text
    assert f"{FROM} > {TO}: ICMP echo request" in text
    assert f"{TO} > {FROM}: ICMP echo reply" in text


@pytest.mark.parametrize("cni", ["bgp", "host-gw"])
def test_plain_packets_on_the_underlay(shared_lab: StartLab, cni: str) -> None:
    lab = shared_lab(cni=cni, manifests=_manifest())
    with _capture(lab, "node/n1", "n1-eth0", "icmp or udp port 8472") as lines:
        lab.exec("default/a", "ping", "-c1", "-W2", TO)
    text = "\n".join(lines)
    assert f"{FROM} > {TO}: ICMP echo request" in text
    assert f"{TO} > {FROM}: ICMP echo reply" in text
    assert "8472" not in text


def test_routes_and_sessions_of_bgp(shared_lab: StartLab) -> None:
    lab = shared_lab(cni="bgp", manifests=_manifest())
    routes = lab.exec("node/n1", "ip", "route").splitlines()
    for share, neighbour in (("10.244.2.0/24", "192.168.0.12"), ("10.244.3.0/24", "192.168.0.13")):
        (route,) = [line for line in routes if line.startswith(share)]
        assert f"via {neighbour} dev n1-eth0 proto bgp" in route
    peers = _vtysh(lab, "node/n1", "show ip bgp summary")["ipv4Unicast"]["peers"]
    assert {a: p["state"] for a, p in peers.items()} == {
        "192.168.0.12": "Established",
        "192.168.0.13": "Established",
    }
    external = lab.exec("external/client", "ip", "route")
    assert "bgp" not in external


def test_routes_of_vxlan_and_host_gw(shared_lab: StartLab) -> None:
    for cni, route in (
        ("vxlan", r"10\.244\.2\.0/24 via 10\.244\.2\.0 dev flannel\.1 onlink"),
        ("host-gw", r"10\.244\.2\.0/24 via 192\.168\.0\.12 dev n1-eth0"),
    ):
        lab = shared_lab(cni=cni, manifests=_manifest())
        assert re.search(route, lab.exec("node/n1", "ip", "route"))


def test_route_reflectors(lab: StartLab) -> None:
    settings = ["nodes=4", "bgp_mesh_limit=3"]
    running = lab(cni="bgp", settings=settings, manifests=_manifest("n4"))
    counts = {}
    for node in ("n1", "n2", "n3", "n4"):
        peers = _vtysh(running, f"node/{node}", "show ip bgp summary")["ipv4Unicast"]["peers"]
        assert {peer["state"] for peer in peers.values()} == {"Established"}
        counts[node] = len(peers)
    assert counts == {"n1": 3, "n2": 3, "n3": 2, "n4": 2}
    path = _vtysh(running, "node/n3", "show ip bgp 10.244.4.0/24")["paths"][0]
    assert path["originatorId"] == "192.168.0.14"
    running.exec("default/a", "ping", "-c1", "-W2", "10.244.4.2")


def test_bfd(lab: StartLab) -> None:
    running = lab(cni="bgp", settings=["bfd=true", "nodes=2"], manifests=_manifest())

    def sessions() -> list[str]:
        return [peer["status"] for peer in _vtysh(running, "node/n1", "show bfd peers")]

    until(lambda: sessions() == ["up"], "the BFD session is up", 60)
    running.exec("default/a", "ping", "-c1", "-W2", TO)


def test_bfd_of_nodes_and_fabric(lab: StartLab) -> None:
    running = lab(topology="leafspine", cni="bgp", settings=["bfd=true", "nodes=1"])

    def sessions(host: str) -> list[str]:
        return [peer["status"] for peer in _vtysh(running, host, "show bfd peers")]

    until(lambda: sessions("node/n1") == ["up"], "the session of n1 and its leaf is up", 60)
    until(lambda: sessions("router/l1") == ["up"] * 3, "those of n1 and two spines are up", 60)


@pytest.fixture(scope="module")
def fabric(shared_lab: StartLab) -> Any:
    return shared_lab(topology="leafspine", cni="bgp", manifests=_manifest("n4"))


def _ways(lab: Any, router: str, share: str) -> set[str]:
    """Next hops of a route to a share."""
    (route,) = json.loads(lab.exec(router, "ip", "-j", "route", "show", share))
    assert route["protocol"] == "bgp"
    return {hop["gateway"] for hop in route.get("nexthops", [route])}


def test_leaves_use_all_spines(fabric: Any) -> None:
    assert _ways(fabric, "router/l1", SHARE_OF_N4) == {"10.0.1.0", "10.0.2.0"}
    assert len(_ways(fabric, "router/b1", SHARE_OF_N4)) == 2
    answer = fabric.exec("default/a", "ping", "-c3", "-i0.3", "-W2", "10.244.4.2")
    assert "ttl=59" in answer  # five routers: n4, l2, a spine, l1, n1


def test_traffic_survives_a_dead_link(fabric: Any) -> None:
    control, both = Lab(fabric.name), {"10.0.1.0", "10.0.2.0"}
    ping = ("ping", "-n", "-i0.1", "10.244.4.2")
    once = ("exec", "a", "--", "ping", "-c1", "-W1", "10.244.4.2")
    with control.popen("default/a", ping, stdout=subprocess.PIPE, text=True) as pinging:
        for spine, other in (("sp1", "10.0.2.0"), ("sp2", "10.0.1.0")):
            for ways, up in (({other}, False), (both, True)):
                (control.heal if up else control.fail)("link", f"l1-{spine}")
                until(
                    lambda: _ways(fabric, "router/l1", SHARE_OF_N4) == ways,  # noqa: B023
                    f"routes with l1-{spine} {'up' if up else 'down'}",
                    30,
                )
                # The way back is the other routers' business, who may be later than l1.
                until(lambda: fabric.run(*once, code=None).returncode == 0, "answers", 30)
        pinging.send_signal(signal.SIGINT)
        answers = [int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", pinging.communicate()[0])]
    control.close()
    longest = max(after - before for before, after in pairwise(answers))
    assert longest * 0.1 < 5, f"no answer for {longest * 0.1:.1f} s"
