"""Pods in their node's network, by real connections: alone, and as endpoints of Services."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from labs import RunningLab, StartLab
from servicetraffic import ask

pytestmark = pytest.mark.e2e

NODES = {"host-1": ("n1", "192.168.0.11"), "host-2": ("n2", "192.168.0.12")}
PORT = 18080
PROBE = {"httpGet": {"path": "/healthz", "port": "web"}, "periodSeconds": 1}


def _pod(name: str, node: str, port: int, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": port}]
    args = ["netexec", f"--http-port={port}", f"--udp-port={port}"]
    container = {"name": "c", "image": "agnhost", "args": args, "ports": ports}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name.partition("-")[0]}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{**container, "readinessProbe": PROBE}],
            **spec,
        },
    }


def _service(name: str, address: str, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "p", "port": 80, "targetPort": "web"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "host"}, "clusterIP": address, "ports": ports, **spec},
    }


MANIFEST = yaml.safe_dump_all(
    [
        *(_pod(name, node, PORT, hostNetwork=True) for name, (node, _) in NODES.items()),
        _pod("asker", "n1", 8080),
        _service("both", "10.96.30.1"),
        _service("near", "10.96.30.2", internalTrafficPolicy="Local"),
    ]
)
WHO = {"n1", "n2"}
"""What the servers say who they are: a pod in its node's network has the node's host name."""


@pytest.fixture(scope="module", params=["vxlan iptables", "bgp nftables-flat"])
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    cni, proxy = request.param.split()
    options = ("--proxy", proxy)
    return shared_lab(cni=cni, manifests=(MANIFEST,), options=options, settings=("nodes=2",))


def answers(lab: RunningLab, source: str, address: str, port: int = 80) -> dict[str, set[str]]:
    """Who answers, and whom each of them sees."""
    probe = {"protocol": "TCP", "address": address, "port": port, "tries": 40, "want": [*WHO]}
    (outcomes,) = ask(lab, source, [probe])
    assert {one[0] for one in outcomes} == {"answered"}
    found: dict[str, set[str]] = {}
    for _, name, seen in outcomes:
        found.setdefault(name, set()).add(seen)
    return found


def test_it_has_its_nodes_address_and_namespace(running: RunningLab) -> None:
    for name, (node, address) in NODES.items():
        pod = json.loads(running.run("get", "pod", name, "-o", "json").stdout)
        assert pod["status"]["podIP"] == pod["status"]["hostIP"] == address
        assert pod["spec"]["containers"][0]["ports"][0]["hostPort"] == PORT
        shown = running.exec(f"default/{name}", "readlink", "/proc/self/ns/net")
        assert shown == running.exec(f"node/{node}", "readlink", "/proc/self/ns/net")
        assert running.exec(f"default/{name}", "hostname").strip() == node


def test_it_is_reached_at_its_nodes_address(running: RunningLab) -> None:
    for node, address in NODES.values():
        assert answers(running, "external/client", address, PORT).keys() == {node}
        assert answers(running, "default/asker", address, PORT).keys() == {node}


def test_it_is_an_endpoint(running: RunningLab) -> None:
    slices = json.loads(running.run("get", "endpointslices", "-o", "json").stdout)["items"]
    own = [s for s in slices if s["metadata"]["labels"]["kubernetes.io/service-name"] == "both"]
    found = {
        (end["nodeName"], *end["addresses"], end["conditions"]["ready"], s["ports"][0]["port"])
        for s in own
        for end in s["endpoints"]
    }
    assert found == {(node, address, True, PORT) for node, address in NODES.values()}


def test_services_lead_to_it_from_pods_nodes_and_itself(running: RunningLab) -> None:
    """From itself to itself, too, on the node that it is on."""
    for source in ("default/asker", "node/n1", "node/n2", "default/host-1"):
        assert answers(running, source, "10.96.30.1").keys() == WHO, source


def test_policy_local_keeps_to_the_node(running: RunningLab) -> None:
    assert answers(running, "default/asker", "10.96.30.2").keys() == {"n1"}
    assert answers(running, "default/host-2", "10.96.30.2").keys() == {"n2"}


def test_it_reaches_pods_as_its_node_does(running: RunningLab) -> None:
    pod = json.loads(running.run("get", "pod", "asker", "-o", "json").stdout)["status"]["podIP"]
    assert answers(running, "default/host-2", pod, 8080).keys() == {"asker"}


ENDING = "trap 'touch /tmp/ending-$(hostname)' TERM; echo up; while :; do sleep 0.1; done"
ASKED = {"exec": {"command": ["sh", "-c", "hostname >> /tmp/asked-ending"]}, "periodSeconds": 1}


def test_it_is_asked_for_its_readiness_until_it_has_ended(running: RunningLab) -> None:
    """By a command in its namespaces, which are its node's."""
    container = {"name": "c", "image": "busybox", "command": ["sh", "-c", ENDING]}
    spec = {"containers": [{**container, "readinessProbe": ASKED}]}
    ending = _pod("ending", "n2", 0, hostNetwork=True, terminationGracePeriodSeconds=4, **spec)
    running.run("apply", "-f", "-", text=yaml.safe_dump(ending))
    before = len(running.exec("node/n1", "cat", "/tmp/asked-ending").split())
    running.run("delete", "pod", "ending")
    asked = running.exec("node/n1", "cat", "/tmp/asked-ending").split()
    assert set(asked) == {"n2"}
    assert len(asked) >= before + 2  # 4 seconds, once a second
    running.exec("node/n1", "sh", "-c", "rm /tmp/asked-ending /tmp/ending-n2")


def test_its_port_is_taken_as_long_as_it_is_there(running: RunningLab) -> None:
    other = _pod("host-3", "n2", PORT, hostNetwork=True)
    done = running.run("apply", "-f", "-", text=yaml.safe_dump(other), code=2)
    assert "didn't have free ports for the requested pod ports" in done.stderr
    assert "host-3" not in running.run("get", "pods").stdout
    running.run("delete", "pod", "host-2")
    running.run("apply", "-f", "-", text=yaml.safe_dump(other))
    assert answers(running, "default/asker", "10.96.30.1").keys() == WHO
    running.run("delete", "pod", "host-3")
    again = _pod("host-2", "n2", PORT, hostNetwork=True)
    running.run("apply", "-f", "-", text=yaml.safe_dump(again))
    assert answers(running, "default/asker", "10.96.30.1").keys() == WHO
