"""What a guest shall be: everything that is decided before its first process starts."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from testbed.errors import InputError, MissingError, Where
from testbed.vm import guest, initramfs, kernels
from testbed.vm.init import Programs
from testbed.vm.kernels import Kernel
from testbed.vm.qemu import Size

VIRTIOFSD = (
    "virtiofsd",
    "/usr/libexec/virtiofsd",
    "/usr/lib/virtiofsd",
    "/usr/lib/qemu/virtiofsd",
)
"""Where distributions have it; Debian 12 in QEMU's own folder."""

MOST_CPUS = 255
_OWN = ("/dev", "/proc", "/sys")  # the guest has its own


@dataclass(frozen=True, slots=True)
class Plan:
    """A guest to boot.

    Attributes:
        kernel: Which kernel.
        size: How large.
        programs: What it runs first.
        virtiofsd: Path of virtiofsd, and what it prints for ``--help``.
        writable: Folders of this machine that the guest writes to for real.
        name: Its host name.
    """

    kernel: Kernel
    size: Size
    programs: Programs
    virtiofsd: tuple[str, str]
    writable: tuple[str, ...]
    name: str


def make(kernel: str | None, size: Size, writable: Iterable[Path]) -> Plan:
    """The plan of a guest on this machine.

    Args:
        kernel: As ``--kernel`` says it.
        size: How large.
        writable: Folders of this machine that the guest may write to.

    Raises:
        InputError: There is no such folder or kernel.
        MissingError: The machine lacks something.
    """
    _require()
    programs = Programs(initramfs.busybox(), sys.executable, str(Path(guest.__file__).absolute()))
    return Plan(
        kernel=kernels.choose(kernel, kernels.cache() / "kernels"),
        size=size,
        programs=programs,
        virtiofsd=virtiofsd(),
        writable=outermost(writable),
        name=socket.gethostname(),
    )


def cpus(text: str | None) -> int:
    """How many virtual CPUs a guest has: as said, or as many as this process may use.

    Raises:
        InputError: It is no such number.
    """
    if not text:
        return len(os.sched_getaffinity(0))
    if not re.fullmatch(r"[1-9]\d{0,2}", text) or int(text) > MOST_CPUS:
        raise InputError(f"{text!r} is no number from 1 to {MOST_CPUS}", where=Where("--cpus"))
    return int(text)


def outermost(folders: Iterable[Path]) -> tuple[str, ...]:
    """The folders as real paths, without those that are within others.

    ``/`` is none of them: whoever stands there does not want the guest to write everywhere.

    Raises:
        InputError: One is no folder.
    """
    real = sorted({folder.resolve() for folder in folders})
    for folder in real:
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}", where=Where("--writable"))
    real = [f for f in real if f != Path("/") and not any(map(f.is_relative_to, _OWN))]
    return tuple(str(f) for f in real if not any(other in f.parents for other in real))


def _require() -> None:
    if platform.machine() != "x86_64":
        raise MissingError(f"the virtual machine is for x86_64, and this is {platform.machine()}")
    if os.geteuid() != 0:
        raise MissingError("the virtual machine needs root", hint="Run the same command with sudo.")
    if which("qemu-system-x86_64") is None:
        raise MissingError("there is no QEMU", hint=initramfs.hint("qemu-system-x86"))


def virtiofsd() -> tuple[str, str]:
    """Path of virtiofsd, and what it prints for ``--help``.

    Raises:
        MissingError: There is none.
    """
    for place in VIRTIOFSD:
        program = which(place)
        if program:
            argv = [program, "--help"]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
            return program, done.stdout + done.stderr
    raise MissingError(
        "there is no virtiofsd",
        hint=initramfs.hint("qemu-system-common on Debian 12, virtiofsd elsewhere"),
    )
