"""The contract of a CNI mode, and the registry of all modes.

A mode is one module in ``cni_modes/`` with an instance in the attribute ``mode``; nothing else in
the code base names a mode. ``CONTRIBUTING.md`` walks through adding one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from testbed.cluster.model import Cluster
from testbed.plan.model import ExpectedRoute, Plan
from testbed.registry import Registry


class CniMode(Protocol):
    """How pods are wired to their node, and pod traffic is carried between nodes."""

    summary: str
    """One line for people."""

    overhead: int
    """Bytes that encapsulation takes from the underlay's MTU."""

    needs: tuple[str, ...]
    """Kernel features and programs, by their names in ``testbed doctor``."""

    settings: Mapping[str, str]
    """Its own ``--set`` keys with their defaults."""

    def check(self, cluster: Cluster) -> None:
        """Refuses a cluster that the mode cannot carry.

        Raises:
            InputError: The topology or a setting does not suit the mode.
        """

    def plan(self, cluster: Cluster) -> Plan:
        """What the mode needs in every node and pod; pure."""

    def expects(self, cluster: Cluster) -> Mapping[str, tuple[ExpectedRoute, ...]]:
        """The routes that must be in the kernel, by namespace, before the mode has converged.

        What the plan itself programs need not be named: this is for what daemons find out.
        """


modes: Registry[CniMode] = Registry("CNI mode", "cni_modes", "mode")
