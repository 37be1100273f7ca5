"""Containers and kubelets with real processes: policies, states, init containers, and the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import BoundPod
from testbed.kubelet import containers
from testbed.kubelet.kubelet import Kubelet, PodRuntime
from testbed.kubelet.programs import Program
from testbed.objects import from_manifest
from testbed.plan.model import NamespacePlan

pytestmark = pytest.mark.kernel

PATIENCE = 5.0  # seconds that are never used up
ENVIRONMENT = {"PATH": os.environ["PATH"], "GREETING": "hello"}
FOREVER = "exec sleep 1000"

Make = Callable[..., PodRuntime]


class Pods:
    """A kubelet, and pods whose containers run shell scripts in the test's own namespaces."""

    def __init__(self, folder: Path) -> None:
        self.kubelet = Kubelet()
        self.folder = folder

    def program(self, name: str, script: str | None, folder: str | None = None) -> Program:
        argv = None if script is None else ("sh", "-c", script)
        return Program(name, "busybox", argv, ENVIRONMENT, folder, self.folder / f"{name}.log")

    def make(
        self,
        *scripts: str | None,
        policy: str = "Always",
        init: tuple[str, ...] = (),
        sidecars: tuple[int, ...] = (),
        grace: int = 30,
        name: str = "p",
    ) -> PodRuntime:
        """A pod with the containers ``c0`` …, and the init containers ``i0`` …."""
        firsts = [{"name": f"i{n}", "image": "busybox"} for n in range(len(init))]
        for number in sidecars:
            firsts[number]["restartPolicy"] = "Always"
        pod = from_manifest(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {
                    "restartPolicy": policy,
                    "terminationGracePeriodSeconds": grace,
                    "initContainers": firsts,
                    "containers": [
                        {"name": f"c{n}", "image": "busybox"} for n in range(len(scripts))
                    ],
                },
            }
        )
        programs = (
            [self.program(f"i{n}", script) for n, script in enumerate(init)],
            [self.program(f"c{n}", script) for n, script in enumerate(scripts)],
        )
        return self.runtime(pod, programs)

    def runtime(self, pod: Any, programs: tuple[list[Program], list[Program]]) -> PodRuntime:
        bound = BoundPod(pod, "n1", "10.244.1.2")
        return PodRuntime(bound, programs, dict, self.kubelet.notify)

    def run(self, *scripts: str | None, **options: Any) -> PodRuntime:
        pod = self.make(*scripts, **options)
        self.kubelet.start([pod])
        return pod

    def until(self, condition: Callable[[], bool]) -> None:
        with self.kubelet.changed:
            assert self.kubelet.changed.wait_for(condition, PATIENCE)

    def ended(self, script: str, **options: Any) -> dict[str, Any]:
        """How a container's process ended."""
        (container,) = self.run(script, **options).containers
        self.until(lambda: "terminated" in container.state or "terminated" in container.last_state)
        return dict((container.state | container.last_state)["terminated"])

    def log(self, name: str = "c0") -> str:
        return (self.folder / f"{name}.log").read_text()

    def said(self, text: str, name: str = "c0") -> None:
        """Waits until a container has printed something; its state does not tell of it."""
        end = time.monotonic() + PATIENCE
        path = self.folder / f"{name}.log"
        while not (path.exists() and text in path.read_text()):
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    made = Pods(tmp_path)
    yield made
    made.kubelet.stop(list(made.kubelet.pods))


ENDS = [
    ("exit 0", 0, "Completed"),
    ("exit 3", 3, "Error"),
    ("kill -9 $$", 137, "Error"),
    ("kill -TERM $$", 143, "Error"),
    ("no-such-program", 127, "Error"),
]


@pytest.mark.parametrize(("script", "code", "reason"), ENDS)
def test_how_a_process_ends(pods: Pods, script: str, code: int, reason: str) -> None:
    state = pods.ended(script, policy="Never")
    assert (state["exitCode"], state["reason"]) == (code, reason)
    assert state["startedAt"] <= state["finishedAt"]


