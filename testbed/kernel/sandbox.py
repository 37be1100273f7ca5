"""The sandbox: the namespaces that a lab lives in, and the process that they live and die with.

``start`` makes three processes::

    testbed up ── launcher ── supervisor (PID 1 of the sandbox) ── lab daemon
                  (exits)     reaps, and ends when the daemon does

The supervisor is process 1 of PID, mount, network, UTS and IPC namespaces of their own
(pid_namespaces(7)). When it dies, the kernel kills every process in the PID namespace before its
parent hears of it, and frees the mounts, the network namespaces and what is in them. So ending a
lab *is* killing that process, and there is no other clean-up anywhere in the code.

Inside, the host's file systems are read-only; ``/run`` and ``/dev/shm`` are fresh, and the folders
that programs write to are overlays: what they write goes to memory and ends with the lab.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from testbed.kernel import syscalls as sc

STATE = Path("/run/testbed")
"""The lab's own folder, inside the sandbox."""

_WRITABLE = ("/tmp", "/var/tmp", "/var/log", "/var/lib")  # noqa: S108 - overlays of these
_NAMESPACES = sc.CLONE_NEWNS | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWPID | sc.CLONE_NEWNET


def start(server: socket.socket, name: str, main: Callable[[], None]) -> None:
    """Starts a sandbox whose daemon runs ``main``, and returns at once.

    Args:
        server: The claimed socket; the supervisor listens on it, the daemon accepts.
        name: The lab's name, its host name inside.
        main: What the daemon does; the lab ends when it returns.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    launcher = os.fork()
    if launcher == 0:
        _or_die(lambda: _launch(server, name, main))
    os.waitpid(launcher, 0)


def _or_die(action: Callable[[], None]) -> None:
    code = 1
    try:
        action()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _launch(server: socket.socket, name: str, main: Callable[[], None]) -> None:
    os.setsid()
    os.chdir("/")
    sc.unshare(_NAMESPACES)
    if os.fork() == 0:
        _or_die(lambda: _supervise(server, name, main))


def _supervise(server: socket.socket, name: str, main: Callable[[], None]) -> None:
    """Process 1: listens (so that its PID is the socket's), reaps, and waits for the daemon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.listen(128)
    sc.set_process_name(f"testbed:{name}")
    _mounts()
    sc.set_host_name(name)
    daemon = os.fork()
    if daemon == 0:
        _or_die(main)
    server.detach()  # closed with the rest
    _close_all()
    while os.wait()[0] != daemon:
        pass


def _close_all() -> None:
    """Lets go of every inherited file; above all of the starter's socket, whose end counts."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _mounts() -> None:
    sc.mount("", "/", flags=sc.MS_REC | sc.MS_PRIVATE)
    sc.make_read_only("/")
    safe = sc.MS_NOSUID | sc.MS_NODEV
    sc.mount("tmpfs", "/run", "tmpfs", safe, "mode=0755")
    STATE.mkdir(mode=0o700)
    for folder in _WRITABLE:
        _overlay(folder)
    sc.mount("tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777")  # noqa: S108
    sc.mount("proc", "/proc", "proc", safe | sc.MS_NOEXEC)
    sc.mount("sysfs", "/sys", "sysfs", safe | sc.MS_NOEXEC)


def _overlay(folder: str) -> None:
    if not Path(folder).is_dir():
        return
    base = STATE / "writes" / folder.strip("/").replace("/", "-")
    upper, work = base / "upper", base / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    upper.chmod(Path(folder).stat().st_mode & 0o7777)
    below = {path: os.open(path, os.O_PATH) for path in _mounts_below(folder)}
    sc.mount("overlay", folder, "overlay", 0, f"lowerdir={folder},upperdir={upper},workdir={work}")
    for path, descriptor in below.items():
        sc.mount(f"/proc/self/fd/{descriptor}", path, flags=sc.MS_BIND | sc.MS_REC)
        os.close(descriptor)


def _mounts_below(folder: str) -> list[str]:
    """The outermost mount points in a folder, which an overlay of it would not show."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    paths = {_unescaped(line.split()[4]) for line in lines}
    below = sorted(path for path in paths if path.startswith(f"{folder}/"))
    return [p for p in below if not any(p.startswith(f"{other}/") for other in below)]


def _unescaped(path: str) -> str:
    """A path of proc_pid_mountinfo(5), in which white space is octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
