"""The contract of a conformance suite, and the registry of all suites.

A suite is one module in ``testbed/conformance/suites/`` with an instance in the attribute
``suite``; ``network_model.py`` is the suite ``network-model``. Adding one is adding that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from testbed.lab.client import Lab
from testbed.registry import Registry


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: Such as ``pod-to-pod-tcp``.
        count: How many cases were checked.
        total: How many cases there are; more than ``count`` if a sample was taken.
        failures: What is not as it should be: who, what was sent, what came back.
        seconds: How long it took, from its start to its last answer.
        skipped: Why nothing could be checked; empty if something was.
    """

    name: str
    count: int
    total: int
    failures: tuple[str, ...] = ()
    seconds: float = 0.0
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether something was checked, and nothing failed."""
        return not self.failures and not self.skipped

    def to_dict(self) -> dict[str, Any]:
        """As ``testbed conformance -o json`` prints it."""
        return {
            "name": self.name,
            "passed": self.passed,
            "skipped": bool(self.skipped),
            "reason": self.skipped,
            "count": self.count,
            "total": self.total,
            "failures": list(self.failures),
            "seconds": round(self.seconds, 3),
        }


class Suite(Protocol):
    """The contract."""

    summary: str
    """One line for people."""

    def run(self, lab: Lab) -> Iterator[Check]:
        """Checks a lab, and leaves it as it was.

        A network that is broken is no error: it gives checks with failures, within seconds.

        Raises:
            LabError: The lab has ended.
        """


suites: Registry[Suite] = Registry("suite", "testbed.conformance.suites", "suite")
"""The suites by name."""
