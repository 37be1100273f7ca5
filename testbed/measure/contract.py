"""What a scenario is, and what it may know of a lab.

A scenario is one module in ``scenarios/`` with an instance of a :class:`Scenario` in the attribute
``scenario``. It declares its matrix (``parameters`` and :meth:`Scenario.cells`), its metrics and
the pods that it needs, and yields readings. It knows names and addresses, nothing of how a CNI
mode works inside.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

from testbed.registry import Registry

Better = Literal["higher", "lower", "none"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured quantity.

    Attributes:
        name: Such as ``throughput``.
        unit: In the notation of the International System: ``bit/s``, ``s``, ``1/s``; ``1`` for a
            pure number.
        better: Which way is better; ``none`` for what only explains (CPU time).
        headline: The cells in which it belongs to the report's first figure, as parameter name →
            value; empty for every cell, None for none. ``{"protocol": "udp"}`` is every UDP cell.
    """

    name: str
    unit: str
    better: Better
    headline: Mapping[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one metric, as a scenario yields it."""

    metric: Metric
    value: float


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the campaign that has begun, or has been undone.

    Attributes:
        number: Of the event, from 1 in the order of the campaign file.
        kind: ``link``, ``partition`` or ``kill``.
        target: What failed.
        fails: Whether it failed; it was healed otherwise.
        began: When the lab was asked to, in seconds of CLOCK_MONOTONIC.
        done: When it had done it.
    """

    number: int
    kind: str
    target: str
    fails: bool
    began: float
    done: float


class LabHandle(Protocol):
    """A running lab, as scenarios see it (implemented by ``testbed.lab.client.Lab``).

    A *target* is ``NAMESPACE/POD``, ``node/NAME``, ``router/NAME`` or ``external/NAME``.
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

    @property
    def info(self) -> dict[str, Any]:
        """What does not change; ``info["fabric"]["links"]`` has each link's ends ``a``, ``b``."""

    @property
    def events(self) -> Sequence[Happening]:
        """What of the campaign's events has happened in this sample, up to now."""

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Makes or changes objects; returns when every proxy of this project has them.

        A scenario deletes what it has made before its sample ends.
        """

    def delete(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Deletes objects, known by their kind, namespace and name; returns as :meth:`apply`."""

    def kill(self, target: str) -> None:
        """Sends SIGKILL to the processes of all containers of a pod."""

    def fail(self, kind: str, target: str) -> None:
        """Fails a ``link``, a ``node`` or a ``daemon`` (:mod:`testbed.plan.targets`)."""

    def heal(self, kind: str, target: str) -> bool:
        """Undoes a failure, and says whether there was one."""

    def settle(self, seconds: float) -> list[str]:
        """Waits until the lab is as it should be after a repair; what is not when time is over."""

    def programmed(self) -> tuple[float, float, float] | None:
        """When this project's proxies last began, had worked out their rules, and had loaded them.

        In seconds of CLOCK_MONOTONIC; None where there are none, or they did nothing yet.
        """

    def ports(self) -> list[dict[str, Any]]:
        """What both ends of every link have counted since the lab began.

        One mapping per end: ``a``, the host or switch, its ``interface``, ``peer``, what is at the
        other end, and ``rx_packets``, ``tx_packets``, ``rx_bytes`` … ``tx_dropped``.
        """


Cell = Mapping[str, Any]
"""One point of a scenario's matrix: parameter name → value (a string or a number)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One axis of a scenario's matrix.

    Attributes:
        default: The values that it takes where the campaign names none.
        parse: Makes a value of the campaign file a value of the matrix, or raises ``ValueError``
            with a message that completes the sentence "VALUE is ...".
    """

    default: tuple[Any, ...]
    parse: Callable[[Any], Any]


class Scenario(Protocol):
    """The contract of a scenario; its classes inherit from it what they do not say otherwise."""

    summary: str
    """One line for ``testbed bench --help`` and the report."""

    parameters: Mapping[str, Parameter]
    """The axes of the matrix. Their names are columns of the results."""

    metrics: tuple[Metric, ...]
    """Every metric that :meth:`run` may yield."""

    needs: tuple[str, ...] = ()
    """Names of the features (``testbed doctor``) that it needs, such as ``iperf3``."""

    topologies: tuple[str, ...] = ()
    """The topologies that it runs on; empty for every one."""

    events: bool = False
    """Whether it measures what the campaign's events do, and so needs some."""

    proxied: bool = False
    """Whether it measures Services: a lab without a proxy mode has nothing for it then. Such labs
    of a campaign are left out, and a campaign that has no others is refused."""

    addons: Mapping[str, str] = MappingProxyType({})
    """What a lab must have installed for it: ``--set`` keys, each with a value to propose."""

    states: tuple[str, ...] = ()
    """Parameters that say what the lab *holds*, which takes long to change (10,000 Services). Each
    combination of their values has a lab of its own, which :meth:`prepare` puts into that state
    once, after it has started. So all labs are measured in turns, and no sample waits for a
    state."""

    def cells(self, values: Mapping[str, Sequence[Any]]) -> list[Cell]:
        """The points of the matrix: every combination, or those that have a meaning.

        Args:
            values: A sequence of parsed values for every one of ``parameters``.
        """
        return product(values)

    def prepare(self, lab: LabHandle, state: Cell) -> None:
        """Puts a lab that has just started into a state.

        Args:
            lab: The lab; no other scenario measures in it.
            state: The parameters of :attr:`states` with their values.

        Raises:
            LabError: The lab could not be put into it.
        """
        return

    def manifest(self, nodes: Sequence[str]) -> str:
        """The pods that it needs, as Kubernetes YAML; scenarios may ask for the same pods.

        Args:
            nodes: The names of the lab's nodes; the first and the last are the farthest apart.

        Raises:
            InputError: There are too few nodes.
        """

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Measures one cell once.

        Args:
            lab: The lab to measure in.
            cell: The point of the matrix.
            raw: A folder of this sample's own, in which each tool's output is kept untouched.
            seconds: How long to measure.

        Raises:
            LabError: The tool failed; the message has its own words.
        """


scenarios: Registry[Scenario] = Registry("scenario", "scenarios", "scenario")


def headlines(names: Iterable[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The headline metrics of some scenarios: scenario → metric → cells (``Metric.headline``)."""
    return {
        name: {
            metric.name: metric.headline
            for metric in scenarios.get(name).metrics
            if metric.headline is not None
        }
        for name in names
    }


def state_of(scenario: Scenario, cell: Cell) -> tuple[tuple[str, object], ...]:
    """The part of a cell that is a state of the lab, as names and values; empty for none."""
    return tuple((name, cell[name]) for name in scenario.states)


def product(values: Mapping[str, Sequence[Any]]) -> list[Cell]:
    """Every combination of the values, the last axis running fastest."""
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


def one_of(*choices: str) -> Callable[[Any], str]:
    """A parser of one of some words, for :class:`Parameter`."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"none of {', '.join(choices)}")
        return str(value)

    return parse


def count(value: Any) -> int:
    """A parser of a whole number from 1 to 128, for :class:`Parameter`.

    Raises:
        ValueError: It is none.
    """
    if type(value) is not int or not 1 <= value <= 128:
        raise ValueError("no whole number from 1 to 128")
    return value
