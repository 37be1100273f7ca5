"""The option ``--vm``: the same command in the virtual machine.

A command has it by the decorator :func:`vm_option`, and returns what :func:`rerun` does::

    @click.command()
    @vm_option
    @click.pass_context
    def command(ctx: click.Context, vm: bool) -> int | None:
        if vm:
            return rerun(ctx)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def vm_option(command: Command) -> Command:
    """Adds ``--vm`` to a command."""
    return click.option(
        "--vm", is_flag=True, help="In a virtual machine with every kernel feature (testbed vm)."
    )(command)


def rerun(ctx: click.Context, further: Sequence[str] = (), writable: Iterable[Path] = ()) -> int:
    """Runs this command line, without its ``--vm``, in the virtual machine.

    Args:
        ctx: Of the command.
        further: Arguments to add.
        writable: Folders, further to the working directory, that it writes to.

    Returns:
        Its exit code.

    Raises:
        TestbedError: As :func:`testbed.vm.rerun.rerun`.
    """
    from testbed.cli import ARGUMENTS
    from testbed.vm.rerun import rerun as again

    return again([*ctx.meta[ARGUMENTS], *further], writable)
