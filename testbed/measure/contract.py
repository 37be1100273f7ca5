"""What a scenario is, and what it may know of a lab.

A scenario is one module in ``scenarios/`` with an instance of a :class:`Scenario` in the attribute
``scenario``. It declares its matrix (``parameters``), its metrics and the pods that it needs, and
yields samples. It knows names and addresses, nothing of how a CNI mode works inside.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Better = Literal["higher", "lower", "none"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured quantity.

    Attributes:
        name: Such as ``throughput``.
        unit: In the notation of the International System: ``bit/s``, ``s``, ``1/s``; ``1`` for a
            pure number.
        better: Which way is better; ``none`` for what only explains (CPU time).
    """

    name: str
    unit: str
    better: Better


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric, as a scenario yields it."""

    metric: Metric
    value: float


class LabHandle(Protocol):
    """A running lab, as scenarios see it (implemented by ``testbed.lab.client.Lab``).

    A *target* is ``NAMESPACE/POD``, ``node/NAME`` or ``external/NAME``.
    """

    def popen(self, target: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Starts ARGV in the target's namespaces; ``options`` are those of ``subprocess.Popen``.

        Killing the returned process kills ARGV (SIGKILL follows its parent's death), and so does
        the end of the lab. The exit code is ARGV's own.
        """

    def address(self, target: str) -> str:
        """The IPv4 address of the target: the pod IP, or the address on the underlay."""

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """API objects of a kind (``pods``, ``nodes`` …), in Kubernetes' JSON shape with status."""

    def set_link(self, a: str, b: str, *, up: bool) -> None:
        """Takes the link between two fabric hosts or switches down, or up again."""


Cell = Mapping[str, Any]
"""One point of a scenario's matrix: parameter name → value."""


class Scenario(Protocol):
    """The contract of a scenario."""

    summary: str
    """One line for ``testbed bench --help`` and the report."""

    parameters: Mapping[str, Sequence[Any]]
    """The matrix: parameter name → the values that it takes by default."""

    metrics: Sequence[Metric]
    """Every metric that :meth:`run` may yield (machine CPU time is added by the campaign)."""

    needs: Sequence[str]
    """Names of the features (``testbed doctor``) that it needs, such as ``iperf3``."""

    def manifest(self) -> str:
        """The pods that it needs, as Kubernetes YAML; merged over scenarios by name."""

    def run(self, lab: LabHandle, cell: Cell, raw: Path) -> Iterator[Reading]:
        """Measures one cell once.

        Args:
            lab: The lab to measure in.
            cell: The point of the matrix.
            raw: A folder of this sample's own, in which each tool's output is kept untouched.

        Raises:
            LabError: The tool failed; the message has its own words.
        """
