"""The conformance suite ``services``: it passes where Services work, and says where they do not."""

from __future__ import annotations

import json

import pytest
from labs import RunningLab, StartLab

pytestmark = pytest.mark.e2e

CHECKS = [
    "cluster-ip-tcp", "cluster-ip-udp", "node-port", "no-endpoints", "hairpin", "client-affinity",
    "internal-local",
]  # fmt: skip


def checks(running: RunningLab, code: int) -> list[dict[str, object]]:
    argv = ("conformance", "--suite", "services", "-o", "json")
    found: list[dict[str, object]] = json.loads(running.run(*argv, code=code).stdout)["checks"]
    assert [one["name"] for one in found] == CHECKS
    return found


def test_it_passes_and_then_tells_what_is_broken(lab: StartLab) -> None:
    running = lab(options=("--proxy", "iptables"), settings=("nodes=2",))
    assert all(one["passed"] for one in checks(running, 0))
    assert "conformance-" not in running.run("get", "namespaces").stdout
    running.exec("node/n2", "iptables", "-t", "nat", "-D", "POSTROUTING", "1")
    running.exec("node/n2", "iptables", "-t", "nat", "-F", "OUTPUT")
    broken = [one for one in checks(running, 1) if not one["passed"]]
    assert "cluster-ip-tcp" in {one["name"] for one in broken}
    assert all("node/n2" in str(one["failures"]) for one in broken)


def test_without_a_proxy_it_checks_nothing(shared_lab: StartLab) -> None:
    running = shared_lab(settings=("nodes=2",))
    assert all(one["skipped"] and not one["passed"] for one in checks(running, 0))
