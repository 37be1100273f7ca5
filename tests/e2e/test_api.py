"""The Kubernetes API of a running lab, by HTTP: from a pod, a node, and outside."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from labs import RunningLab, StartLab
from machine import Machine

from testbed.errors import LabError
from testbed.lab.client import Lab
from testbed.release import KUBERNETES

pytestmark = pytest.mark.e2e

PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 3
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec: {containers: [{name: agnhost, image: agnhost, args: [netexec]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {nodeName: n2, containers: [{name: nginx, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {selector: {app: echo}, ports: [{port: 80, targetPort: 8080}]}
"""
IDLE = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec: {containers: [{name: c, image: pause}]}
"""
SECONDS = 30.0


class Outside(http.client.HTTPConnection):
    """A connection to a lab's API by its UNIX socket."""

    def __init__(self, lab: str) -> None:
        super().__init__("lab", timeout=SECONDS)
        self._lab = lab

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(f"\0testbed/{os.geteuid()}/{self._lab}/api")


def get(lab: str, path: str) -> dict[str, Any]:
    """The JSON at a path."""
    client = Outside(lab)
    client.request("GET", path)
    found: dict[str, Any] = json.loads(client.getresponse().read())
    client.close()
    return found


@contextmanager
def watch(lab: str, path: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a watch."""
    client = Outside(lab)
    client.request("GET", path)
    answer = client.getresponse()
    assert answer.status == 200
    yield (json.loads(line) for line in answer)
    client.close()


def api_process(lab: RunningLab) -> int | None:
    """The API's process, as this machine numbers it."""
    supervisor = Lab(lab.name).pid
    todo = [supervisor]
    while todo:
        pid = todo.pop()
        with_threads = Path(f"/proc/{pid}/task").glob("*/children")
        children = [int(child) for path in with_threads for child in path.read_text().split()]
        for child in children:
            if b"\0testbed.api\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        todo += children
    return None


@pytest.fixture(scope="module")
def echo(shared_lab: StartLab) -> RunningLab:
    """A lab with a Deployment, a pod and a Service, which tests leave as it is."""
    return shared_lab(manifests=[PODS])


def test_pods_and_nodes_reach_it_on_every_node(echo: RunningLab) -> None:
    addresses = [
        entry["address"]
        for node in get(echo.name, "/api/v1/nodes")["items"]
        for entry in node["status"]["addresses"]
        if entry["type"] == "InternalIP"
    ]
    assert len(addresses) == 3
    for address in addresses:
        for target in ("default/web", "node/n1"):
            said = echo.exec(target, "curl", "-sS", f"http://{address}:6443/api/v1/pods")
            assert json.loads(said)["kind"] == "PodList"
    local = echo.exec("node/n3", "curl", "-sS", "http://127.0.0.1:6443/version")
    assert json.loads(local)["major"] == "1"


@pytest.mark.parametrize(
    ("path", "plural"),
    [
        ("/api/v1/pods", "pods"),
        ("/api/v1/nodes", "nodes"),
        ("/api/v1/namespaces", "namespaces"),
        ("/api/v1/services", "services"),
        ("/api/v1/endpoints", "endpoints"),
        ("/apis/apps/v1/deployments", "deployments"),
        ("/apis/discovery.k8s.io/v1/endpointslices", "endpointslices"),
    ],
)
def test_it_says_what_get_says(echo: RunningLab, path: str, plural: str) -> None:
    printed = json.loads(echo.run("get", plural, "-A", "-o", "json").stdout)["items"]
    served = get(echo.name, path)["items"]
    assert served
    assert {i["metadata"]["name"]: i for i in served} == {i["metadata"]["name"]: i for i in printed}


def test_every_object_is_one_that_kubernetes_schema_knows(echo: RunningLab) -> None:
    import kubernetes_validate

    major_minor = ".".join(map(str, KUBERNETES))
    seen = set()
    roots = ["/api/v1"]
    for group in get(echo.name, "/apis")["groups"]:
        roots += [f"/apis/{entry['groupVersion']}" for entry in group["versions"]]
    for root in roots:
        for resource in get(echo.name, root)["resources"]:
            for item in get(echo.name, f"{root}/{resource['name']}")["items"]:
                kubernetes_validate.validate(item, major_minor, strict=True)
                assert {"uid", "resourceVersion", "creationTimestamp"} <= item["metadata"].keys()
                for owner in item["metadata"].get("ownerReferences", ()):
                    assert owner["uid"]
                seen.add(resource["name"])
    assert {"pods", "nodes", "deployments", "services", "endpointslices", "servicecidrs"} <= seen


def test_versions_stay_while_nothing_happens(echo: RunningLab) -> None:
    first, again = (get(echo.name, "/api/v1/pods") for _ in range(2))
    assert first == again
    versions = [int(item["metadata"]["resourceVersion"]) for item in first["items"]]
    assert len(set(versions)) == len(versions) == 4
    assert max(versions) <= int(first["metadata"]["resourceVersion"])


def test_the_kubeconfig_leads_to_it_by_loopback(echo: RunningLab) -> None:
    config = yaml.safe_load(echo.run("kubeconfig").stdout)
    assert config == yaml.safe_load(echo.run("kubeconfig").stdout)
    assert config["current-context"] == echo.name
    server = config["clusters"][0]["cluster"]["server"]
    host, _, port = server.removeprefix("http://").partition(":")
    assert host == "127.0.0.1"
    client = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
    client.request("GET", "/api/v1/namespaces/default/pods/web")
    assert json.loads(client.getresponse().read())["spec"]["nodeName"] == "n2"
    client.close()
    stranger = socket.socket()
    os.fchown(stranger.fileno(), 65534, 65534)
    stranger.connect((host, int(port)))
    with stranger, pytest.raises(ConnectionError):
        stranger.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert not stranger.recv(100)
        raise ConnectionResetError


def test_the_kubeconfig_for_inside_leads_to_it_from_pods(echo: RunningLab) -> None:
    config = yaml.safe_load(echo.run("kubeconfig", "--inside").stdout)
    server = config["clusters"][0]["cluster"]["server"]
    assert echo.exec("default/web", "curl", "-sS", f"{server}/readyz") == "ok"


def listening(machine: Machine) -> set[str]:
    """Local addresses of the TCP and UDP sockets of a machine that listen."""
    lines = [
        line.split()
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/{machine.init}/net/{table}").read_text().splitlines()[1:]
    ]
    return {columns[1] for columns in lines if columns[3] in ("0A", "07")}


def test_nothing_listens_outside_unless_asked_and_not_after_the_end(machine: Machine) -> None:
    machine.testbed("up", "-f", machine.write("pods.yaml", PODS))
    socket_ = f"testbed/{os.geteuid()}/default/api"
    url = "http://lab/api/v1/pods"
    said = machine.run("curl", "-sS", "--abstract-unix-socket", socket_, url).stdout
    assert json.loads(said)["kind"] == "PodList"
    assert listening(machine) == set()
    config = yaml.safe_load(machine.testbed("kubeconfig").stdout)
    server = config["clusters"][0]["cluster"]["server"]
    assert listening(machine) == {f"0100007F:{int(server.rpartition(':')[2]):04X}"}
    assert machine.run("curl", "-sS", f"{server}/readyz").stdout == "ok"
    assert machine.labs() == ["default"]
    machine.testbed("down")
    assert listening(machine) == set()
    assert "@testbed/" not in machine.sockets


def test_a_lab_that_nobody_asks_has_no_such_process(lab: StartLab) -> None:
    started = lab(manifests=[IDLE.replace("NAME", "p")])
    started.run("get", "pods", "-o", "json")
    assert api_process(started) is None
    get(started.name, "/api")
    assert api_process(started) is not None


def test_a_watch_tells_a_pods_life(lab: StartLab) -> None:
    started = lab()
    at = get(started.name, "/api/v1/pods")["metadata"]["resourceVersion"]
    with watch(started.name, f"/api/v1/pods?watch=1&resourceVersion={at}") as events:
        started.run("apply", "-f", "-", text=IDLE.replace("NAME", "p"))
        seen = [next(events)]
        while seen[-1]["object"]["status"]["phase"] != "Running":
            seen.append(next(events))
        started.run("delete", "pod", "p")
        while seen[-1]["type"] != "DELETED":
            seen.append(next(events))
    assert seen[0]["type"] == "ADDED"
    assert {event["object"]["metadata"]["uid"] for event in seen} == {
        seen[0]["object"]["metadata"]["uid"]
    }
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert versions[0] > int(at)
    assert "deletionTimestamp" in seen[-1]["object"]["metadata"]
    assert get(started.name, "/api/v1/namespaces/default/pods/p")["code"] == 404


def test_a_process_that_dies_is_told_and_its_service_loses_it(lab: StartLab) -> None:
    started = lab(manifests=[PODS])
    pods = get(started.name, "/api/v1/pods?labelSelector=app%3Decho")
    victim = pods["items"][0]
    path = "/apis/discovery.k8s.io/v1/endpointslices"
    slices = get(started.name, path)
    query = f"?watch=1&resourceVersion={slices['metadata']['resourceVersion']}"
    name = victim["metadata"]["name"]
    field = f"&fieldSelector=metadata.name%3D{name}"
    with (
        watch(started.name, path + query) as changes,
        watch(started.name, "/api/v1/pods" + query + field) as events,
    ):
        process = Lab(started.name).ask("processes")[f"default/{name}"]
        started.run("exec", "node/n1", "--", "kill", "-9", str(process["agnhost"]))
        event = next(events)
        assert event["object"]["status"]["containerStatuses"][0]["ready"] is False
        ready = [
            endpoint["addresses"][0]
            for endpoint in next(changes)["object"]["endpoints"]
            if endpoint["conditions"]["ready"]
        ]
    assert victim["status"]["podIP"] not in ready
    assert len(ready) == 2


def test_a_pod_that_is_made_again_is_another_one(lab: StartLab) -> None:
    started = lab(manifests=[IDLE.replace("NAME", "p")])
    path = "/api/v1/namespaces/default/pods/p"
    first = get(started.name, path)["metadata"]
    started.run("delete", "pod", "p")
    started.run("apply", "-f", "-", text=IDLE.replace("NAME", "p"))
    second = get(started.name, path)["metadata"]
    assert first["uid"] != second["uid"]
    assert int(first["resourceVersion"]) < int(second["resourceVersion"])


def test_the_lab_outlives_the_process_and_starts_another(lab: StartLab) -> None:
    started = lab(manifests=[PODS])
    before = get(started.name, "/api/v1/pods")
    server = yaml.safe_load(started.run("kubeconfig").stdout)["clusters"][0]["cluster"]["server"]
    at = before["metadata"]["resourceVersion"]
    with watch(started.name, f"/api/v1/pods?watch=1&resourceVersion={at}") as events:
        process = api_process(started)
        assert process is not None
        os.kill(process, signal.SIGKILL)
        assert next(events, None) is None
    assert started.exec("default/web", "hostname").strip() == "web"
    assert get(started.name, "/api/v1/pods")["items"] == before["items"]
    assert api_process(started) not in (None, process)
    said = started.exec("default/web", "curl", "-sS", "http://192.168.0.11:6443/readyz")
    assert said == "ok"
    client = http.client.HTTPConnection(server.removeprefix("http://"), timeout=SECONDS)
    client.request("GET", "/readyz")
    assert client.getresponse().read() == b"ok"
    client.close()


def test_a_flood_from_a_pod_leaves_the_lab_and_its_owner_alone(lab: StartLab) -> None:
    started = lab(manifests=[PODS])
    flood = (
        "import resource, socket, time\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n"
        "held = []\n"
        "for n in range(2000):\n"
        "    held.append(socket.create_connection(('192.168.0.11', 6443)))\n"
        "    held[-1].send(b'GET /api/v1/pods?watch=1 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "print(len(held))\n"
        "time.sleep(600)\n"
    )
    with Lab(started.name).popen("default/web", ["python3", "-uc", flood], stdout=-1) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert get(started.name, "/api/v1/pods")["kind"] == "PodList"
        started.run("apply", "-f", "-", text=IDLE.replace("NAME", "p"))
        assert get(started.name, "/api/v1/namespaces/default/pods/p")["kind"] == "Pod"
        other = started.exec("node/n2", "curl", "-sS", "http://127.0.0.1:6443/readyz")
        pid = api_process(started)
        status = Path(f"/proc/{pid}/status").read_text()
        process.kill()
    assert other == "ok"
    assert said  # 2000 connections, or it was refused before
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 200 << 10, "KiB of memory"


def test_no_api_of_a_lab_that_does_not_run() -> None:
    with pytest.raises(LabError):
        Lab("no-such-lab").api_port()
