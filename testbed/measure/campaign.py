"""What a campaign measures: its matrix and the labs that it needs. Pure.

Its file is read by :mod:`testbed.measure.campaignfile`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from testbed import spec as specs
from testbed.defaults import CNI, TOPOLOGY
from testbed.errors import InputError, Where, unknown
from testbed.measure.contract import Cell, Scenario, scenarios, state_of
from testbed.measure.events import KINDS, Event
from testbed.measure.schedule import UNIMPAIRED, Variant
from testbed.objects import Object, parse
from testbed.objects.source import Origin, Source
from testbed.plan import targets
from testbed.plan.contract import modes
from testbed.proxy.contract import modes as proxies
from testbed.spec import Spec
from testbed.topology import load

KEYS = (
    "topology", "settings", "impairments", "cni", "proxy", "repeat", "seconds", "seed", "events",
    "scenarios",
)  # fmt: skip
NO_PROXY = "none"
"""The proxy mode that carries no Service."""

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
    proxy: tuple[str, ...] = (NO_PROXY,)
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
        if scenarios.get(name).events and not self.events:
            raise InputError(
                f"scenario {name} needs events",
                where=self.origin.where(("scenarios", name)),
                hint="Give a campaign file some: events: [{at: 500ms, link: l1-sp1, for: 1s}]",
            )
        wanted = scenarios.get(name).topologies
        if wanted and not set(wanted) & set(self.topology):
            raise InputError(
                f"scenario {name} needs the topology {' or '.join(wanted)}",
                where=self.origin.where(("scenarios", name)),
                hint=f"Say -t {wanted[0]}.",
            )
        if scenarios.get(name).proxied and set(self.proxy) == {NO_PROXY}:
            raise InputError(
                f"scenario {name} needs a proxy mode",
                where=self.origin.where(("scenarios", name)),
                hint="Say --proxy iptables,nftables.",
            )
        if name in self.once and variant.proxy != self.proxy[0]:
            return False
        carried = variant.proxy != NO_PROXY or not scenarios.get(name).proxied
        return carried and (not wanted or variant.topology in wanted)


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
    if set(changes.get("proxy", ())) == {NO_PROXY} and "ingress" not in settings:
        changes["settings"].pop("ingress", None)  # the file's controller would need one
    if chosen:
        where = Where("--scenario")
        parts = {name: scenarios.get(name, where) for name in distinct(chosen, where)}
        own = campaign.scenarios
        changes["scenarios"] = {n: own.get(n) or defaults(part) for n, part in parts.items()}
    found = replace(campaign, **changes)
    return found if found.scenarios else replace(found, scenarios=_fitting(found))


def _fitting(campaign: Campaign) -> dict[str, Axes]:
    """All scenarios that run on the campaign's topologies and modes, and have their events."""
    every = {name: scenarios.get(name) for name in scenarios.names()}
    given = set(campaign.topology)
    fits = {n for n, s in every.items() if not s.topologies or set(s.topologies) & given}
    some = {name for name in fits if campaign.events or not every[name].events}
    if set(campaign.proxy) == {NO_PROXY}:
        some = {name for name in some if not every[name].proxied}
    return {name: defaults(every[name]) for name in sorted(some)}


def resolve(campaign: Campaign) -> dict[Variant, Spec]:
    """The labs of a campaign, with the pods that its scenarios need.

    Raises:
        InputError: Nothing is to be measured, or what is chosen does not fit together.
    """
    found = {}
    for variant, points in campaign.points().items():
        names = dict.fromkeys(name for name, _ in points)
        try:
            bare = _spec(campaign, variant)
            nodes = [node.name for node in bare.cluster.nodes]
            manifests = [scenarios.get(name).manifest(nodes) for name in names]
            found[variant] = _spec(campaign, variant, _merged(names, manifests))
            _check_events(campaign, variant, found[variant])
        except InputError as error:
            raise _placed(error, campaign, variant) from None
    return found


def _spec(campaign: Campaign, variant: Variant, objects: Iterable[Object] = ()) -> Spec:
    chosen = {**campaign.settings, **campaign.impairments[variant.impairment]}
    return specs.resolve(variant.topology, objects, variant.cni, variant.proxy, chosen)


def _check_events(campaign: Campaign, variant: Variant, spec: Spec) -> None:
    """Refuses events that end with the sample before they begin, or have no target in a lab."""
    for i, event in enumerate(campaign.events):
        where = campaign.origin.where(("events", i))
        if event.at >= campaign.seconds:
            message = f"begins at {event.at:g} s, when the sample is over (seconds: "
            raise InputError(f"{message}{campaign.seconds})", where=where)
        try:
            targets.check(KINDS[event.kind], event.target, spec.topology, spec.plan, where)
        except InputError as error:
            message = f"{error.message} (in {variant})"
            raise InputError(message, where=where, hint=error.hint) from None


def _merged(names: Iterable[str], manifests: Sequence[str]) -> list[Object]:
    """The objects of several scenarios; equal ones once."""
    found: dict[tuple[str, str | None, str], Object] = {}
    for name, text in zip(names, manifests, strict=True):
        for item in parse(text, f"manifest of {name}"):
            key = (item.kind, item.metadata.namespace, item.metadata.name)
            if key in found and found[key].manifest != item.manifest:
                raise InputError(f"{name} and another scenario want {key} differently")
            found[key] = item
    return list(found.values())


def _placed(error: InputError, campaign: Campaign, variant: Variant) -> InputError:
    """An error about ``--set``, placed in the file if it is the file that says it."""
    if error.where is None or error.where.file != "--set":
        return error
    path = _blamed(error, campaign, variant)
    if not path:
        return error  # it may be about what the command line says
    return InputError(error.message, where=campaign.origin.where(path), hint=error.hint)


def _blamed(error: InputError, campaign: Campaign, variant: Variant) -> tuple[str | int, ...]:
    """Where in the file the setting is that an error is about; empty if nowhere."""
    key = error.where.field if error.where else None
    number = list(campaign.impairments).index(variant.impairment)
    for name in campaign.impairments[variant.impairment]:
        if name == key or (key is None and repr(name) in error.message):
            return "impairments", number, name
    said = (campaign.origin.root or {}).get("settings") or {}
    if not said or (key not in said and campaign.settings.keys() - said.keys()):
        return ()
    return ("settings", key) if key and key in said else ("settings",)
