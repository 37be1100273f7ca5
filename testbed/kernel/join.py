"""Running a program in other namespaces, by nsenter(1).

``nsenter`` becomes the program itself (or, with a PID namespace, its parent that passes the exit
code on), so no Python runs between: starting a program in a pod costs two ``exec`` calls.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Any, NoReturn

KINDS = ("pid", "ipc", "uts", "net", "mount")
"""The kinds of namespace, in the order in which they are joined."""

OWN_KINDS = ("uts", "net", "mount")
"""Those that each pod or host has of its own, the rest being the sandbox's; the order in which
descriptors of them travel."""

Descriptors = dict[str, int]
"""Kind of namespace → an open descriptor of one."""


def command(namespaces: Descriptors, argv: Sequence[str]) -> list[str]:
    """The nsenter command line for ARGV; the descriptors must be inheritable or passed on.

    With a PID namespace nsenter stays as the parent; setpriv(1) then has the kernel kill ARGV when
    nsenter dies, so that killing the one kills the other.
    """
    options = [f"--{kind}=/proc/self/fd/{number}" for kind, number in namespaces.items()]
    tie = ["setpriv", "--pdeathsig", "KILL", "--"] if "pid" in namespaces else []
    return ["nsenter", *options, "--", *tie, *argv]


def popen(namespaces: Descriptors, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts ARGV in the namespaces; ``options`` are those of ``subprocess.Popen``."""
    return subprocess.Popen(
        command(namespaces, argv), pass_fds=tuple(namespaces.values()), **options
    )


def run(
    namespaces: Descriptors, argv: Sequence[str], seconds: float, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Runs ARGV in the namespaces to its end, without input; ``options`` as of :func:`popen`.

    Raises:
        subprocess.TimeoutExpired: It has not ended in time; it was killed.
    """
    return subprocess.run(
        command(namespaces, argv),
        pass_fds=tuple(namespaces.values()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        check=False,
        **options,
    )


def become(namespaces: Descriptors, argv: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Becomes ARGV in the namespaces; does not return.

    Raises:
        OSError: nsenter cannot be run.
    """
    for number in namespaces.values():
        os.set_inheritable(number, True)
    line = command(namespaces, argv)
    os.execvpe(line[0], line, environment)  # noqa: S606 - becoming it is the point
