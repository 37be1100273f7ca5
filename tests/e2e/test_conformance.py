"""``testbed conformance`` passes on every mode, and fails for the right reason when one is broken.

The labs are those of all tests here; a test that breaks one repairs it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from labs import TESTBED, RunningLab, StartLab

pytestmark = pytest.mark.e2e

PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: duo}
spec:
  nodeName: n1
  terminationGracePeriodSeconds: 1
  containers:
    - {name: a, image: busybox, command: [sleep, infinity]}
    - {name: b, image: busybox, command: [sleep, infinity]}
"""

CHECKS = [
    "pod-addresses",
    "pod-to-pod-tcp",
    "pod-to-pod-udp",
    "pod-to-pod-icmp",
    "node-to-pod-tcp",
    "node-to-pod-icmp",
    "pod-to-own-node-tcp",
    "pod-to-own-node-icmp",
    "no-nat",
    "unassigned-address",
    "path-mtu",
    "localhost",
]
NODES_AND_PODS = [*CHECKS[1:6]]


def _conform(lab: RunningLab, code: int | None = 0) -> dict[str, Any]:
    """The checks by name; the command's exit code is asserted."""
    said = json.loads(lab.run("conformance", "-o", "json", code=code).stdout)
    assert said["suite"] == "network-model"
    assert said["passed"] == (code == 0)
    return {check["name"]: check for check in said["checks"]}


def _failed(lab: RunningLab) -> dict[str, list[str]]:
    """Check → failures, of a lab that is broken."""
    checks = _conform(lab, code=1)
    assert all(check["passed"] != bool(check["failures"]) for check in checks.values()), checks
    return {name: check["failures"] for name, check in checks.items() if check["failures"]}


@pytest.mark.parametrize(
    ("topology", "cni"),
    [
        ("single", "vxlan"),
        ("single", "host-gw"),
        ("single", "bgp"),
        ("twozone", "vxlan"),
        ("twozone", "bgp"),
        ("leafspine", "vxlan"),
        ("leafspine", "bgp"),
        ("sdn", "vxlan"),
        ("sdn", "host-gw"),
        ("sdn", "bgp"),
    ],
)
def test_every_mode_conforms(shared_lab: StartLab, topology: str, cni: str) -> None:
    checks = _conform(shared_lab(topology=topology, cni=cni, manifests=(PODS,)))
    assert list(checks) == CHECKS
    assert all(check["passed"] for check in checks.values()), checks
    assert checks["pod-addresses"]["count"] >= 7
    pods = checks["pod-addresses"]["count"]
    assert checks["pod-to-pod-tcp"]["count"] == pods * (pods - 1)
    assert checks["localhost"]["count"] in (2, 4)  # two pods if a node lacks some


def test_an_empty_lab_gets_pods_for_the_time_of_the_suite(lab: StartLab) -> None:
    empty = lab(settings=["nodes=2"])
    checks = _conform(empty)
    assert all(check["passed"] for check in checks.values()), checks
    assert checks["pod-addresses"]["count"] == 4
    assert json.loads(empty.run("get", "pods", "-A", "-o", "json").stdout)["items"] == []
    namespaces = empty.run("get", "namespaces", "-o", "name").stdout
    assert "conformance" not in namespaces


