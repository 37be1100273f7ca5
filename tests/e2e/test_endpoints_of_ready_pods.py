"""Pods leave and rejoin the endpoints by their readiness, their end and their deletion."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from labs import RunningLab, StartLab
from machine import Machine, until

pytestmark = pytest.mark.e2e

# Answers with its name, at /pid with its process; 500 at /health while a file says so. It does not
# listen to SIGTERM.
_SERVER = """
import http.server, os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
name = os.environ["HOSTNAME"]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        bad = self.path == "/health" and os.path.exists("/tmp/bad-" + name)
        self.send_response(500 if bad else 200)
        self.end_headers()
        self.wfile.write((str(os.getpid()) if self.path == "/pid" else name).encode())
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
_OFTEN = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 5}


def pod(name: str, app: str, probe: dict[str, Any] | None, grace: int = 0) -> str:
    container = {
        "name": "c",
        "image": "python",
        "command": ["python3", "-c", _SERVER],
        "ports": [{"name": "www", "containerPort": 8080}],
    }
    if probe is not None:
        container["readinessProbe"] = {**_OFTEN, **probe}
    metadata = {"name": name, "labels": {"app": app}}
    spec = {"terminationGracePeriodSeconds": grace, "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def service(app: str, address: str) -> str:
    spec = {
        "clusterIP": address,
        "selector": {"app": app},
        "ports": [{"port": 80, "targetPort": "www"}],
    }
    return json.dumps(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": app}, "spec": spec}
    )


HEALTH = {"httpGet": {"port": "www", "path": "/health"}}
FLAG = {"exec": {"command": ["sh", "-c", "test -e /tmp/ready-$HOSTNAME"]}}
MANIFESTS = (
    service("web", "10.96.9.1"),
    service("last", "10.96.9.2"),
    pod("http", "web", HEALTH),
    pod("other", "web", HEALTH),
    pod("going", "last", {"tcpSocket": {"port": "www"}}, grace=300),
)


@pytest.fixture(scope="module", params=["iptables", "nftables-flat"])
def running(shared_lab: StartLab, request: pytest.FixtureRequest) -> RunningLab:
    """A lab; ``up`` has waited until the pods are ready."""
    return shared_lab(
        manifests=MANIFESTS, settings=("nodes=2",), options=("--proxy", request.param)
    )


def get(lab: RunningLab, *kind: str) -> Any:
    return json.loads(lab.run("get", *kind, "-o", "json").stdout)


def conditions(lab: RunningLab, app: str) -> dict[str, dict[str, bool]]:
    """Pods → the conditions of their endpoints."""
    slices = get(lab, "endpointslices", "-l", f"kubernetes.io/service-name={app}")["items"]
    ends = [one for item in slices for one in item["endpoints"]]
    return {one["targetRef"]["name"]: one["conditions"] for one in ends}


def ready(lab: RunningLab, app: str) -> set[str]:
    return {name for name, found in conditions(lab, app).items() if found["ready"]}


def answers(lab: RunningLab, address: str, count: int = 12) -> set[str]:
    """Who answers to connections from a node."""
    urls = [f"http://{address}/{number}" for number in range(count)]
    separate = ("-s", "-m", "5", "-w", "\\n", "--no-keepalive", "-H", "Connection: close")
    return set(lab.exec("node/n1", "curl", *separate, *urls).split())


def condition(lab: RunningLab, name: str) -> dict[str, str]:
    found: list[dict[str, str]] = get(lab, "pod", name)["status"]["conditions"]
    return next(one for one in found if one["type"] == "Ready")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_server_that_turns_bad_leaves_and_comes_back(running: RunningLab) -> None:
    assert ready(running, "web") == answers(running, "10.96.9.1") == {"http", "other"}
    since = condition(running, "http")["lastTransitionTime"]
    until(lambda: now() > since, "another second: these times have no parts of it")
    running.exec("default/http", "touch", "/tmp/bad-http")
    until(lambda: ready(running, "web") == {"other"}, "http has left")
    unready = {"ready": False, "serving": False, "terminating": False}
    assert conditions(running, "web")["http"] == unready
    until(lambda: answers(running, "10.96.9.1") == {"other"}, "the proxies know")
    found = condition(running, "http")
    assert (found["status"], found["reason"]) == ("False", "ContainersNotReady")
    assert found["message"] == "containers with unready status: [c]"
    assert found["lastTransitionTime"] > since
    row = running.run("get", "pod", "http").stdout.splitlines()[1].split()
    assert row[1:4] == ["0/1", "Running", "0"]
    addresses = get(running, "endpoints", "web")["subsets"][0]
    assert [one["targetRef"]["name"] for one in addresses["notReadyAddresses"]] == ["http"]
    running.exec("default/http", "rm", "/tmp/bad-http")
    until(lambda: ready(running, "web") == {"http", "other"}, "http is back")
    until(lambda: answers(running, "10.96.9.1") == {"http", "other"}, "the proxies know")


def test_apply_waits_until_probes_have_answered(running: RunningLab) -> None:
    running.run("apply", "-f", "-", text=pod("quick", "web", HEALTH))
    assert ready(running, "web") == {"http", "other", "quick"}
    assert "quick" in answers(running, "10.96.9.1", 40)
    running.run("delete", "pod", "quick")
    assert conditions(running, "web").keys() == {"http", "other"}


def test_a_command_decides(running: RunningLab) -> None:
    running.run("apply", "-f", "-", text=pod("flag", "web", FLAG))
    assert ready(running, "web") == {"http", "other"}
    running.exec("default/flag", "touch", "/tmp/ready-flag")
    until(lambda: "flag" in ready(running, "web"), "flag is there")
    running.exec("default/flag", "rm", "/tmp/ready-flag")
    until(lambda: "flag" not in ready(running, "web"), "flag has left")
    running.run("delete", "pod", "flag")


def test_a_killed_container_leaves_at_once(running: RunningLab) -> None:
    """Not when its probe is asked again; it comes back when it is started again, after 10 s."""
    slow = {"tcpSocket": {"port": "www"}, "periodSeconds": 40}
    running.run("apply", "-f", "-", text=pod("victim", "web", slow))
    until(lambda: "victim" in ready(running, "web"), "victim is there")
    pid = running.exec("default/victim", "curl", "-s", "localhost:8080/pid")
    running.exec("default/victim", "kill", "-KILL", pid)
    until(lambda: "victim" not in ready(running, "web"), "victim has left", 9)
    until(lambda: "victim" not in answers(running, "10.96.9.1", 40), "the proxies know")
    running.run("delete", "pod", "victim")


@contextmanager
def deleting(lab: RunningLab, name: str) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=lab.run, args=("delete", "pod", name))
    thread.start()
    yield thread
    thread.join()


def test_a_pod_that_is_deleted_is_a_terminating_endpoint_until_it_ends(running: RunningLab) -> None:
    assert ready(running, "last") == {"going"}
    pid = running.exec("default/going", "curl", "-s", "localhost:8080/pid")
    terminating = {"ready": False, "serving": True, "terminating": True}
    with deleting(running, "going") as thread:
        until(lambda: conditions(running, "last").get("going") == terminating, "it is going")
        assert "deletionTimestamp" in get(running, "pods")["items"][-1]["metadata"]
        assert get(running, "endpoints", "last").get("subsets", []) == []
        assert answers(running, "10.96.9.2", 2) == {"going"}  # there is no other
        assert thread.is_alive()
        running.exec("default/going", "kill", "-KILL", pid)
    assert conditions(running, "last") == {}
    running.run("apply", "-f", "-", text=MANIFESTS[-1])


def test_up_says_which_probe_is_not_content(machine: Machine) -> None:
    manifest = machine.write("pods.yaml", pod("never", "web", {"exec": {"command": ["false"]}}))
    said = machine.testbed("up", "--timeout", "3", "-f", manifest, code=4).stderr
    assert "pod default/never is not ready: c: readiness probe: false: exit code 1" in said