@pytest.mark.parametrize(
    ("policy", "script", "again"),
    [
        ("Never", "exit 0", False),
        ("Never", "exit 1", False),
        ("OnFailure", "exit 0", False),
        ("OnFailure", "exit 1", True),
        ("Always", "exit 0", True),
        ("Always", "exit 1", True),
    ],
)
def test_restart_policies(pods: Pods, policy: str, script: str, again: bool) -> None:
    (container,) = (pod := pods.run(script, policy=policy)).containers
    pods.until(
        lambda: "running" not in container.state and "ContainerCreating" not in str(container.state)
    )
    if again:
        pods.until(lambda: "waiting" in container.state)
        assert container.state["waiting"] == {
            "reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container=c0",
        }
        assert container.last_state["terminated"]["exitCode"] == int(script[-1])
    else:
        pods.until(lambda: "terminated" in container.state)
        time.sleep(0.02)
        assert "terminated" in container.state
    assert container.restarts == 0
    assert pod.done == (policy != "Always" and script == "exit 0")


def test_each_wait_is_twice_the_last(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_FIRST_BACKOFF", 1 / 64)
    monkeypatch.setattr(containers, "_MOST_BACKOFF", 4 / 64)
    began = time.monotonic()
    (container,) = pods.run("exit 1").containers
    pods.until(lambda: container.restarts == 5)
    assert time.monotonic() - began > (1 + 2 + 4 + 4 + 4) / 64


def test_a_program_that_is_not_there(pods: Pods) -> None:
    pod = pods.make(None)
    program = Program("c0", "x", ("/no/such", "a"), ENVIRONMENT, None, pods.folder / "c0.log")
    pod = pods.runtime(pod.bound.pod, ([], [program]))
    pods.kubelet.start([pod])
    (container,) = pod.containers
    pods.until(lambda: bool(container.last_state))
    told = container.last_state["terminated"]
    assert (told["exitCode"], told["reason"]) == (128, "StartError")
    assert told["message"] == 'exec: "/no/such": executable file not found in $PATH'
    assert container.pid is None


def test_output_environment_and_folder(pods: Pods) -> None:
    program = pods.program(
        "c0", 'echo "$GREETING from $PWD"; echo problem >&2; env | wc -l', "/usr"
    )
    pod = pods.runtime(pods.make(None, policy="Never").bound.pod, ([], [program]))
    pods.kubelet.start([pod])
    pods.until(lambda: pod.done)
    assert pods.log().splitlines() == ["hello from /usr", "problem", "3"]  # with PWD


def test_the_log_goes_on_after_a_restart(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_FIRST_BACKOFF", 0.01)
    (container,) = pods.run("echo again; exit 1").containers
    pods.until(lambda: container.restarts >= 2)
    assert pods.log().startswith("again\nagain\n")


def test_an_idle_pod_has_no_process(pods: Pods) -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    pod = pods.run(None, None)
    assert pod.idle
    assert pod.ready
    assert all("running" in container.state for container in pod.containers)
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == children


def test_a_process_runs_in_its_pods_network(pods: Pods, kernel: Any) -> None:
    kernel.become(pod_a=NamespacePlan())
    namespace = kernel.executor.namespaces["pod/a"].descriptor
    program = pods.program("c0", "readlink /proc/self/ns/net")
    bound = pods.make(None, policy="Never").bound
    pod = PodRuntime(bound, ([], [program]), lambda: {"net": namespace}, pods.kubelet.notify)
    pods.kubelet.start([pod])
    pods.until(lambda: pod.done)
    assert pods.log() == f"net:[{os.fstat(namespace).st_ino}]\n"


def test_init_containers_run_one_after_the_other_before_all_others(pods: Pods) -> None:
    order = pods.folder / "order"
    step = f"echo {{}} >> {order}".format
    first = f"sleep 0.05; {step('first')}"
    pod = pods.run(step("main"), policy="Never", init=(first, step("second")))
    pods.until(lambda: pod.done)
    assert order.read_text().split() == ["first", "second", "main"]


def test_a_failed_init_container_keeps_the_pod_from_running(pods: Pods) -> None:
    pod = pods.run(FOREVER, policy="Never", init=("exit 2", "exit 0"))
    pods.until(lambda: "terminated" in pod.init[0].state)
    assert pods.kubelet.wait_ready(0.05) == [pod]
    assert "waiting" in pod.init[1].state
    assert "waiting" in pod.containers[0].state


def test_an_init_container_is_tried_again(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_FIRST_BACKOFF", 0.01)
    flag = pods.folder / "flag"
    pod = pods.run(FOREVER, init=(f"test -e {flag} || {{ touch {flag}; exit 1; }}",))
    pods.until(lambda: pod.ready)
    assert pod.init[0].restarts == 1


def test_a_sidecar_does_not_hold_up_the_others(pods: Pods) -> None:
    pod = pods.run(FOREVER, init=(FOREVER,), sidecars=(0,))
    pods.until(lambda: pod.ready)
    assert pod.init[0].running
    pids = [pod.init[0].pid, pod.containers[0].pid]
    pods.kubelet.stop([pod.bound.key])
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_starting_returns_when_the_processes_run(pods: Pods) -> None:
    pod = pods.run(FOREVER, FOREVER)
    assert pod.ready
    assert all(Path(f"/proc/{container.pid}").exists() for container in pod.containers)


def test_ready_in_time_or_not(pods: Pods) -> None:
    good, bad = pods.make(FOREVER, name="good"), pods.make("exit 1", name="bad")
    pods.kubelet.start([good])
    assert pods.kubelet.wait_ready(PATIENCE) == []
    pods.kubelet.start([bad])
    pods.until(lambda: "waiting" in bad.containers[0].state)
    began = time.monotonic()
    assert pods.kubelet.wait_ready(0.1) == [bad]
    assert 0.05 < time.monotonic() - began < 1


def test_stopping_asks_first(pods: Pods) -> None:
    pod = pods.run("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    pods.said("ready")
    pid = pod.containers[0].pid
    began = time.monotonic()
    pods.kubelet.stop([pod.bound.key])
    assert time.monotonic() - began < PATIENCE
    assert pods.log() == "ready\nbye\n"
    assert not Path(f"/proc/{pid}").exists()
    assert pods.kubelet.pods == {}


def test_whoever_does_not_listen_is_killed_after_the_grace_period(pods: Pods) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
    pod = pods.run(script, f"{script} & wait", grace=1)
    pods.said("ready", "c0")
    pods.said("ready", "c1")
    pids = [container.pid for container in pod.containers]
    began = time.monotonic()
    pods.kubelet.stop([pod.bound.key])
    assert 0.9 < time.monotonic() - began < 2.5
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_what_a_process_leaves_behind_ends_with_it(pods: Pods) -> None:
    pod = pods.run("sleep 1000 & echo $!", policy="Never")
    pods.until(lambda: pod.done)
    child = Path("/proc") / pods.log().strip() / "cmdline"
    end = time.monotonic() + PATIENCE
    while child.exists() and "sleep" in child.read_text():  # a zombie until its reaper comes
        assert time.monotonic() < end
        time.sleep(0.005)


def test_stopping_pods_takes_as_long_as_the_slowest(pods: Pods) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
    both = [pods.make(script, grace=1, name=name) for name in "ab"]
    pods.kubelet.start(both)
    pods.said("ready\nready\n")
    began = time.monotonic()
    pods.kubelet.stop([pod.bound.key for pod in both])
    assert 0.9 < time.monotonic() - began < 1.9


def test_stopping_a_pod_that_waits_to_be_started_again(pods: Pods) -> None:
    pod = pods.run("exit 1")
    pods.until(lambda: "waiting" in pod.containers[0].state and bool(pod.containers[0].last_state))
    began = time.monotonic()
    pods.kubelet.stop([pod.bound.key, ("default", "nobody")])
    assert time.monotonic() - began < 1


def test_stopping_an_idle_pod(pods: Pods) -> None:
    pod = pods.run(None)
    pods.kubelet.stop([pod.bound.key])
    assert pods.kubelet.pods == {}
