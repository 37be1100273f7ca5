"""The real kubectl on a lab, by ``testbed kubeconfig``.

Every test is done with the kubectl on PATH and with that of ``testbed/go/kubectl``, as far as they
are there. The latter is built by ``python -m testbed.go.build kubectl``: minutes of compiling, so
tests do not do it by themselves.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from labs import RunningLab, StartLab
from test_api import IDLE, PODS

from testbed.go import build
from testbed.lab.client import Lab

FOUND = {"path": shutil.which("kubectl"), "built": build.cached(build.FOLDERS / "kubectl")}
PROGRAMS = {name: str(program) for name, program in FOUND.items() if program}
ABSENT = "no kubectl on PATH, and none built by `python -m testbed.go.build kubectl`"
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not PROGRAMS, reason=ABSENT)]
SECONDS = 60.0


class Client:
    """One kubectl on a lab, with a home of its own.

    Args:
        program: The kubectl.
        lab: The lab.
        home: Its folder.
    """

    def __init__(self, program: str, lab: RunningLab, home: Path) -> None:
        self.program, self.lab = program, lab
        config = home / "config"
        config.write_text(lab.run("kubeconfig").stdout)
        self._argv = [program, "--kubeconfig", str(config), "--cache-dir", str(home / "cache")]

    def run(self, *argv: str, code: int = 0) -> str:
        """What ``kubectl ARGV`` prints on both outputs."""
        done = subprocess.run(
            [*self._argv, *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def table(self, *argv: str) -> list[list[str]]:
        """The rows that ``kubectl get ARGV`` prints, without the titles."""
        return [line.split() for line in self.run("get", *argv).splitlines()[1:]]

    @contextmanager
    def start(self, *argv: str) -> Iterator[Iterator[str]]:
        """The lines of a kubectl that goes on until the end of the block."""
        with subprocess.Popen(
            [*self._argv, *argv], stdout=subprocess.PIPE, text=True, bufsize=1
        ) as process:
            assert process.stdout is not None
            try:
                yield iter(process.stdout.readline, "")
            finally:
                process.kill()


@pytest.fixture(scope="module", params=list(PROGRAMS.values()), ids=list(PROGRAMS))
def program(request: pytest.FixtureRequest) -> str:
    """Each kubectl."""
    return str(request.param)


@pytest.fixture(scope="module")
def kubectl(program: str, shared_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """It on a lab that tests leave as it is."""
    return Client(program, shared_lab(manifests=[PODS]), tmp_path_factory.mktemp("kubectl"))


def test_the_server_has_a_version_that_kubectl_reads(kubectl: Client) -> None:
    assert "Server Version: v1.34.0+testbed" in kubectl.run("version")


def test_pods_of_all_namespaces(kubectl: Client) -> None:
    lines = kubectl.run("get", "pods", "-A", "-o", "wide").splitlines()
    titles = "NAMESPACE NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
    assert " ".join(lines[0].split()) == titles
    items = json.loads(kubectl.lab.run("get", "pods", "-A", "-o", "json").stdout)["items"]
    expected = {
        (i["metadata"]["name"], "1/1", "Running", i["status"]["podIP"], i["spec"]["nodeName"])
        for i in items
    }
    rows = [line.split() for line in lines[1:]]
    assert {(r[1], r[2], r[3], r[6], r[7]) for r in rows} == expected
    assert len(expected) == 4


def test_nodes(kubectl: Client) -> None:
    rows = kubectl.table("nodes", "-o", "wide")
    assert [row[:3] for row in rows] == [[f"n{n}", "Ready", "<none>"] for n in (1, 2, 3)]
    assert [row[5] for row in rows] == ["192.168.0.11", "192.168.0.12", "192.168.0.13"]


def test_several_kinds_at_once(kubectl: Client) -> None:
    text = kubectl.run("get", "deploy,svc,endpointslices", "-A", "-o", "wide")
    assert "deployment.apps/echo" in text
    assert "service/echo" in text
    assert "endpointslice.discovery.k8s.io/echo-" in text


def test_selectors(kubectl: Client) -> None:
    assert len(kubectl.table("pods", "-l", "app=echo")) == 3
    assert [row[0] for row in kubectl.table("pods", "-l", "app notin (echo)")] == ["web"]
    on_n2 = kubectl.table("pods", "--field-selector", "spec.nodeName=n2,metadata.name!=web")
    assert [row[0].partition("-")[0] for row in on_n2] == ["echo"]
    said = kubectl.run("get", "pods", "--field-selector", "spec.nope=1", code=1)
    assert "field label not supported: spec.nope" in said


def test_a_list_in_parts(kubectl: Client) -> None:
    whole, parts = (
        kubectl.run("get", "pods", "-A", "-o", "name", f"--chunk-size={n}") for n in (0, 1)
    )
    assert whole == parts
    assert len(whole.splitlines()) == 4


def test_describe(kubectl: Client) -> None:
    pod = kubectl.run("describe", "pod", "web")
    assert "n2/192.168.0.12" in pod
    assert "Image:          nginx" in pod
    service = kubectl.run("describe", "svc", "echo")
    addresses = kubectl.table("pods", "-l", "app=echo", "-o", "wide")
    assert all(f"{row[5]}:8080" in service for row in addresses)
    assert "3 desired | 3 updated | 3 total | 3 available" in kubectl.run("describe", "deploy/echo")
    assert "InternalIP:  192.168.0.11" in kubectl.run("describe", "node", "n1")


def test_waiting(kubectl: Client) -> None:
    kubectl.run("wait", "--for=condition=Ready", "pod", "--all", "--timeout=10s")
    said = kubectl.run("rollout", "status", "deploy/echo", "--timeout=10s")
    assert "successfully rolled out" in said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("get", "pod", "nope"), 'pods "nope" not found'),
        (("get", "wishes"), "doesn't have a resource type"),
        (("delete", "pod", "web"), "use `testbed apply` and `testbed delete`"),
        (("label", "node", "n1", "a=b"), "use `testbed apply` and `testbed delete`"),
        (("run", "x", "--image=nginx"), "use `testbed apply` and `testbed delete`"),
    ],
)
def test_errors(kubectl: Client, argv: tuple[str, ...], words: str) -> None:
    assert words in kubectl.run(*argv, code=1)


def test_watching_a_pod_die(program: str, lab: StartLab, tmp_path: Path) -> None:
    started = lab(manifests=[PODS])
    client = Client(program, started, tmp_path)
    with client.start("get", "pod", "web", "-w") as lines:
        next(lines)
        assert next(lines).split()[:3] == ["web", "1/1", "Running"]
        process = Lab(started.name).ask("processes")["default/web"]["nginx"]
        started.run("exec", "node/n1", "--", "kill", "-9", str(process))
        seen = [next(lines).split()[:4]]
        while seen[-1][2] != "CrashLoopBackOff":
            seen.append(next(lines).split()[:4])
        assert {tuple(row[:2]) for row in seen} == {("web", "0/1")}
        started.run("delete", "pod", "web")
        assert next(lines).split()[2] == "Terminating"


def test_watching_pods_come(program: str, lab: StartLab, tmp_path: Path) -> None:
    started = lab(manifests=[IDLE.replace("NAME", "first")])
    client = Client(program, started, tmp_path)
    with client.start("get", "pods", "-w", "-o", "name") as lines:
        assert next(lines) == "pod/first\n"
        started.run("apply", "-f", "-", text=IDLE.replace("NAME", "second"))
        assert next(lines) == "pod/second\n"


def test_inside_a_lab_it_needs_no_file(kubectl: Client) -> None:
    argv = (kubectl.program, "-s", "http://127.0.0.1:6443", "--cache-dir", "/tmp/kubectl")
    names = kubectl.lab.exec("node/n1", *argv, "get", "nodes", "-o", "name").split()
    assert names == ["node/n1", "node/n2", "node/n3"]
