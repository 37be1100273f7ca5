"""Running a command in a guest, from the options of ``testbed vm`` to its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import InputError, LabError
from testbed.vm import accel, kernels, qemu
from testbed.vm.machine import BOOT_LIMIT, Machine
from testbed.vm.plan import Plan

INSIDE = "TESTBED_VM"
"""The environment variable that is set in a guest."""


def run(plan: Plan, argv: Sequence[str]) -> int:
    """Boots a guest, runs a command with our streams, folder and environment, and ends it.

    Args:
        plan: Of the guest.
        argv: The command.

    Returns:
        Its exit code; 128 + N if signal N ended it, 127 if there is no such command.

    Raises:
        LabError: The guest did not boot, or died.
    """
    with booted(plan) as machine:
        return machine.run(argv, {**os.environ, INSIDE: "1"}, str(here()))


def here() -> Path:
    """The working directory.

    Raises:
        InputError: It has been removed.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise InputError("the working directory is gone") from None


def refuse_inside() -> None:
    """Refuses a virtual machine in a virtual machine.

    Raises:
        InputError: This is one.
    """
    if os.environ.get(INSIDE):
        raise InputError(
            "this is the virtual machine already", hint="Leave out `testbed vm --`, or --vm."
        )


@contextmanager
def booted(plan: Plan) -> Iterator[Machine]:
    """A guest that is ready, for the time of a ``with`` block; says on stderr how it runs.

    Raises:
        LabError: It does not boot.
    """
    machine = _boot(plan)
    try:
        yield machine
    finally:
        machine.end()


def _boot(plan: Plan) -> Machine:
    memory = accel.Memory(kernels.cache(), plan.kernel.version)
    known = memory.boots()
    if known is not False:
        machine = tried(plan, qemu.KVM, accel.TRIAL)
        memory.remember(machine is not None)
        if machine:
            _say(plan, "KVM")
            return machine
    _say(plan, "software emulation, because KVM boots no guest here")
    machine = tried(plan, qemu.TCG, BOOT_LIMIT)
    if machine is None:
        raise LabError(f"the virtual machine did not start within {BOOT_LIMIT:g} s")
    return machine


def tried(plan: Plan, accelerator: str, limit: float) -> Machine | None:
    """A guest that was ready in time; with KVM, whatever else happens counts as not ready."""
    machine = Machine(plan, accelerator)
    try:
        if machine.is_ready(limit):
            return machine
    except LabError:
        if accelerator != qemu.KVM:
            machine.end()
            raise
    except BaseException:
        machine.end()
        raise
    machine.end()
    return None


def _say(plan: Plan, how: str) -> None:
    size = f"{plan.size.cpus} CPUs, {plan.size.memory} MiB"
    print(f"testbed: vm: Linux {plan.kernel.version}, {size}, {how}", file=sys.stderr, flush=True)
