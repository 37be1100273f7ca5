"""``kernel``: an executor with namespaces of its own, and what iproute2 sees in them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.kernel.executor import Executor
from testbed.plan.diff import diff
from testbed.plan.model import NamespacePlan, Plan


class Kernel:
    """An executor, driven by plans.

    Attributes:
        executor: It has namespaces that no process is in; they end with the test.
    """

    def __init__(self) -> None:
        self.executor = Executor()
        self._plan = Plan()

    def become(self, **parts: NamespacePlan) -> None:
        """Makes it so; ``node_n1`` is the namespace ``node/n1``."""
        plan = Plan({name.replace("_", "/"): part for name, part in parts.items()})
        self.executor.apply(diff(self._plan, plan))
        self._plan = plan

    def say(self, namespace: str, line: str, code: int = 0) -> str:
        """What a command line prints in a namespace."""
        number = self.executor.namespaces[namespace].descriptor
        enter = ["nsenter", f"--net=/proc/self/fd/{number}", "--", *line.split()]
        done = subprocess.run(
            enter, pass_fds=[number], capture_output=True, text=True, timeout=10, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    def ask(self, namespace: str, line: str) -> list[dict[str, Any]]:
        """The same of a program of iproute2, as JSON."""
        program, _, rest = line.partition(" ")
        said = self.say(namespace, f"{program} -j {rest}")
        # iproute2 6.1 prints "id":1fan-map of a VXLAN where Ubuntu has patched it (fan networking).
        return json.loads(said.replace("fan-map ", "") or "[]")

    def link(self, namespace: str, device: str) -> dict[str, Any]:
        """All that ``ip -details link`` knows of a device."""
        (found,) = self.ask(namespace, f"ip -d link show {device}")
        return found

    def close(self) -> None:
        for name in list(self.executor.namespaces):
            self.executor.namespaces.pop(name).close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = Kernel()
    yield made
    made.close()
