"""The same command in the virtual machine: what ``--vm`` of a command does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from testbed.vm import plan, qemu, run

MEMORY = "4G"
"""Of a guest, where nobody says otherwise."""

OPTION = "--vm"
SETTINGS = {"memory": "TESTBED_VM_MEMORY", "cpus": "TESTBED_VM_CPUS", "kernel": "TESTBED_VM_KERNEL"}
"""Option of ``testbed vm`` → the environment variable that sets it for ``--vm`` too."""


def rerun(arguments: Sequence[str], writable: Iterable[Path] = ()) -> int:
    """Runs ``testbed ARGUMENTS`` without its ``--vm`` in a guest.

    Args:
        arguments: Of this command: ``testbed.cli.arguments()``.
        writable: Folders, further to the working directory, that it writes to.

    Returns:
        The exit code.

    Raises:
        InputError: This is a guest already.
        MissingError: The machine lacks something.
        LabError: The guest did not boot, or died.
    """
    run.refuse_inside()
    memory, kernel = (os.environ.get(SETTINGS[name]) for name in ("memory", "kernel"))
    size = qemu.Size(qemu.mebibytes(memory or MEMORY), plan.cpus(os.environ.get(SETTINGS["cpus"])))
    planned = plan.make(kernel or None, size, (run.here(), *writable))
    return run.run(planned, command(arguments))


def command(arguments: Sequence[str]) -> list[str]:
    """The command line in the guest.

    Args:
        arguments: Of ``testbed``; what follows ``--`` belongs to somebody else.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours = [word for word in arguments[:end] if word != OPTION]
    return [sys.executable, "-P", "-m", "testbed", *ours, *arguments[end:]]