def test_one_node_alone_has_no_path_to_another(lab: StartLab) -> None:
    checks = _conform(lab(settings=["nodes=1"]))
    skipped = {name: check for name, check in checks.items() if check["skipped"]}
    assert list(skipped) == ["path-mtu"]
    assert skipped["path-mtu"]["reason"] == "all pods are on one node"
    assert not skipped["path-mtu"]["passed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_suite_leaves_no_pods(lab: StartLab, number: signal.Signals) -> None:
    broken = lab(settings=["nodes=2"])
    broken.exec("node/n1", "ip", "route", "del", "10.244.2.0/24")  # so that it takes seconds
    running = subprocess.Popen(
        [*TESTBED, "--lab", broken.name, "conformance"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert b"pod-addresses" in running.stdout.readline()
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert b"Traceback" not in said
    assert json.loads(broken.run("get", "pods", "-A", "-o", "json").stdout)["items"] == []


def test_two_labs_of_the_same_kind_conform_at_once(lab: StartLab) -> None:
    both = [lab(topology="leafspine", cni="bgp", manifests=[PODS]) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for checks in pool.map(_conform, both):
            assert all(check["passed"] for check in checks.values()), checks


@contextmanager
def _broken(lab: RunningLab, target: str, breaks: str, repairs: str) -> Iterator[None]:
    lab.exec(target, *breaks.split())
    try:
        yield
    finally:
        lab.exec(target, *repairs.split())


@pytest.fixture
def bridged(shared_lab: StartLab) -> RunningLab:
    return shared_lab(topology="single", cni="vxlan", manifests=(PODS,))


def test_a_missing_route_is_found_from_both_sides_within_seconds(bridged: RunningLab) -> None:
    route = "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink"
    began = time.monotonic()
    with _broken(bridged, "node/n1", f"ip route del {route}", f"ip route add {route}"):
        failed = _failed(bridged)
    assert time.monotonic() - began < 60  # not the minutes that TCP would try
    assert list(failed) == NODES_AND_PODS
    for failure in failed["pod-to-pod-icmp"]:
        assert {part.rpartition(", ")[2] for part in failure.split(")")[:2]} == {"n1", "n2"}
    udp = failed["pod-to-pod-udp"]
    assert all("did not arrive" in failure for failure in udp if ", n1) → " in failure), udp
    assert all("no answer came back" in failure for failure in udp if ", n2) → " in failure), udp
    assert any("no answer to SYN within" in failure for failure in failed["pod-to-pod-tcp"])
    assert all(failure.startswith("node/n1") for failure in failed["node-to-pod-tcp"])


@pytest.mark.parametrize(
    ("protocol", "checks"),
    [
        ("tcp", ["pod-to-pod-tcp", "node-to-pod-tcp"]),
        ("udp", ["pod-to-pod-udp"]),
        ("icmp", ["pod-to-pod-icmp", "node-to-pod-icmp"]),
    ],
)
def test_a_dropped_protocol_fails_its_own_checks(
    bridged: RunningLab, protocol: str, checks: list[str]
) -> None:
    rule = f"FORWARD -p {protocol} -d 10.244.2.0/24 -j DROP"
    with _broken(bridged, "node/n2", f"iptables -I {rule}", f"iptables -D {rule}"):
        failed = _failed(bridged)
    assert list(failed) == checks
    assert all("10.244.2." in failure for failure in failed[checks[0]])


def test_a_masquerade_rule_is_seen_as_nat_and_nothing_else(bridged: RunningLab) -> None:
    rule = "POSTROUTING -s 10.244.1.0/24 -d 10.244.2.0/24 -j MASQUERADE"
    with _broken(bridged, "node/n1", f"iptables -t nat -I {rule}", f"iptables -t nat -D {rule}"):
        failed = _failed(bridged)
    assert list(failed) == ["no-nat"]
    for protocol in ("TCP", "UDP", "ICMP"):
        own = [failure for failure in failed["no-nat"] if f"by {protocol}:" in failure]
        assert own, failed
        assert all("the receiver sees 10.244.1.0 instead of 10.244.1." in line for line in own)


@pytest.mark.parametrize(
    ("cni", "target", "device"),
    [
        ("vxlan", "default/duo", "eth0"),
        ("vxlan", "node/n2", "cni0"),
        ("host-gw", "default/duo", "eth0"),
        ("host-gw", "node/n3", "n3-eth0"),
    ],
)
def test_a_smaller_mtu_is_found_at_pod_bridge_and_underlay(
    shared_lab: StartLab, cni: str, target: str, device: str
) -> None:
    narrow = shared_lab(topology="single", cni=cni, manifests=(PODS,))
    before = json.loads(narrow.exec(target, "ip", "-j", "link", "show", device))[0]["mtu"]
    smaller = f"ip link set {device} mtu {before - 1}"
    with _broken(narrow, target, smaller, f"ip link set {device} mtu {before}"):
        failed = _failed(narrow)
    assert list(failed) == ["path-mtu"]
    where = "default/duo" if target == "default/duo" else target.removeprefix("node/")
    assert all(where in failure for failure in failed["path-mtu"]), failed
    if target == "default/duo":
        assert any("EMSGSIZE" in failure for failure in failed["path-mtu"])
        assert any(f"MSS of {before - 41} bytes" in failure for failure in failed["path-mtu"])


def test_a_larger_mtu_than_promised_is_found(shared_lab: StartLab) -> None:
    routed = shared_lab(topology="single", cni="host-gw", manifests=(PODS,))
    with _broken(routed, "default/duo", "ip link set eth0 mtu 1600", "ip link set eth0 mtu 1500"):
        failed = _failed(routed)
    assert list(failed) == ["path-mtu"]
    assert any("offers an MSS of 1560 bytes" in failure for failure in failed["path-mtu"])


def test_a_pod_without_its_address_is_named(lab: StartLab) -> None:
    robbed = lab(settings=["nodes=2"], manifests=[PODS])
    address = json.loads(robbed.run("get", "pods", "duo", "-o", "json").stdout)["status"]["podIP"]
    robbed.exec("default/duo", *f"ip address del {address}/24 dev eth0".split())
    failed = _failed(robbed)
    assert failed["pod-addresses"] == [
        f"default/duo ({address}, n1): its namespace has no such address"
    ]
    assert all("default/duo" in line for lines in failed.values() for line in lines), failed


def test_containers_without_loopback_fail_localhost(bridged: RunningLab) -> None:
    with _broken(bridged, "default/duo", "ip link set lo down", "ip link set lo up"):
        failed = _failed(bridged)
    assert list(failed) == ["localhost"]
    assert "default/duo[a] (127.0.0.1, n1) → default/duo[b]" in failed["localhost"][0]


def test_packets_that_go_round_are_found(lab: StartLab) -> None:
    looped = lab(cni="host-gw", settings=["nodes=2"])
    looped.exec("node/n2", "ip", "route", "add", "10.244.2.254/32", "via", "192.168.0.11")
    assert list(_failed(looped)) == ["unassigned-address"]


def test_bad_names_are_refused(shared_lab: StartLab) -> None:
    running = shared_lab(topology="single", cni="vxlan", manifests=(PODS,))
    said = running.run("conformance", "--suite", "network-modl", code=2).stderr
    assert "Did you mean 'network-model'?" in said
    done = subprocess.run(
        [*TESTBED, "--lab", f"{running.name}-none", "conformance"], capture_output=True, check=False
    )
    assert done.returncode == 4
