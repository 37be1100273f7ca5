"""Proxy mode ipvs by real connections, as :mod:`test_service_traffic` asks the others.

Where IPVS answers otherwise than iptables, this has the answer: it refuses what it cannot serve,
and a policy Local without an endpoint on the node uses those of other nodes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machines import Vm, VmLab
from scipy.stats import chisquare
from servicetraffic import ADDRESSES, LOCAL, NODE, PODS, Flow, ask, check, prepare, service

BOTH, LOCALS = ("local-0", "remote-0"), ("local-0", "local-1")
SERVICES = (
    PODS,
    service(
        "both", BOTH, clusterIP="10.96.9.1", type="LoadBalancer",
        externalIPs=["203.0.113.1"], loadBalancerIP="198.51.100.11", nodePort=30001,
    ),
    service(
        "local", [*LOCALS, "remote-0"], clusterIP="10.96.9.2", type="LoadBalancer",
        loadBalancerIP="198.51.100.12", nodePort=30002, externalTrafficPolicy="Local",
    ),
    service("nobody", [], clusterIP="10.96.9.5", type="NodePort", nodePort=30005),
    service(
        "ranges", ["local-0"], clusterIP="10.96.9.6", type="LoadBalancer",
        loadBalancerIP="198.51.100.16", loadBalancerSourceRanges=["192.168.0.128/25"],
    ),
    service("datagrams", ["local-3", "remote-2"], "UDP", clusterIP="10.96.9.9"),
    service("alone", ["local-3"], clusterIP="10.96.9.11"),
    service("sticky", ["local-1", "remote-0", "remote-1"], clusterIP="10.96.9.12",
            sessionAffinity="ClientIP"),
)  # fmt: skip
FLOWS = (
    Flow("cluster IP", "pod", "10.96.9.1", 80, BOTH, False),
    Flow("cluster IP from the node", "node", "10.96.9.1", 80, BOTH),
    Flow("cluster IP from outside", "client", "10.96.9.1", 80, BOTH, True),
    Flow("external IP", "client", "203.0.113.1", 80, BOTH, True),
    Flow("load balancer", "client", "198.51.100.11", 80, BOTH, True),
    Flow("node port", "pod", NODE, 30001, BOTH, True),
    Flow("node port", "client", NODE, 30001, BOTH, True),
    Flow("Local: load balancer", "client", "198.51.100.12", 80, LOCALS, False),
    Flow("Local: node port", "client", NODE, 30002, LOCALS, False),
    Flow("nobody", "pod", "10.96.9.5", 80),
    Flow("nobody", "client", NODE, 30005),
    Flow("another port", "client", "10.96.9.1", 81),
    Flow("allowed", "client", "198.51.100.16", 80, ("local-0",), True),
    Flow("not allowed", "pod", "198.51.100.16", 80, otherwise="silent"),
    Flow("UDP", "pod", "10.96.9.9", 80, ("local-3", "remote-2"), False, protocol="UDP"),
)
ROOT = Path(__file__).parents[2]
PROBE: dict[str, Any] = {"protocol": "TCP", "port": 80, "tries": 1, "want": []}


@pytest.fixture(scope="module")
def running(vm: Vm) -> Iterator[VmLab]:
    lab = vm.lab(settings=["nodes=2"], options=("--proxy", "ipvs"), manifests=SERVICES)
    prepare(lab)
    yield lab
    lab.end()


def servers(lab: VmLab, source: str, address: str, copies: int = 6) -> set[str]:
    found = ask(lab, source, [{**PROBE, "address": address, "copies": copies}])
    assert {outcome[0] for [outcome] in found} == {"answered"}
    return {outcome[1] for [outcome] in found}


def test_each_address_leads_where_it_should(running: VmLab) -> None:
    assert not check(running, FLOWS)


def test_a_pod_reaches_itself_through_its_service(running: VmLab) -> None:
    probe = {**PROBE, "address": "10.96.9.11"}
    [[outcome]] = ask(running, "default/local-3", [probe])
    assert outcome[:2] == ["answered", "local-3"]
    assert outcome[2] != LOCAL["local-3"]


def test_a_client_keeps_its_endpoint(running: VmLab) -> None:
    first = servers(running, "pod", "10.96.9.12", 1)  # several first ones at once may differ
    assert servers(running, "pod", "10.96.9.12") == first


def test_a_change_touches_what_has_changed(running: VmLab) -> None:
    """Services and endpoints come and go; an address that another Service has stays."""

    def change(*names: str) -> None:
        text = service("late", names, clusterIP="10.96.9.20", externalIPs=["203.0.113.1"])
        text = text.replace("port: 80\n", "port: 81\n", 1)
        running.run("apply", "-f", "-", text=text)

    for names in (("local-0",), ("local-0", "remote-0"), ("remote-1",), ()):
        change(*names)
        flows = [Flow("late", "client", ip, 81, names) for ip in ("10.96.9.20", "203.0.113.1")]
        assert not check(running, flows)
    running.run("delete", "endpointslice", "late-1")
    running.run("delete", "service", "late")
    assert "10.96.9.20/32" not in running.exec("node/n1", "ip", "address")
    assert servers(running, "client", "203.0.113.1") == {*BOTH}


def test_affinity_is_persistence(running: VmLab) -> None:
    saved = running.exec("node/n1", "ipvsadm", "-Sn").splitlines()
    assert "-A -t 10.96.9.12:80 -s rr -p 10800" in saved
    assert "-A -t 10.96.9.1:80 -s rr" in saved


def test_an_endpoint_that_goes_keeps_its_connections(running: VmLab) -> None:
    """Weight 0 while it has one; gone soon after it has none; removed Services leave nothing."""
    manifest = service("leaving", ["remote-0"], clusterIP="10.96.9.30")
    running.run("apply", "-f", "-", text=manifest)
    held = running.submit("default/asker", sys.executable, "-c", HOLD, "10.96.9.30")
    until(lambda: real(running, "10.96.9.30").get(ADDRESSES["remote-0"]) == (1, 1))
    manifest = service("leaving", ["local-0"], clusterIP="10.96.9.30")
    running.run("apply", "-f", "-", text=manifest)
    assert real(running, "10.96.9.30")[ADDRESSES["remote-0"]] == (0, 1)
    assert servers(running, "pod", "10.96.9.30") == {"local-0"}
    running.exec("default/asker", "touch", "/tmp/go-on")
    assert held.result(60).stdout.split() == ["remote-0"] * 2
    until(lambda: ADDRESSES["remote-0"] not in real(running, "10.96.9.30"))
    running.run("delete", "endpointslice", "leaving-1")
    running.run("delete", "service", "leaving")
    assert not real(running, "10.96.9.30")


HOLD = """
import http.client, os, pathlib, socket, struct, sys, time
link = http.client.HTTPConnection(sys.argv[1], 80)
link.request("GET", "/hostname")
print(link.getresponse().read().decode())
while not pathlib.Path("/tmp/go-on").exists():
    time.sleep(0.1)
