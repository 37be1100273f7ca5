"""The sandbox: what its daemon has of its own, and that everything ends with process 1."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import InputError, LabError
from testbed.kernel import sandbox
from testbed.lab import directory

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PATIENCE = 10
_numbers = itertools.count(1)


class Sandbox:
    """A sandbox whose daemon does something, and tells of it by a pipe.

    Args:
        job: What the daemon does; its result is JSON.
        name: Of the lab.
    """

    def __init__(self, job: Callable[[], Any], name: str) -> None:
        self.name = name
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(PATIENCE)

        def main() -> None:
            self._ours.close()
            theirs.sendall(json.dumps(job()).encode() + b"\n")
            signal.pause()

        with directory.claim(name) as server, theirs:
            sandbox.start(server, name, main)
        self._told = self._ours.makefile()

    def result(self) -> Any:
        line = self._told.readline()
        assert line, "the daemon said nothing"
        return json.loads(line)

    @property
    def pid(self) -> int:
        with directory.connect(self.name) as connection:
            return directory.peer(connection)[0]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends it, and waits until it is gone."""
        process = os.pidfd_open(self.pid)
        signal.pidfd_send_signal(process, number)
        assert select.select([process], [], [], PATIENCE)[0]
        os.close(process)
        self.wait_for_the_end()

    def wait_for_the_end(self) -> None:
        """The daemon's end of the socket is closed when it and its children are gone."""
        assert self._told.readline() == ""


@pytest.fixture
def run() -> Iterator[Callable[[Callable[[], Any]], Sandbox]]:
    made: list[Sandbox] = []

    def start(job: Callable[[], Any]) -> Sandbox:
        made.append(Sandbox(job, f"sandbox-test-{os.getpid()}-{next(_numbers)}"))
        return made[-1]

    yield start
    for one in made:
        if one.name in directory.running():
            one.kill()


def namespaces(pid: int | str = "self") -> dict[str, str]:
    kinds = ("pid", "mnt", "net", "uts", "ipc")
    return {kind: str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in kinds}


def test_the_daemon_has_namespaces_of_its_own(run: Any) -> None:
    ours = namespaces()
    theirs = run(namespaces).result()
    assert all(ours[kind] != theirs[kind] for kind in ours)


def test_process_1_is_the_supervisor_and_the_daemons_parent(run: Any) -> None:
    box = run(lambda: [os.getpid(), os.getppid(), Path("/proc/1/comm").read_text()])
    pid, parent, name = box.result()
    assert pid > 1
    assert parent == 1
    assert name.startswith("testbed:sandbox"[:15])
    assert namespaces(box.pid)["net"] != namespaces()["net"]


def test_it_sees_no_process_but_its_own(run: Any) -> None:
    pids = run(lambda: sorted(int(p.name) for p in Path("/proc").glob("[0-9]*"))).result()
    assert pids == [1, pids[-1]]


def test_its_network_is_empty_and_its_name_the_labs(run: Any) -> None:
    def look() -> list[Any]:
        return [socket.gethostname(), sorted(p.name for p in Path("/sys/class/net").iterdir())]

    box = run(look)
    name, devices = box.result()
    assert name == box.name
    assert "lo" in devices
    assert not [device for device in devices if device.startswith(("eth", "veth", "en"))]


def test_what_it_writes_stays_inside(run: Any, tmp_path: Path) -> None:
    files = [f"{folder}/sandbox-test-{os.getpid()}" for folder in ("/tmp", "/var/log", "/run")]

    def write() -> list[str]:
        for file in files:
            Path(file).write_text("inside")
        return [Path(file).read_text() for file in files]

    assert run(write).result() == ["inside"] * 3
    assert not any(Path(file).exists() for file in files)


@pytest.mark.parametrize("file", ["/etc/sandbox-test", "/usr/sandbox-test", "/sandbox-test"])
def test_the_rest_of_the_machine_is_read_only(run: Any, file: str) -> None:
    def write() -> str:
        try:
            Path(file).write_text("")
        except OSError as error:
            return error.strerror or ""
        return "written"

    assert run(write).result() == "Read-only file system"
    assert not Path(file).exists()


