"""The first process of a guest, run here: what it does with a command, its streams and signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.vm import guest

PORTS = ("control", "stdin", "stdout", "stderr")
MAIN = """\
import json, os, sys
sys.path.insert(0, sys.argv[1])
import guest
port = json.loads(sys.argv[2])
for number in port.values():
    os.set_inheritable(number, False)
guest.ports = lambda: port
guest.main()
"""


class Driver:
    """The other side of the ports."""

    def __init__(self) -> None:
        pairs = {name: socket.socketpair() for name in PORTS}
        self.ends = {name: pair[0] for name, pair in pairs.items()}
        theirs = {name: pair[1].fileno() for name, pair in pairs.items()}
        folder = str(Path(guest.__file__).parent)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", MAIN, folder, json.dumps(theirs)],
            pass_fds=tuple(theirs.values()),
        )
        for _, other in pairs.values():
            other.close()
        self.ends["control"].settimeout(30)
        self._lines = self.ends["control"].makefile("rb")
        assert self.receive() == {"ready": True}

    def receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._lines.readline())
        return found

    def send(self, **message: Any) -> None:
        self.ends["control"].sendall(json.dumps(message).encode() + b"\n")

    def run(self, *argv: str, env: dict[str, str] | None = None, cwd: str = "/") -> None:
        self.send(argv=argv, env={**os.environ, **(env or {})}, cwd=cwd, files=512)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for end in self.ends.values():
            end.close()
        self._lines.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    running = Driver()
    yield running
    running.end()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("true", 0),
        ("false", 1),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("frobnicate 2>&-", 127),
    ],
)
def test_the_exit_code_is_the_commands(driver: Driver, line: str, code: int) -> None:
    driver.run("sh", "-c", line)
    assert driver.receive() == {"exit": code, "stdout": 0, "stderr": 0}


def test_what_is_not_there_is_127_and_what_cannot_be_run_126(driver: Driver) -> None:
    driver.run("frobnicate")
    last = driver.receive()
    assert last["exit"] == 127
    assert "frobnicate" in last["error"]


def test_a_folder_cannot_be_run(driver: Driver) -> None:
    driver.run("/usr")
    assert driver.receive()["exit"] == 126


def test_streams_are_carried_byte_for_byte(driver: Driver) -> None:
    data = os.urandom(1_500_000)
    got: dict[str, bytes] = {}

    def read(name: str) -> None:
        got[name] = b""
        while len(got[name]) < len(data):
            got[name] += driver.ends[name].recv(1 << 16)

    threads = [threading.Thread(target=read, args=[name]) for name in ("stdout", "stderr")]
    for thread in threads:
        thread.start()
    driver.run("sh", "-c", "tee /dev/stderr")
    driver.ends["stdin"].sendall(data)
    driver.send(eof=len(data))
    for thread in threads:
        thread.join(30)
    assert got == {"stdout": data, "stderr": data}
    assert driver.receive() == {"exit": 0, "stdout": len(data), "stderr": len(data)}


def test_the_end_of_an_empty_input_is_told(driver: Driver) -> None:
    driver.run("cat")
    driver.send(eof=0)
    assert driver.receive()["exit"] == 0


def test_it_does_not_wait_for_those_who_still_hold_the_output(driver: Driver) -> None:
    driver.run("sh", "-c", "echo now; sleep 1000 & exit 5")
    assert driver.receive() == {"exit": 5, "stdout": 4, "stderr": 0}
    assert driver.ends["stdout"].recv(100) == b"now\n"


def test_a_signal_reaches_the_command(driver: Driver) -> None:
    script = "trap 'echo got; exit 9' INT; echo up; while :; do sleep 0.05; done"
    driver.run("sh", "-c", script)
    assert driver.ends["stdout"].recv(100) == b"up\n"
    driver.send(signal=signal.SIGINT)
    assert driver.receive() == {"exit": 9, "stdout": 7, "stderr": 0}


def test_a_signal_reaches_the_whole_process_group(driver: Driver) -> None:
    driver.run("sh", "-c", "sleep 1000 | { echo up; sleep 1000; }; echo not reached")
    assert driver.ends["stdout"].recv(100) == b"up\n"
    driver.send(signal=signal.SIGTERM)
    assert driver.receive() == {"exit": 143, "stdout": 3, "stderr": 0}


def test_output_that_nobody_reads_is_a_broken_pipe(driver: Driver) -> None:
    driver.run("yes")
    assert driver.ends["stdout"].recv(2) == b"y\n"
    driver.send(closed="stdout")
    threading.Thread(target=_drain, args=[driver.ends["stdout"]], daemon=True).start()
    assert driver.receive()["exit"] == 128 + signal.SIGPIPE


def _drain(end: socket.socket) -> None:
    """Reads on, as the other side does, so that nothing waits."""
    while end.recv(1 << 16):
        continue


def test_folder_environment_and_limit_are_as_asked(driver: Driver, tmp_path: Path) -> None:
    odd = {"ODD": "a\nb\udcff"}
    driver.run("sh", "-c", 'pwd; printf %s "$ODD"; ulimit -n; exit 0', env=odd, cwd=str(tmp_path))
    last = driver.receive()
    said = driver.ends["stdout"].recv(4096)
    assert len(said) == last["stdout"]
    assert said == f"{tmp_path}\n".encode() + b"a\nb\xff512\n"


def test_it_reaps_orphans(driver: Driver) -> None:
    driver.run("sh", "-c", "(sleep 0.1 &); sleep 0.3; exit 4")
    assert driver.receive()["exit"] == 4
