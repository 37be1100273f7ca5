"""The suite ``ingress`` on labs with a controller, without one, and with one that is broken."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from ingresslab import apply, echo
from ingressproxy import ingress
from labs import RunningLab, StartLab

pytestmark = pytest.mark.e2e

CHECKS = [
    "addresses", "hosts", "paths", "balancing", "certificates", "forwarded", "changes",
    "own-ingresses",
]  # fmt: skip


def checks(running: RunningLab, code: int) -> list[dict[str, Any]]:
    argv = ("conformance", "--suite", "ingress", "-o", "json")
    found: list[dict[str, Any]] = json.loads(running.run(*argv, code=code).stdout)["checks"]
    assert [one["name"] for one in found] == CHECKS
    return found


@pytest.mark.parametrize("controller", ["nginx", "haproxy"])
def test_it_passes_says_what_is_broken_and_leaves_nothing(lab: StartLab, controller: str) -> None:
    if not shutil.which(controller, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{controller} is not on this machine")
    running = lab(settings=("nodes=2",), options=("--ingress", controller, "--proxy", "iptables"))
    notes = {"app-root": "/app"}
    own = [ingress("own", ("own.test", "/", "web"), ("", "/any", "web"), annotations=notes)]
    own += [ingress("none", ("none.test", "/", "nobody"), default="web"), *echo("web", [80])]
    apply(running, own)
    found = checks(running, 0)
    assert all(one["passed"] for one in found), found
    assert found[-1]["count"] == 3
    assert "conformance-" not in running.run("get", "namespaces").stdout
    controllers = running.run("get", "pods", "-A", "-o", "wide").stdout.splitlines()
    (node,) = (line.split()[-1] for line in controllers if "controller" in line)
    broken = "iptables -I FORWARD -p tcp --dport 3000 -j REJECT --reject-with tcp-reset"
    running.exec(f"node/{node}", *broken.split())
    failed = {one["name"]: one["failures"] for one in checks(running, 1) if not one["passed"]}
    assert {"hosts", "paths", "own-ingresses"} <= failed.keys()
    assert any("default/own" in text for text in failed["own-ingresses"])


def test_without_a_controller_it_checks_nothing(shared_lab: StartLab) -> None:
    plain = shared_lab(settings=("nodes=2",))
    assert all(one["skipped"] and not one["passed"] for one in checks(plain, 0))
