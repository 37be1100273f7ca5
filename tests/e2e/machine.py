"""A machine of a test's own: namespaces in which the command runs as if nobody else were there.

Its network, processes, mounts, ``/run``, ``/tmp``, ``/var/tmp`` and ``/mnt`` (the working folder,
where :meth:`Machine.write` puts files) belong to the test alone. So what is compared there is
compared exactly, ``testbed ls`` shows the test's labs only, and ``testbed down --all`` ends no
other's. Whatever the test leaves ends with the machine, which ends with the test's process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

TESTBED = (sys.executable, "-m", "testbed")
ROOT = Path(__file__).parents[2]

# Process 1 has the kernel reap the orphans that it inherits, as an init would.
_SET_UP = """
set -e
mount --bind "$1" /mnt
for folder in /run /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
if [ ! -e "$1" ]; then mkdir -p "$1"; mount --bind /mnt "$1"; fi  # it was in one of these
mount -t tmpfs -o mode=1777 tmpfs /mnt
mount -t sysfs sysfs /sys
ip link set lo up
echo made
exec env --ignore-signal=CHLD sleep infinity
"""


def until(condition: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """The first true value of ``condition``; fails when there is none in time.

    Args:
        condition: Asked again and again.
        what: Is waited for, for the failure.
        seconds: The time that it has.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
    return value


class Machine:
    """The machine.

    Attributes:
        init: Its process 1, by the number that the test knows it by.
        root: Its file system.
    """

    def __init__(self) -> None:
        argv = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork"]
        argv += ["--kill-child", "--mount-proc", "sh", "-c", _SET_UP, "sh", str(ROOT)]
        self._outside = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._outside.stdout is not None
        assert self._outside.stdout.readline() == "made\n"
        self.init = children(self._outside.pid)[0]
        self.root = Path(f"/proc/{self.init}/root")

    def end(self) -> None:
        """Ends it with all that runs in it."""
        self._outside.kill()
        self._outside.wait()

    def command(self, *argv: str) -> list[str]:
        """The command line that runs ARGV in here."""
        namespaces = ("--net", "--mount", "--pid", "--ipc", "--uts", "--wdns=/mnt")
        return ["nsenter", "-t", str(self.init), *namespaces, "--", *argv]

    def start(self, *argv: str, **options: Any) -> subprocess.Popen[str]:
        """Starts ARGV, with its output in pipes; ``options`` are those of ``Popen``."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.command(*argv), text=True, **{"env": environment(), **pipes, **options}
        )

    def run(
        self,
        *argv: str,
        code: int | None = 0,
        text: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Runs ARGV and demands an exit code (None: any)."""
        done = subprocess.run(
            self.command(*argv),
            input=text,
            capture_output=True,
            text=True,
            env=environment() | dict(env or {}),
            timeout=timeout,
            check=False,
        )
        said = f"{' '.join(argv)[:500]}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert code is None or done.returncode == code, said
        return done

    def testbed(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs ``testbed ARGV``; ``options`` are those of :meth:`run`.

        ``up`` is given more time than it takes by itself, unless ARGV says how much.
        """
        at = argv.index("up") + 1 if "up" in argv[:3] else 0
        patience = ("--timeout", "120") if at else ()
        return self.run(*TESTBED, *argv[:at], *patience, *argv[at:], **options)

    def json(self, *argv: str) -> Any:
        """What ``testbed ARGV -o json`` says."""
        return json.loads(self.testbed(*argv, "-o", "json").stdout)

    def labs(self) -> list[str]:
        """The names of the labs that run, by ``testbed ls``."""
        return [lab["name"] for lab in self.json("ls")]

    def write(self, name: str, text: str) -> str:
        """Writes a file into ``/mnt``, the working folder; its name."""
        path = self.root / "mnt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    @property
    def sockets(self) -> str:
        """Its UNIX sockets, as the kernel lists them."""
        return Path(f"/proc/{self.init}/net/unix").read_text()

    @property
    def processes(self) -> set[int]:
        """The numbers, inside, of what runs."""
        return {int(p.name) for p in (self.root / "proc").iterdir() if p.name.isdecimal()}

    def supervisors(self) -> list[int]:
        """The first processes of sandboxes in here, by the numbers that the test knows them by.

        They are found by their parent, which is this machine's process 1, and by their number in
        their own PID namespace, so from the moment that they are made.
        """
        return [pid for pid in children(self.init) if _numbers(pid)[-1:] == ["1"]]


@contextmanager
def machine_of_its_own() -> Iterator[Machine]:
    """A machine for the time of a ``with`` block; skips the test that may not make one."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = Machine()
    try:
        yield made
    finally:
        made.end()


def environment() -> dict[str, str]:
    """This process's environment without what would change a command's meaning."""
    kept = {key: value for key, value in os.environ.items() if key != "TESTBED_LAB"}
    return kept | {"PYTHONPATH": str(ROOT)}


def children(pid: int) -> list[int]:
    """The children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return sorted(found)


def _numbers(pid: int) -> list[str]:
    """A process's numbers in all of its PID namespaces, the outermost first."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
    return next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
