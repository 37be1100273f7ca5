"""The fixtures ``vm``, one virtual machine for all tests, and ``vm_lab``, labs in it.

See ``machines.py`` for what they can do. All tests of this folder run in one worker of
pytest-xdist (``tests/conftest.py``), so that the machine boots once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import which

import pytest
from machines import StartVmLab, Vm, VmLab

from testbed.errors import MissingError
from testbed.go import build


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, and skips them where there is no QEMU to be had."""
    reason = _lacking()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vm)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _lacking() -> str:
    if os.geteuid() != 0:
        return "needs root"
    return "" if which("qemu-system-x86_64") else "there is no QEMU (`./run test` installs it)"


@pytest.fixture(scope="session")
def vm() -> Iterator[Vm]:
    """The virtual machine; starts with the first test that wants it."""
    machine = Vm()
    yield machine
    assert machine.end() == 0


@pytest.fixture(scope="session")
def kube_proxy() -> Path:
    """The real kube-proxy, built outside: that takes minutes there, and hours in the machine."""
    try:
        return build.find("kube-proxy") or build.build(build.FOLDERS / "kube-proxy")
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def vm_lab(vm: Vm) -> Iterator[StartVmLab]:
    """Starts labs in the virtual machine that end with the test; arguments as of ``lab``."""
    with ExitStack() as stack:

        def start(**asked: object) -> VmLab:
            started = vm.lab(**asked)  # type: ignore[arg-type]
            stack.callback(started.run, "down", code=None)
            return started

        yield start
