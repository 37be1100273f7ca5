"""Reading a campaign file, with the line of whatever is wrong in it.

A campaign file is YAML; every key may be left out::

    topology: single              # or a list: one lab per topology, CNI mode and proxy mode
    settings: {nodes: 2}          # --set of testbed up
    impairments: [{}, {delay: 20ms}, {loss: 1%}]    # one lab for each: settings added to these
    cni: [vxlan, bgp]
    proxy: [iptables, ipvs?]      # NAME? is left out, with a note, where the machine lacks it
    repeat: 5                     # blocks: how often everything is measured
    seconds: 1                    # how long a sample takes
    seed: 7                       # of the order; drawn, and recorded, if it is not given
    events:                       # what fails during each sample (testbed.measure.events)
      - {at: 500ms, link: l1-sp1, for: 200ms}
    scenarios:                    # name: its parameters, each a value or a list of them
      pod-latency: {proxy: first}     # in the labs of the first proxy mode alone
      pod-throughput:
        path: [same-node, cross-node]
        streams: [1, 8]

A parameter that is not named takes its scenario's defaults, and without ``scenarios`` every one
runs that fits the topology. Options of the command line replace what the file says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.measure import events
from testbed.measure.campaign import (
    CHECKS,
    FIRST,
    KEYS,
    LIMITS,
    PROXY_KEY,
    Axes,
    Campaign,
    Check,
    called,
    defaults,
    distinct,
)
from testbed.measure.contract import scenarios
from testbed.objects.source import Origin, Source
from testbed.objects.yamltext import documents

DEFAULT = Path(__file__).resolve().parents[2] / "scenarios" / "default.yaml"
"""The campaign that runs when none is named."""

LARGEST_FILE = 1 << 20
"""Bytes."""


def read(path: Path) -> Campaign:
    """The campaign in a file.

    Raises:
        InputError: It cannot be read, or says something that does not exist; with the line.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"a campaign may have {LARGEST_FILE:,} bytes", where=Where(str(path)))
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"cannot read the campaign: {why}", where=Where(str(path))) from None
    return loads(text, str(path))


def loads(text: str, file: str) -> Campaign:
    """The campaign in a text.

    Args:
        text: YAML.
        file: What errors call it.

    Raises:
        InputError: As for :func:`read`.
    """
    found = documents(text, file)
    if len(found) != 1 or not isinstance(found[0].value, dict):
        raise InputError("a campaign is one YAML mapping", where=Where(file))
    return _Reader(Origin(Source(file, line=1), found[0].value, found[0].lines)).campaign()


class _Reader:
    """Reads the values of one file and says where a wrong one is."""

    def __init__(self, origin: Origin) -> None:
        self._origin, self._root = origin, origin.root

    def campaign(self) -> Campaign:
        for key in self._root:
            if key not in KEYS:
                raise unknown("key", key, KEYS, self._origin.where((key,)))
        values: dict[str, Any] = {key: self._list((key,), check) for key, check in CHECKS.items()}
        values |= {key: self._whole(key, *limits) for key, limits in LIMITS.items()}
        values["settings"] = self._settings("settings")
        values["impairments"] = self._impairments()
        values["events"] = events.read(self._origin)
        chosen = {name: self._axes(name) for name in self._mapping("scenarios")}
        values["scenarios"] = chosen or None
        values["once"] = frozenset(name for name in chosen if self._is_once(name))
        given = {key: value for key, value in values.items() if value is not None}
        return Campaign(**given, origin=self._origin)

    def _mapping(self, *path: str | int) -> Mapping[str, Any]:
        value: Any = self._root
        for key in path:
            value = value[key] if isinstance(key, int) else value.get(key) if value else None
        if value is not None and not isinstance(value, dict):
            raise InputError("must be a mapping", where=self._origin.where(path))
        return value or {}

    def _list(self, path: tuple[str, ...], check: Check) -> tuple[Any, ...] | None:
        """A value or a list of them, each checked; None if it is absent."""
        value: Any = self._root
        for key in path:
            value = value.get(key) if value else None
        if value is None:
            return None
        where = self._origin.where(path)
        found = [check(item, where) for item in (value if isinstance(value, list) else [value])]
        return distinct(found, where)

    def _whole(self, key: str, least: int, most: int) -> int | None:
        value = self._root.get(key)
        if value is not None and (type(value) is not int or not least <= value <= most):
            text = f"{value!r} is no whole number from {least:,} to {most:,}"
            raise InputError(text, where=self._origin.where((key,)))
        return value

    def _impairments(self) -> dict[str, dict[str, str]] | None:
        given, where = self._root.get("impairments"), self._origin.where(("impairments",))
        if given is None:
            return None
        if not isinstance(given, list):
            raise InputError("must be a list of mappings of settings", where=where)
        found = [self._settings("impairments", i) for i in range(len(given))]
        return {called(settings): settings for settings in distinct(found, where)}

    def _settings(self, *path: str | int) -> dict[str, str]:
        found = {}
        for key, value in self._mapping(*path).items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                where = self._origin.where((*path, key))
                raise InputError("must be a text or a number", where=where)
            found[key] = str(value)
        return found

    def _axes(self, name: str) -> Axes:
        scenario = scenarios.get(name, self._origin.where(("scenarios", name)))
        axes = defaults(scenario)
        for key in self._mapping("scenarios", name):
            path = ("scenarios", name, key)
            if key == PROXY_KEY:
                continue
            if key not in axes:
                what = f"parameter of {name}"
                raise unknown(what, key, axes, self._origin.where(path))
            check = partial(_parsed, scenario.parameters[key].parse)
            axes[key] = self._list(path, check) or axes[key]
        return axes

    def _is_once(self, name: str) -> bool:
        """Whether a scenario is measured with the first proxy mode alone."""
        found = self._mapping("scenarios", name)
        if PROXY_KEY not in found:
            return False
        if found[PROXY_KEY] != FIRST:
            where = self._origin.where(("scenarios", name, PROXY_KEY))
            raise InputError(f"{found[PROXY_KEY]!r} is not {FIRST!r}", where=where)
        return True


def _parsed(parse_value: Callable[[Any], Any], value: Any, where: Where) -> Any:
    try:
        return parse_value(value)
    except ValueError as error:
        raise InputError(f"{value!r} is {error}", where=where) from None
