"""Probes of containers with real processes, servers and namespaces."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import BoundPod
from testbed.cluster.backends import PodStatus
from testbed.kubelet.containers import Container
from testbed.kubelet.kubelet import Kubelet, PodRuntime
from testbed.kubelet.programs import Program
from testbed.objects import from_manifest
from testbed.plan.model import NamespacePlan

pytestmark = pytest.mark.kernel

PATIENCE = 10.0  # seconds that are never used up
FOREVER = "exec sleep 1000"
SETTLED = {"periodSeconds": 1, "failureThreshold": 1}

Probes = dict[str, Any]


class Server:
    """An HTTP server that does what the path says, and what requests it had."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.code = 200
        requests, server = self.requests, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append((self.path, dict(self.headers)))
                kind, _, rest = self.path[1:].partition("/")
                if kind == "slow":
                    time.sleep(1.5)
                code = {"code": lambda: int(rest), "to": lambda: 302}.get(kind, lambda: server.code)
                self.send_response(code())
                if kind == "to":
                    self.send_header("Location", rest)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def get(self, path: str, **more: Any) -> Probes:
        return {"httpGet": {"host": "127.0.0.1", "port": self.port, "path": path, **more}}

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Pods:
    """A kubelet, and pods whose containers run in the test's own namespaces."""

    folder: Path
    node: Callable[[], int | None] = lambda: None
    kubelet: Kubelet = field(default_factory=Kubelet)

    @cached_property
    def server(self) -> Server:
        return Server()

    def run(
        self, probes: Probes, script: str | None = FOREVER, name: str = "p", **spec: Any
    ) -> PodRuntime:
        """A started pod with one container; ``spec`` completes its specification."""
        container = {"name": "c", "image": "busybox", "ports": [], **probes}
        given = {"terminationGracePeriodSeconds": 2, **spec, "containers": [container]}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": given}
        pod: Any = from_manifest(manifest)
        argv = None if script is None else ("sh", "-c", script)
        variables = {"PATH": os.environ["PATH"], "FOLDER": str(self.folder)}
        programs = [
            Program("c", "busybox", argv, variables, str(self.folder), self.folder / "log"),
        ]
        bound = BoundPod(pod, "n1", "127.0.0.1")
        init = [
            Program(one.name, "busybox", ("sh", "-c", FOREVER), variables, None, self.folder / "i")
            for one in pod.spec.init_containers
        ]
        made = PodRuntime(
            bound, (init, programs), dict, self.kubelet.notify, self.node, self.kubelet.site
        )
        self.kubelet.start([made])
        return made

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        with self.kubelet.changed:
            assert self.kubelet.changed.wait_for(condition, seconds)

    def settled(self, pod: PodRuntime) -> bool:
        """Whether a pod is ready, once its probes have been asked."""
        self.kubelet.wait_settled([pod], PATIENCE)
        assert not pod.open
        return pod.ready

    def flag(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    made = Pods(tmp_path)
    yield made
    made.kubelet.stop(list(made.kubelet.pods))
    if "server" in made.__dict__:
        made.server.end()


def readiness(asked: Probes, **more: Any) -> Probes:
    return {"readinessProbe": {**SETTLED, **asked, **more}}


def command(*words: str) -> Probes:
    return {"exec": {"command": list(words)}}


CODES = [
    ("/code/200", True), ("/code/204", True), ("/code/304", True), ("/code/399", True),
    ("/code/400", False), ("/code/404", False), ("/code/500", False),
    ("/to//code/200", True), ("/to//code/500", False),
    ("/to/http://elsewhere.example/code/500", True),
    ("/slow", False),
]  # fmt: skip


def test_http(pods: Pods) -> None:
    asked = [(readiness(pods.server.get(path)), ready) for path, ready in CODES]
    made = [(pods.run(p, name=f"p{n}"), ready) for n, (p, ready) in enumerate(asked)]
    assert [pods.settled(pod) for pod, _ in made] == [ready for _, ready in made]


def test_redirects_in_a_circle_are_followed_ten_times(pods: Pods) -> None:
    path = "/to/" + "/to/" * 40 + "x"
    assert not pods.settled(pods.run(readiness(pods.server.get(path), initialDelaySeconds=1)))
    assert len(pods.server.requests) == 10


def test_what_a_request_says(pods: Pods) -> None:
    headers = [{"name": "X-A", "value": "b"}, {"name": "Host", "value": "web.example"}]
    port = [{"name": "www", "containerPort": pods.server.port}]
    asked = {"httpGet": {"port": "www", "path": "a?b=c", "httpHeaders": headers}}
    assert pods.settled(pods.run({**readiness(asked), "ports": port}))
    path, sent = pods.server.requests[0]
    assert path == "/a?b=c"
    assert sent == {
        "Host": "web.example",
        "X-A": "b",
        "User-Agent": "kube-probe/1.34",
        "Accept": "*/*",
        "Connection": "close",
    }


def test_a_header_cannot_add_another(pods: Pods) -> None:
    headers = [{"name": "X-A", "value": "b\r\nX-B: c"}]
    pod = pods.run(readiness(pods.server.get("/", httpHeaders=headers)))
    assert not pods.settled(pod)
    assert pods.server.requests == []


def test_nobodys_certificate_is_checked(pods: Pods) -> None:
    key, certificate = pods.flag("key.pem"), pods.flag("certificate.pem")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    named = ("-nodes", "-subj", "/CN=other.example", "-days", "1")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run([*made, *named, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(context)
    assert pods.settled(pods.run(readiness(server.get("/", scheme="HTTPS"))))
    server.end()


def test_a_port_that_opens_late_and_closes(pods: Pods) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pod = pods.run(readiness({"tcpSocket": {"port": port}}))
    assert not pods.settled(pod)
    (container,) = pod.containers
    assert container.health is not None
    (problem,) = container.health.problems
    assert problem == f"readiness probe: 127.0.0.1:{port}: Connection refused"
    with socket.create_server(("127.0.0.1", port)):
        pods.until(lambda: pod.ready)
        since = pod.ready_since
        assert container.health.problems == []
    pods.until(lambda: not pod.ready)
    assert pod.ready_since >= since
    assert pod.unready == ["c"]
    assert pod.status == PodStatus(ready=False)


def test_a_probe_asks_from_the_node(pods: Pods, kernel: Any) -> None:
    kernel.become(node_n1=NamespacePlan())
    node, run = kernel.executor.namespaces["node/n1"].descriptor, kernel.executor.within
    up = ["ip", "link", "set", "lo", "up"]
    run("node/n1", lambda: subprocess.run(up, check=True))
    pods.node = lambda: node
    with run("node/n1", lambda: socket.create_server(("127.0.0.1", 0))) as server:
        here = Path("/proc/thread-self/ns/net").readlink()
        pod = pods.run(readiness({"tcpSocket": {"port": server.getsockname()[1]}}))
        assert pods.settled(pod)
    assert Path("/proc/thread-self/ns/net").readlink() == here
    assert not pods.settled(pods.run(readiness(pods.server.get("/"))))  # it is not there


COMMANDS: list[tuple[tuple[str, ...], bool]] = [
    (("true",), True), (("false",), False), (("sh", "-c", "exit 3"), False),
    (("sh", "-c", 'test "$FOLDER" = "$PWD"'), True),  # the container's variables and folder
    (("test", "$(OWN)", "=", "x"), True),
    (("no-such-program",), False), (("sh", "-c", "sleep 1000"), False),
    (("sh", "-c", "kill -9 $$"), False),
]  # fmt: skip


def test_commands(pods: Pods) -> None:
    env = {"env": [{"name": "OWN", "value": "x"}]}
    asked = [({**readiness(command(*words)), **env}, ready) for words, ready in COMMANDS]
    made = [(pods.run(p, name=f"p{n}"), ready) for n, (p, ready) in enumerate(asked)]
    assert [pods.settled(pod) for pod, _ in made] == [ready for _, ready in made]


def test_a_command_that_takes_too_long_is_killed_with_its_children(pods: Pods) -> None:
    pids = pods.flag("pids")
    script = f"sleep 1000 & echo $$ $! > {pids}; wait"
    assert not pods.settled(pods.run(readiness(command("sh", "-c", script), periodSeconds=100)))
    for pid in pids.read_text().split():
        end = time.monotonic() + PATIENCE
        path = Path(f"/proc/{pid}/cmdline")
        while path.exists() and path.read_text():  # a zombie until its reaper comes
            assert time.monotonic() < end
            time.sleep(0.005)


def test_thresholds_and_period(pods: Pods) -> None:
    flag, asked = pods.flag("flag"), pods.flag("asked")
    script = f"echo >> {asked}; test -e {flag}"
    counts = {"successThreshold": 2, "failureThreshold": 2}
    flag.touch()
    began = time.monotonic()
    pod = pods.run(readiness(command("sh", "-c", script), **counts))
    pods.until(lambda: pod.ready)
    assert 0.95 < time.monotonic() - began < 3
    assert len(asked.read_text()) == 2
    flag.unlink()
    began = time.monotonic()
    pods.until(lambda: not pod.ready)
    assert 0.95 < time.monotonic() - began < 4
    assert len(asked.read_text()) == 4


def test_an_initial_delay(pods: Pods) -> None:
    began = time.monotonic()
    pod = pods.run(readiness(command("true"), initialDelaySeconds=1))
    assert not pod.ready
    assert pod.open
    pods.until(lambda: pod.ready)
    assert 0.95 < time.monotonic() - began < 3


def test_a_container_that_is_killed_is_not_ready_at_once(pods: Pods) -> None:
    pod = pods.run(readiness(command("true"), periodSeconds=100))
    pods.until(lambda: pod.ready)
    pid = pod.containers[0].pid
    assert pid is not None
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    pods.until(lambda: not pod.ready)
    assert time.monotonic() - began < 1
    assert pod.status == PodStatus(ready=False)


@pytest.mark.parametrize("policy", ["Always", "Never"])
def test_a_liveness_probe_ends_the_container(pods: Pods, policy: str) -> None:
    flag = pods.flag("alive")
    flag.touch()
    probe = {"livenessProbe": {**SETTLED, **command("test", "-e", str(flag))}}
    pod = pods.run(probe, restartPolicy=policy)
    (container,) = pod.containers
    assert pod.ready
    flag.unlink()
    pods.until(lambda: not container.running)
    ended = (container.state | container.last_state)["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (143, "Error")
    assert pod.phase == ("Running" if policy == "Always" else "Failed")
    assert pod.status.ended == (policy == "Never")


def test_whoever_does_not_listen_to_a_liveness_probe_is_killed(pods: Pods) -> None:
    probe = {**SETTLED, **command("false"), "terminationGracePeriodSeconds": 1}
    began = time.monotonic()
    script = "trap '' TERM; while :; do sleep 0.01; done"
    pod = pods.run({"livenessProbe": probe}, script, restartPolicy="Never")
    pods.until(lambda: pod.phase == "Failed")
    assert pod.containers[0].state["terminated"]["exitCode"] == 137
    assert 1.9 < time.monotonic() - began < 5  # the first question, and the grace period


def test_an_idle_container_is_started_again_too(pods: Pods) -> None:
    flag = pods.flag("dead")
    check = f"test ! -e {flag} || {{ rm {flag}; false; }}"
    pod = pods.run({"livenessProbe": {**SETTLED, **command("sh", "-c", check)}}, None)
    flag.touch()
    pods.until(lambda: pod.containers[0].restarts == 1)
    assert pod.ready


def test_until_a_startup_probe_is_good_nothing_else_is_asked(pods: Pods) -> None:
    up, asked = pods.flag("up"), pods.flag("asked")
    note = f"echo >> {asked}"
    pod = pods.run(
        {
            "startupProbe": {**SETTLED, "failureThreshold": 9, **command("test", "-e", str(up))},
            **readiness(command("sh", "-c", note)),
            "livenessProbe": {**SETTLED, **command("sh", "-c", f"{note}; test -e {up}")},
        }
    )
    assert not pods.settled(pod)
    (container,) = pod.containers
    assert container.running
    assert not container.started
    assert not asked.exists()
    up.touch()
    pods.until(lambda: pod.ready)
    assert container.started
    assert container.restarts == 0


def test_a_startup_probe_that_stays_bad_ends_the_container(pods: Pods) -> None:
    pod = pods.run({"startupProbe": {**SETTLED, **command("false")}}, restartPolicy="Never")
    pods.until(lambda: pod.phase == "Failed")


def test_a_sidecar_counts_and_the_others_wait_for_its_start(pods: Pods) -> None:
    up, flag = pods.flag("up"), pods.flag("flag")
    sidecar = {
        "name": "i", "image": "busybox", "restartPolicy": "Always",
        "startupProbe": {**SETTLED, "failureThreshold": 9, **command("test", "-e", str(up))},
        **readiness(command("test", "-e", str(flag))),
    }  # fmt: skip
    pod = pods.run({}, initContainers=[sidecar])
    assert not pods.settled(pod)
    assert "waiting" in pod.containers[0].state
    up.touch()
    pods.until(lambda: pod.containers[0].running)
    assert pod.unready == ["i"]
    flag.touch()
    pods.until(lambda: pod.ready)


def states(pod: PodRuntime, note: list[PodStatus]) -> Callable[[], None]:
    def listen() -> None:
        if not note or note[-1] != pod.status:
            note.append(pod.status)

    return listen


def test_a_pod_that_ends_serves_as_long_as_it_is_ready(pods: Pods) -> None:
    flag = pods.flag("flag")
    flag.touch()
    script = f"trap 'rm {flag}' TERM; echo up > ready; while :; do sleep 0.01; done"
    pod = pods.run(
        {
            **readiness(command("test", "-e", str(flag))),
            "livenessProbe": {**SETTLED, **command("test", "-e", str(flag))},
        },
        script,
        terminationGracePeriodSeconds=4,
    )
    pods.until(lambda: pod.ready and pods.flag("ready").exists())
    heard: list[PodStatus] = []
    pods.kubelet.listener = states(pod, heard)
    pods.kubelet.leave([pod.bound.key])
    began = time.monotonic()
    pods.kubelet.stop([pod.bound.key])
    assert 3.5 < time.monotonic() - began < 6  # the liveness probe does not shorten it
    assert heard == [
        PodStatus(ready=True, terminating=True),
        PodStatus(ready=False, terminating=True),
        PodStatus(ready=False, terminating=True, ended=True),
    ]
    assert pod.containers[0].state["terminated"]["exitCode"] == 137


def test_probes_end_with_their_container(pods: Pods) -> None:
    asked = pods.flag("asked")
    pod = pods.run(readiness(command("sh", "-c", f"echo >> {asked}; sleep 0.3")))
    pods.until(lambda: pod.ready)
    pods.kubelet.stop([pod.bound.key])
    before = asked.read_text()
    time.sleep(1.5)
    assert asked.read_text() == before
    container: Container = pod.containers[0]
    assert not container.ready
