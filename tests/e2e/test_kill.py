"""A lab's supervisor is killed at random moments; nothing may be left of the lab.

The moments are drawn uniformly over the time that a command takes, measured before; the seed is
printed, and KILL_SEED=N draws them again. Everything happens on a machine of the test's own, so
what is left is found by comparing all of it, not by name.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from machine import TESTBED, Machine, children, until

pytestmark = pytest.mark.e2e

SETTLE = 30.0  # seconds; the kernel frees namespaces after the processes in them are gone
PATIENCE = 60.0  # seconds for the command in progress to notice

LABS = (  # options of up: an overlay, FRR on nodes, FRR on nodes and routers, a shaped link
    ("--cni", "vxlan"),
    ("--cni", "bgp"),
    ("--cni", "bgp", "-t", "leafspine", "--set", "nodes=1"),
    ("--cni", "vxlan", "-t", "twozone"),
)

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {containers: [{name: c, image: pause}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: work}
spec:
  replicas: 6
  selector: {matchLabels: {app: work}}
  template:
    metadata: {labels: {app: work}}
    spec:
      containers: [{name: c, image: alpine, command: [sleep, infinity]}]
"""

CAMPAIGN = """
cni: [vxlan, host-gw]
settings: {nodes: 2}
repeat: 1
seconds: 1
scenarios: {pod-latency: {path: cross-node}}
"""


EVENTS = """
settings: {nodes: 2}
repeat: 1
seconds: 10
events: [{at: 500ms, partition: n1}]
scenarios: {pod-connect: {path: same-node}}
"""


@dataclass(frozen=True)
class Traces:
    """What a lab could leave on a machine.

    Attributes:
        processes: All, by number.
        links: Interfaces of its network namespace.
        routes: Its routes, as the kernel lists them.
        mounts: Its mounts.
        files: In the folders that programs write to.
        labs: Names claimed, as UNIX sockets.
    """

    processes: frozenset[int]
    links: tuple[str, ...]
    routes: str
    mounts: str
    files: tuple[str, ...]
    labs: tuple[str, ...]

    @classmethod
    def of(cls, machine: Machine) -> Traces:
        """Those of now."""
        proc = Path(f"/proc/{machine.init}")
        devices = (proc / "net/dev").read_text().splitlines()[2:]
        folders = ("run", "tmp", "var/tmp", "dev/shm")
        files = (str(path) for f in folders for path in (machine.root / f).rglob("*"))
        return cls(
            frozenset(machine.processes),
            tuple(line.partition(":")[0].strip() for line in devices),
            (proc / "net/route").read_text(),
            (proc / "mountinfo").read_text(),
            tuple(sorted(files)),
            tuple(line.split()[-1] for line in machine.sockets.splitlines() if "testbed" in line),
        )


