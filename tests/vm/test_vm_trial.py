"""A guest that does not boot in time is ended, and one that dies says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.errors import LabError
from testbed.vm import plan, qemu, run
from testbed.vm.kernels import Kernel
from testbed.vm.machine import Machine


def children() -> str:
    """Process ids of our children, living or not reaped."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


@pytest.fixture
def planned() -> plan.Plan:
    return plan.make(None, qemu.Size(512, 1), [])


def test_a_trial_has_a_time_limit(planned: plan.Plan) -> None:
    before = children()
    assert run.tried(planned, qemu.TCG, 0.5) is None
    assert children() == before


def test_an_accelerator_that_fails_is_no_error_of_a_trial(planned: plan.Plan) -> None:
    """Where KVM does boot guests, the trial gives one: either way nothing is left."""
    before = children()
    machine = run.tried(planned, qemu.KVM, 5)
    if machine:
        machine.end()
    assert children() == before


def test_a_guest_that_dies_leaves_its_last_words(planned: plan.Plan, tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz"
    image.write_bytes(planned.kernel.image.read_bytes())
    lone = Kernel(planned.kernel.version, image, None)  # no modules: no root
    broken = plan.Plan(lone, *(getattr(planned, n) for n in planned.__slots__[1:]))
    machine = Machine(broken, qemu.TCG)
    try:
        with pytest.raises(LabError, match="the virtual machine died; its last words"):
            machine.is_ready(120)
    finally:
        machine.end()
