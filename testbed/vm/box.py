"""The processes around a guest, and the namespaces that end with them.

Three processes, as for a lab (:mod:`testbed.kernel.sandbox`)::

    testbed vm ── launcher ── process 1 of a PID namespace ── virtiofsd, QEMU
                  (waits)     (ends when `testbed vm` does)

Process 1 waits for the end of a pipe that ``testbed vm`` alone holds. When that dies, however it
dies, process 1 ends, and with it the kernel ends the others (pid_namespaces(7)). There is no file:
sockets are pairs or nameless, the initramfs is in memory.

Process 1 also has a mount namespace of its own, and virtiofsd serves what that shows: everything
read-only, but for the folders that shall be writable. So it is this kernel that keeps the guest
from writing elsewhere.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from testbed.kernel import syscalls as sc
from testbed.vm import init, initramfs, qemu
from testbed.vm.mounts import attach, detached
from testbed.vm.plan import Plan

_NAMESPACES = sc.CLONE_NEWNS | sc.CLONE_NEWNET | sc.CLONE_NEWIPC


@dataclass
class Box:
    """A guest's processes, from outside.

    Attributes:
        sockets: Our ends: ``console``, ``log`` (what virtiofsd and QEMU say), and the ports.
        lease: The guest lives as long as this is open.
        launcher: Process id of the launcher.
    """

    sockets: dict[str, socket.socket]
    lease: int
    launcher: int

    def end(self) -> None:
        """Ends the guest, and returns when all of its processes are gone."""
        if self.lease < 0:
            return
        os.close(self.lease)
        self.lease = -1
        os.waitpid(self.launcher, 0)
        for ours in self.sockets.values():
            ours.close()


def start(plan: Plan, accelerator: str) -> Box:
    """Starts the processes of a guest and returns at once; what goes wrong is in ``log``.

    Must be called in a process with one thread, because it forks.

    Args:
        plan: What to boot.
        accelerator: :data:`testbed.vm.qemu.KVM` or :data:`testbed.vm.qemu.TCG`.
    """
    pairs = {name: socket.socketpair() for name in ("console", "log", *qemu.PORTS)}
    watched, lease = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    launcher = os.fork()
    if launcher == 0:
        theirs = {name: pair[1].detach() for name, pair in pairs.items()}
        _or_die(theirs["log"], lambda: _launch(plan, accelerator, theirs, watched))
    os.close(watched)
    for _, other in pairs.values():
        other.close()
    return Box({name: pair[0] for name, pair in pairs.items()}, lease, launcher)


def _or_die(log: int, action: Callable[[], None]) -> NoReturn:
    """Ends this process after an action; what goes wrong goes to the log."""
    try:
        action()
    except BaseException as error:
        os.write(log, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(1)


def _close_but(keep: Iterable[int]) -> None:
    """Closes every descriptor from 3 up but some."""
    kept = sorted(keep)
    for low, high in zip((2, *kept), (*kept, os.sysconf("SC_OPEN_MAX")), strict=True):
        os.closerange(low + 1, high)


def _launch(plan: Plan, accelerator: str, theirs: dict[str, int], watched: int) -> None:
    """The launcher: lets go of all else, above all of the lease, and waits for process 1."""
    os.setsid()  # Ctrl-C is for `testbed vm` alone, which knows what to do about it
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(theirs["log"], 1)
    os.dup2(theirs["log"], 2)
    _close_but({*theirs.values(), watched})
    sc.unshare(sc.CLONE_NEWPID)
    first = os.fork()
    if first == 0:
        _or_die(theirs["log"], lambda: _run(plan, accelerator, theirs, watched))
    os.dup2(0, 1)
    os.dup2(0, 2)
    _close_but(())
    os.waitpid(first, 0)


def _run(plan: Plan, accelerator: str, theirs: dict[str, int], watched: int) -> None:
    """Process 1: starts virtiofsd and QEMU, and waits for the end of any."""
    sc.unshare(_NAMESPACES)
    _mounts(plan)
    memory = _initramfs(plan)
    root, server = _serve_files(*plan.virtiofsd)
    append = qemu.kernel_options(accelerator, plan.programs.busybox, ("sh", init.PATH))
    files = {name: theirs[name] for name in ("console", *qemu.PORTS)} | {"root": root}
    image = str(plan.kernel.image)
    line = qemu.command(plan.size, accelerator, image, memory, files, append)
    guest = subprocess.Popen(line, pass_fds=(memory, *files.values()))
    awaited = (watched, os.pidfd_open(server), os.pidfd_open(guest.pid))
    _close_but(awaited)
    poll = select.poll()
    for number in awaited:
        poll.register(number, select.POLLIN)
    poll.poll()
    os._exit(0)


def _mounts(plan: Plan) -> None:
    """Makes everything read-only but what shall be writable; ``/run`` has the guest's script."""
    sc.mount("", "/", flags=sc.MS_REC | sc.MS_PRIVATE)
    trees = {folder: detached(folder) for folder in plan.writable}
    sc.make_read_only("/")
    sc.mount("tmpfs", "/run", "tmpfs", sc.MS_NOSUID | sc.MS_NODEV, "mode=0755")
    text = init.script(plan.programs, plan.kernel, plan.writable, plan.name)
    Path(init.FOLDER, "memory").mkdir(parents=True)
    Path(init.PATH).write_text(text)
    for folder, tree in trees.items():
        if folder.startswith("/run/"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        attach(tree, folder)


def _initramfs(plan: Plan) -> int:
    """A descriptor of the initramfs; virtme-ng writes files for a moment, which go to memory."""
    tempfile.tempdir = "/run"
    memory = os.memfd_create("initramfs")
    initramfs.write(plan.kernel, plan.programs.busybox, memory)
    return memory


def _serve_files(program: str, usage: str) -> tuple[int, int]:
    """Starts virtiofsd; a descriptor of a connection to it, and its process id."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")  # a name that the kernel chooses, in this network namespace
    listener.listen(1)
    line = qemu.virtiofsd(program, usage, listener.fileno())
    server = subprocess.Popen(line, pass_fds=[listener.fileno()])
    client = socket.socket(socket.AF_UNIX)
    client.connect(listener.getsockname())
    return client.detach(), server.pid