class Killer:
    """Kills supervisors on a machine and looks at what is left.

    Args:
        machine: The machine, on which no lab runs.
    """

    def __init__(self, machine: Machine) -> None:
        seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))
        print(f"KILL_SEED={seed}")
        self.machine, self.random = machine, random.Random(seed)  # noqa: S311 - moments, no secret
        self.clean = Traces.of(machine)
        self.codes: list[int] = []

    def moments(self, count: int, duration: float) -> Iterator[float]:
        """Random moments, in seconds from the beginning."""
        print(f"{count} moments of {duration:.2f} s")
        return iter([self.random.uniform(0, duration) for _ in range(count)])

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Starts a command."""
        return self.machine.start(*TESTBED, *argv)

    def supervisor(self, command: subprocess.Popen[str] | None = None) -> int | None:
        """The first supervisor that shows up; None when the command ends before."""

        def found() -> list[int] | bool:
            return self.machine.supervisors() or (
                command is not None and command.poll() is not None
            )

        running = until(found, "a supervisor is there", PATIENCE)
        return running[0] if isinstance(running, list) else None

    def kill(self, supervisor: int, moment: float = 0.0) -> None:
        """Kills a supervisor at a moment (``time.monotonic()``), if it still runs then."""
        spaces = _namespaces(supervisor)
        time.sleep(max(0.0, moment - time.monotonic()))
        try:
            os.kill(supervisor, signal.SIGKILL)
        except ProcessLookupError:
            return
        until(lambda: not (spaces & _used_namespaces()), "no process is in the sandbox", SETTLE)

    def ended(self, command: subprocess.Popen[str], *codes: int) -> None:
        """The command ends by itself, as it should."""
        out, err = command.communicate(timeout=PATIENCE)
        said = f"exit {command.returncode}\n{out}{err}"
        assert command.returncode in codes, said
        assert err.count("testbed: ") == (command.returncode == 4), said
        assert "Traceback" not in err, said
        assert "internal error" not in err, said
        self.codes.append(command.returncode)

    def nothing_left(self) -> None:
        """The machine is as it was at the beginning."""
        until(
            lambda: Traces.of(self.machine).processes == self.clean.processes, "no process", SETTLE
        )
        until(lambda: Traces.of(self.machine).links == self.clean.links, "no link", SETTLE)
        assert Traces.of(self.machine) == self.clean

    def next_up_works(self, *options: str) -> None:
        """The command says that no lab runs; a new one comes up and works."""
        assert self.machine.labs() == []
        self.machine.testbed("up", *options, "-f", "-", text=PODS)
        (pod, *_) = self.machine.json("get", "pods", "-l", "app=work")["items"]
        address = pod["status"]["podIP"]
        self.machine.testbed("exec", "client", "--", "ping", "-c1", "-w9", address)
        self.machine.testbed("down")
        self.nothing_left()


def _namespaces(pid: int) -> set[str]:
    """The namespaces of a process that are not ours."""
    kinds = ("pid", "mnt", "net", "uts", "ipc")
    try:
        return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in kinds}
    except OSError:  # it is ending
        return set()


def _used_namespaces() -> set[str]:
    return {
        space
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal()
        for space in _namespaces(int(entry.name))
    }


@pytest.fixture
def killer(machine: Machine) -> Killer:
    machine.write("pods.yaml", PODS)
    machine.write("campaign.yaml", CAMPAIGN)
    return Killer(machine)


@pytest.mark.parametrize("options", LABS, ids="".join)
def test_during_up(killer: Killer, options: tuple[str, ...]) -> None:
    up = ("up", *options, "-f", "pods.yaml")
    command = killer.start(*up)
    assert killer.supervisor(command)
    began = time.monotonic()
    killer.ended(command, 0)
    duration = time.monotonic() - began
    killer.machine.testbed("down")
    for moment in killer.moments(7, duration):
        command = killer.start(*up)
        supervisor = killer.supervisor(command)
        assert supervisor, command.communicate()
        killer.kill(supervisor, time.monotonic() + moment)
        killer.ended(command, 0, 4)
        killer.nothing_left()
    assert 4 in killer.codes
    killer.next_up_works(*options)


def test_at_the_very_beginning_of_up(killer: Killer) -> None:
    for _ in range(5):
        command = killer.start("up")
        supervisor = killer.supervisor(command)
        assert supervisor, command.communicate()
        killer.kill(supervisor)
        killer.ended(command, 4)
        killer.nothing_left()
    killer.next_up_works()


@pytest.mark.parametrize("verb", [("apply", "-f", "pods.yaml"), ("down",)], ids=["apply", "down"])
def test_during_apply_and_down(killer: Killer, verb: tuple[str, ...]) -> None:
    machine, codes = killer.machine, (0, 4) if verb[0] == "apply" else (0,)
    given = ("-f", "pods.yaml") if verb[0] == "down" else ()
    machine.testbed("up", *given)
    began = time.monotonic()
    machine.testbed(*verb)
    duration = time.monotonic() - began
    machine.testbed("down")
    for number, moment in enumerate(killer.moments(9, duration)):
        machine.testbed("up", *LABS[number % 3 == 0], *given)
        supervisor = killer.supervisor()
        assert supervisor
        began = time.monotonic()
        command = killer.start(*verb)
        killer.kill(supervisor, began + moment)
        killer.ended(command, *codes)
        killer.nothing_left()
    killer.next_up_works()


def test_during_exec(killer: Killer) -> None:
    for moment in killer.moments(4, 0.3):
        killer.machine.testbed("up", "-f", "pods.yaml")
        targets = ("client", "node/n1")
        commands = [killer.start("exec", t, "--", "sh", "-c", "sleep 9; :") for t in targets]
        supervisor = killer.supervisor()
        assert supervisor
        killer.kill(supervisor, time.monotonic() + moment)
        for command in commands:  # either not yet in the pod, or with the code of what was killed
            killer.ended(command, 4, -signal.SIGKILL)
        killer.nothing_left()
    killer.next_up_works()


def test_during_bench(killer: Killer) -> None:
    bench = ("bench", "campaign.yaml", "--out")
    began = time.monotonic()
    command = killer.start(*bench, "whole")
    killer.ended(command, 0)
    duration = time.monotonic() - began
    for number, moment in enumerate(killer.moments(4, duration)):
        began = time.monotonic()
        command = killer.start(*bench, f"out{number}")
        until(
            lambda: time.monotonic() >= began + moment or command.poll() is not None,  # noqa: B023
            "the moment comes",
            duration + PATIENCE,
        )
        if supervisor := killer.supervisor(command):
            labs = killer.machine.supervisors()
            killer.kill(killer.random.choice([supervisor, *labs]))
        killer.ended(command, 0, 4)
        killer.nothing_left()
    killer.next_up_works()


def test_bench_itself_during_an_event(killer: Killer) -> None:
    killer.machine.write("events.yaml", EVENTS)
    out = killer.machine.root / "mnt/eventful"
    command = killer.start("bench", "events.yaml", "--out", "eventful")
    until(lambda: list(out.glob("raw/*/client.stderr")), "the first sample begins", PATIENCE)
    until(lambda: _partitioned(killer.machine), "its event happens", PATIENCE)
    (bench,) = children(command.pid)
    os.kill(bench, signal.SIGKILL)
    command.communicate(timeout=PATIENCE)
    killer.nothing_left()
    killer.next_up_works()


def _partitioned(machine: Machine) -> bool:
    """Whether the node of the one lab has failed."""
    failed = (machine.testbed("--lab", lab, "fail", code=None) for lab in machine.labs())
    return any(done.stdout == "node n1\n" for done in failed)


def test_of_the_daemon_in_the_sandbox(killer: Killer) -> None:
    killer.machine.testbed("up", "-f", "pods.yaml")
    supervisor = killer.supervisor()
    assert supervisor
    daemon = min(children(supervisor))
    assert Path(f"/proc/{daemon}/comm").read_text().startswith("testbedd:")
    os.kill(daemon, signal.SIGKILL)
    killer.nothing_left()
    killer.next_up_works()


def test_of_the_command_itself(killer: Killer) -> None:
    for moment in killer.moments(5, 0.6):
        up = killer.start("up", "-f", "pods.yaml")
        assert killer.supervisor(up)
        began = time.monotonic()
        time.sleep(max(0.0, began + moment - time.monotonic()))
        for command in children(up.pid):
            os.kill(command, signal.SIGKILL)
        out, err = up.communicate(timeout=PATIENCE)
        if "is up" in err:  # it had let go of the lab
            killer.machine.testbed("down")
        killer.nothing_left()
        assert out == ""
    killer.next_up_works()