link.request("GET", "/hostname")
print(link.getresponse().read().decode())
link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
link.close()  # by a reset: IPVS forgets the connection after 10 s, not after minutes
"""


def until(holds: Any, limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.5)


def real(lab: VmLab, address: str) -> dict[str, tuple[int, int]]:
    """The real servers at port 80 of an address on n1: weight and connections of each."""
    found, here = {}, False
    for words in map(str.split, lab.exec("node/n1", "ipvsadm", "-Ln").splitlines()):
        if words[0] != "->":
            here = words[1] == f"{address}:80"
        elif here:
            found[words[1].partition(":")[0]] = int(words[3]), int(words[4]) + int(words[5])
    return found


def test_what_is_printed_is_what_is_loaded(running: VmLab) -> None:
    """Of all ports but those that other tests add and remove."""
    argv = ("plan", "--set", "nodes=2", "--proxy", "ipvs", "-o", "shell", "-f", "-")
    plan = running.run(*argv, text="\n---\n".join(SERVICES)).stdout
    for name in ("n1", "n2"):
        saved = running.exec(f"node/{name}", "ipvsadm", "-Sn").splitlines()
        part = plan.partition(f"# Services on node/{name}\n")[2].partition("\n# ")[0]
        wanted = part.partition("<<'SERVERS'\n")[2].partition("SERVERS\n")[0].splitlines()
        assert sorted(saved) == sorted(wanted)


def test_the_suite_of_services_passes(running: VmLab) -> None:
    done = running.run("conformance", "--suite", "services", "-o", "json", limit=300)
    assert all(one["passed"] for one in json.loads(done.stdout)["checks"])


EVEN = dict.fromkeys(("rr", "wrr", "lc", "wlc", "sed", "nq"), 300) | {"rr": 3000}
HASHED = dict.fromkeys(("sh", "dh"), 30)


def test_all_schedulers(vm: Vm) -> None:
    """``rr`` is exactly even, so chi-square is 0; hashes send one client to one endpoint."""
    program = str(Path(__file__).with_name("schedulers.py"))
    asked = json.dumps(EVEN | HASHED)
    done = vm.run(sys.executable, program, asked, limit=400, PYTHONPATH=str(ROOT))
    found = json.loads(done.stdout)
    for name, one in found.items():
        assert f"-A -t 10.96.0.7:80 -s {name}" in one["saved"]
        assert one["saved"].count("-m -w 1") == 3
    assert found["rr"]["connections"] == [1000] * 3
    for name in EVEN:
        assert sum(found[name]["connections"]) == EVEN[name]
    assert chisquare(found["wrr"]["connections"]).pvalue > 0.01
    for name in HASHED:
        assert sorted(found[name]["connections"]) == [0, 0, 30]
