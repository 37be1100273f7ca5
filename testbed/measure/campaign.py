"""What a campaign measures: its matrix and the labs that it needs. Pure.

Its file is read by :mod:`testbed.measure.campaignfile`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from testbed.defaults import CNI, NONE, TOPOLOGY
from testbed.errors import InputError, Where, unknown
from testbed.measure.contract import Cell, Scenario, scenarios, state_of
from testbed.measure.events import Event
from testbed.measure.schedule import UNIMPAIRED, Variant
from testbed.objects.source import Origin, Source
from testbed.plan.contract import modes
from testbed.proxy.contract import modes as proxies
from testbed.topology import load

KEYS = (
    "topology", "settings", "impairments", "cni", "proxy", "repeat", "seconds", "seed", "events",
    "scenarios",
)  # fmt: skip
PROXY_KEY, FIRST = "proxy", "first"
"""What a scenario says in a campaign file that is measured with the first proxy mode alone."""

OPTIONAL = "?"
"""The end of a proxy mode's name that is left out where the machine lacks what it needs."""

Axes = Mapping[str, tuple[Any, ...]]
Check = Callable[[Any, Where], Any]


@dataclass(frozen=True)
class Campaign:
    """A campaign whose names and values are known to exist.

    Attributes:
        topology: Names or files of topologies.
        settings: As of ``--set``.
        impairments: An axis of the matrix: settings that are added to these, by what the results
            call them (:func:`called`).
        cni: Names of CNI modes.
        proxy: Names of proxy modes; one that ends in :data:`OPTIONAL` is left out where the machine
            lacks it (:mod:`testbed.measure.available`), and is none of a lab.
        repeat: Number of blocks.
        seconds: Length of a sample.
        seed: Of the order; None to have one drawn.
        events: What fails during each sample.
        scenarios: Name of each scenario → the values of all its parameters.
        once: Scenarios that are measured with the first proxy mode alone: no mode makes a
            difference to them.
        origin: Where it was read, for messages.
    """

    topology: tuple[str, ...] = (TOPOLOGY,)
    settings: Mapping[str, str] = field(default_factory=dict)
    impairments: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {UNIMPAIRED: {}})
    cni: tuple[str, ...] = (CNI,)
    proxy: tuple[str, ...] = (NONE,)
    repeat: int = 5
    seconds: int = 1
    seed: int | None = None
    events: tuple[Event, ...] = ()
    scenarios: Mapping[str, Axes] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    origin: Origin = field(default=Origin(Source("the campaign")), compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the keys being those of a campaign file."""
        return {
            **{key: getattr(self, key) for key in KEYS},
            **{key: list(getattr(self, key)) for key in ("topology", "cni", "proxy")},
            "settings": dict(self.settings),
            "impairments": [dict(settings) for settings in self.impairments.values()],
            "events": [event.to_dict() for event in self.events],
            "scenarios": {
                name: {
                    **{key: list(values) for key, values in axes.items()},
                    **({PROXY_KEY: FIRST} if name in self.once else {}),
                }
                for name, axes in self.scenarios.items()
            },
        }

    def points(self) -> dict[Variant, list[tuple[str, Cell]]]:
        """What is measured in each lab: names of scenarios with a cell.

        Raises:
            InputError: A scenario fits none of the topologies or proxy modes, or lacks events, or
                there is nothing to measure in a lab.
        """
        axes = (self.topology, self.cni, self.proxy, self.impairments)
        found: dict[Variant, list[tuple[str, Cell]]] = {}
        for modes_ in itertools.product(*axes):
            for name, cell in self._cells(Variant(*modes_)):
                variant = Variant(*modes_, state=state_of(scenarios.get(name), cell))
                found.setdefault(variant, []).append((name, cell))
        return found

    def _cells(self, variant: Variant) -> list[tuple[str, Cell]]:
        """What is measured in the labs with these modes, whatever their state.

        Raises:
            InputError: It is nothing, or as :meth:`points`.
        """
        fitting = {n: axes for n, axes in self.scenarios.items() if self._fits(n, variant)}
        found = [(n, cell) for n, axes in fitting.items() for cell in scenarios.get(n).cells(axes)]
        if not found and not self.once & self.scenarios.keys():
            hint = "Name scenarios that fit its topology and proxy mode."
            raise InputError(f"nothing to measure in {variant}", hint=hint)
        return found

    def _fits(self, name: str, variant: Variant) -> bool:
        """Whether a scenario has something to measure in labs with these modes.

        Raises:
            InputError: In no lab of the campaign it has.
        """
        scenario = scenarios.get(name)
        self._check(name, scenario)
        if name in self.once and variant.proxy != self.proxy[0]:
            return False
        carried = variant.proxy != NONE or not scenario.proxied
        return carried and (not scenario.topologies or variant.topology in scenario.topologies)

    def _check(self, name: str, scenario: Scenario) -> None:
        for lack, hint in self.lacks(scenario):
            own = name in ((self.origin.root or {}).get("scenarios") or {})
            where = self.origin.where(("scenarios", name)) if own else Where("--scenario")
            raise InputError(f"scenario {name} needs {lack}", where=where, hint=hint)

    def lacks(self, scenario: Scenario) -> Iterator[tuple[str, str]]:
        """What a scenario needs that no lab of the campaign has, and how to give it."""
        if scenario.events and not self.events:
            hint = "Give a campaign file some: events: [{at: 500ms, link: l1-sp1, for: 1s}]"
            yield "events", hint
        wanted = scenario.topologies
        if wanted and not set(wanted) & set(self.topology):
            yield f"the topology {' or '.join(wanted)}", f"Say -t {wanted[0]}."
        if scenario.proxied and set(self.proxy) == {NONE}:
            yield "a proxy mode", "Say --proxy iptables,nftables."
        for key, value in scenario.addons.items():
            chosen = [self.settings, *self.impairments.values()]
            if not any(one.get(key, NONE) != NONE for one in chosen):
                yield f"the add-on {key}", f"Say --{key} {value}."


def called(settings: Mapping[str, str]) -> str:
    """What the results call an impairment: ``delay=20ms loss=1%``, or ``none``."""
    return " ".join(f"{key}={value}" for key, value in settings.items()) or UNIMPAIRED


def distinct(found: Sequence[Any], where: Where) -> tuple[Any, ...]:
    """The values as a tuple.

    Raises:
        InputError: There are none, or two are equal.
    """
    if not found:
        raise InputError("must not be empty", where=where)
    for position, item in enumerate(found):
        if item in found[:position]:
            raise InputError(f"{item!r} is named twice", where=where)
    return tuple(found)


def defaults(scenario: Scenario) -> dict[str, tuple[Any, ...]]:
    """The values that a scenario's parameters take by themselves."""
    return {key: parameter.default for key, parameter in scenario.parameters.items()}


def _topology(name: Any, where: Where) -> str:
    text = str(name)
    if "/" not in text and not Path(text).suffix and text not in load.names():
        raise unknown("topology", text, load.names(), where)
    return text


def _cni(name: Any, where: Where) -> str:
    modes.get(str(name), where)
    return str(name)


def _proxy(name: Any, where: Where) -> str:
    proxies.get(str(name).removesuffix(OPTIONAL), where)
    return str(name)


CHECKS: Mapping[str, Check] = {"topology": _topology, "cni": _cni, "proxy": _proxy}
"""What checks a name, with the place to blame."""

LIMITS = {"repeat": (1, 1000), "seconds": (1, 3600), "seed": (0, 2**53)}
"""The least and the most of each number."""


def override(
    campaign: Campaign,
    names: Mapping[str, Sequence[str]],
    chosen: Sequence[str],
    settings: Mapping[str, str],
    **numbers: int | None,
) -> Campaign:
    """A campaign with what the command line says instead.

    Args:
        campaign: The campaign of the file.
        names: ``topology``, ``cni``, ``proxy`` → names; an absent key keeps the file's.
        chosen: Names of scenarios; with the file's parameters where it has them, else with their
            defaults. None at all keeps the file's.
        settings: ``--set`` keys and values; they are added to the file's.
        numbers: ``repeat``, ``seed``; None keeps the file's.

    Raises:
        InputError: A name is not known.
    """
    changes: dict[str, Any] = {k: v for k, v in numbers.items() if v is not None}
    changes["settings"] = {**campaign.settings, **settings}
    for key, values in names.items():
        where = Where(f"--{key}")
        changes[key] = distinct([CHECKS[key](value, where) for value in values], where)
    if set(changes.get("proxy", ())) == {NONE} and "ingress" not in settings:
        changes["settings"].pop("ingress", None)  # the file's controller would need one
    if chosen:
        where = Where("--scenario")
        parts = {name: scenarios.get(name, where) for name in distinct(chosen, where)}
        own = campaign.scenarios
        changes["scenarios"] = {n: own.get(n) or defaults(part) for n, part in parts.items()}
    found = replace(campaign, **changes)
    return found if found.scenarios else replace(found, scenarios=_fitting(found))


def _fitting(campaign: Campaign) -> dict[str, Axes]:
    """All scenarios that the campaign's labs have what they need for."""
    every = {name: scenarios.get(name) for name in sorted(scenarios.names())}
    return {n: defaults(one) for n, one in every.items() if not any(campaign.lacks(one))}
