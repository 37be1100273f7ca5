"""``testbed vm`` as a user types it: streams, folder, signals, exit codes, and what is left.

Each test boots a machine of its own, so there are few, and each looks at much.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIMIT = 120.0
LOOK = """\
import hashlib, json, os, sys
data = sys.stdin.buffer.read()
print(json.dumps({
    "argv": sys.argv[1:], "cwd": os.getcwd(), "kernel": os.uname().release,
    "environment": dict(os.environ), "files": os.sysconf("SC_OPEN_MAX"),
    "input": hashlib.sha256(data).hexdigest(),
}))
open("written", "w").write("by the guest")
open("/usr/by-the-guest", "w").write("for the guest")
sys.stderr.buffer.write(bytes(range(256)) * 1000)
sys.exit(77)
"""


def command(*argv: str) -> list[str]:
    return [sys.executable, "-P", "-m", "testbed", "vm", *argv]


def start(
    *argv: str, cwd: Path | None = None, temporary: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts ``testbed vm`` in a session of its own, with a folder for temporary files."""
    environment = {**os.environ, **({"TMPDIR": str(temporary)} if temporary else {})}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command(*argv),
        cwd=cwd,
        env=environment,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
    )


def processes(session: int) -> dict[int, str]:
    """What descends from a process, by process id: their names."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = entry.read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        process = int(entry.parent.name)
        parents[process], names[process] = int(rest.split()[1]), name
    family = {session}
    while True:
        grown = family | {child for child, parent in parents.items() if parent in family}
        if grown == family:
            return {process: names[process] for process in family if process in names}
        family = grown


def gone(family: dict[int, str]) -> bool:
    """Waits a little for some processes to be gone, or left as zombies to their parents."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        states = []
        for process in family:
            try:
                text = Path(f"/proc/{process}/stat").read_text()
                states.append(text.rpartition(") ")[2][0])
            except OSError:
                continue
        if all(state == "Z" for state in states):
            return True
        time.sleep(0.05)
    return False


def files(temporary: Path) -> set[str]:
    """What is in a temporary folder of our own, and where sockets might be."""
    return {str(p) for folder in (temporary, "/dev/shm", "/run") for p in Path(folder).glob("*")}


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    folder = tmp_path / 'it\'s a "folder", really'
    folder.mkdir()
    return folder


def test_it_runs_a_command_as_if_here(odd_folder: Path) -> None:
    data = os.urandom(3_000_001)
    argv = ["a b", 'it\'s "q"', "two\nlines", "", "--", "*", "é"]
    line = command("--memory", "2G", "--cpus", "1", "--", sys.executable, "-c", LOOK, *argv)
    environment = {**os.environ, "WITH": "new\nline", "RAW": os.fsdecode(b"\xff\xfe")}
    done = subprocess.run(
        line,
        cwd=odd_folder,
        env=environment,
        input=data,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 77, done.stderr
    found = json.loads(done.stdout)
    assert found["argv"] == argv
    assert found["cwd"] == str(odd_folder)
    assert found["kernel"] != os.uname().release
    assert found["environment"] == {**environment, "TESTBED_VM": "1"}
    assert found["input"] == hashlib.sha256(data).hexdigest()
    said, _, rest = done.stderr.partition(b"\n")
    assert said.startswith(b"testbed: vm: Linux ")
    assert rest == bytes(range(256)) * 1000
    assert (odd_folder / "written").read_text() == "by the guest"
    assert not Path("/usr/by-the-guest").exists()


def test_lines_go_both_ways_while_it_runs_and_ctrl_c_ends_it() -> None:
    script = 'trap "echo interrupted; exit 130" INT; while read line; do echo "got $line"; done'
    with start("--", "sh", "-c", script) as running:
        assert running.stdin and running.stdout
        for word in (b"one", b"two"):
            running.stdin.write(word + b"\n")
            running.stdin.flush()
            assert running.stdout.readline() == b"got " + word + b"\n"
        family = processes(running.pid)
        assert any(name.startswith("qemu") for name in family.values())
        running.send_signal(signal.SIGINT)
        assert running.stdout.read() == b"interrupted\n"
        assert running.wait(20) == 130
    assert gone(family)


def test_a_second_ctrl_c_ends_what_ignores_the_first() -> None:
    with start("--", "sh", "-c", 'trap "" INT TERM; echo up; sleep 1000; sleep 1000') as running:
        assert running.stdin and running.stdout
        assert running.stdout.readline() == b"up\n"
        family = processes(running.pid)
        running.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(2)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 130
    assert gone(family)


def test_kill_9_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    before = files(tmp_path)
    line = ("sh", "-c", "echo up; sleep 1000")
    with start("--", *line, cwd=tmp_path, temporary=tmp_path) as running:
        assert running.stdout
        assert running.stdout.readline() == b"up\n"
        family = processes(running.pid)
        assert {"qemu-system-x86", "virtiofsd"} <= set(family.values())
        running.kill()
    assert gone(family)
    assert not files(tmp_path) - before


def test_kill_9_while_it_boots_leaves_nothing(tmp_path: Path) -> None:
    before = files(tmp_path)
    with start("--", "true", temporary=tmp_path) as running:
        deadline = time.monotonic() + 20
        while "qemu-system-x86" not in (family := processes(running.pid)).values():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.kill()
    assert gone(family)
    assert not files(tmp_path) - before


def test_a_command_that_nobody_reads_ends() -> None:
    with start("--", "yes") as running:
        assert running.stdout
        assert running.stdout.read(4) == b"y\ny\n"
        running.stdout.close()
        assert running.wait(60) == 128 + signal.SIGPIPE