def test_its_mounts_are_not_ours(run: Any) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    run(lambda: None).result()
    assert Path("/proc/self/mountinfo").read_text() == before


def start_children() -> list[int]:
    """Processes in sessions and network namespaces of their own, and one that ignores signals."""
    argvs = (
        ["setsid", "unshare", "--net", "sleep", "1000"],
        ["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1000; done"],
        ["sh", "-c", "sleep 1000 & exit"],
    )
    return [subprocess.Popen(argv).pid for argv in argvs]


def inside(pid_namespace: str) -> list[str]:
    """Processes of a PID namespace, but for one that has ended and waits for its parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ended = "\nState:\tZ" in (folder / "status").read_text()
            if not ended and str((folder / "ns/pid").readlink()) == pid_namespace:
                found.append(folder.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_process_1_dies_everything_does(run: Any, number: int) -> None:
    box = run(lambda: [start_children(), namespaces()])
    _, theirs = box.result()
    assert len(inside(theirs["pid"])) >= 4
    box.kill(number)
    assert inside(theirs["pid"]) == []
    assert box.name not in directory.running()


def test_when_the_daemon_ends_the_sandbox_does(run: Any) -> None:
    def end() -> str:
        start_children()
        signal.setitimer(signal.ITIMER_REAL, 0.05)  # its default action is death
        return namespaces()["pid"]

    box = run(end)
    theirs = box.result()
    box.wait_for_the_end()
    deadline = time.monotonic() + PATIENCE
    while inside(theirs):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert box.name not in directory.running()


def test_the_supervisor_reaps_orphans(run: Any) -> None:
    def zombies() -> list[str]:
        subprocess.run(["sh", "-c", "(sleep 0.02 &)"], check=True)
        time.sleep(0.1)
        states = (
            p.read_text().rpartition(")")[2].split()[0]
            for p in Path("/proc").glob("*/stat")
            if p.parent.name.isdigit()
        )
        return [state for state in states if state == "Z"]

    assert run(zombies).result() == []


def test_a_claimed_name_is_refused(run: Any) -> None:
    box = run(lambda: None)
    box.result()
    with pytest.raises(InputError) as caught:
        directory.claim(box.name)
    assert str(caught.value) == (
        f"--lab: lab '{box.name}' already runs\n"
        f"  End it with `testbed --lab {box.name} down`, or pick another name with --lab."
    )


def test_a_name_is_free_again_when_its_lab_is_dead(run: Any) -> None:
    box = run(lambda: None)
    box.result()
    assert box.name in directory.running()
    box.kill()
    directory.claim(box.name).close()


def test_a_name_is_free_again_when_whoever_claimed_it_gives_up() -> None:
    name = f"sandbox-test-{os.getpid()}-claimed"
    with directory.claim(name):
        assert name in directory.running()
        with pytest.raises(InputError, match="already runs"):
            directory.claim(name)
    assert name not in directory.running()


def test_no_such_lab() -> None:
    with pytest.raises(LabError, match=r"^no lab 'sandbox-test-none' runs\n.*`testbed up`"):
        directory.connect("sandbox-test-none")


def test_labs_of_others_are_not_listed() -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"\0testbed/{os.geteuid() + 1}/sandbox-test-other")
        assert "sandbox-test-other" not in directory.running()


@pytest.mark.parametrize("name", ["", "a/b", "..", "A", "-a", "a-", "a" * 41, "a b", "ä", "a\n"])
def test_names_that_are_none(name: str) -> None:
    for action in (directory.claim, directory.connect, directory.check_name):
        with pytest.raises(InputError, match=r"(?s)^--lab: invalid lab name .*\n  A name has at"):
            action(name)


def test_an_owner_is_trusted() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert directory.peer(ours) == (os.getpid(), os.geteuid())
        assert directory.trusted(ours)
