"""The events that every sample of a campaign undergoes, in plain words.

``environment.json`` has them under ``options`` as the campaign file says them: a list of mappings
with ``at`` (from the start of the sample), what fails (``link``, ``partition`` or ``kill``), and
for how long (``for``; without it, until the sample ends). Times are seconds, or text with a unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from testbed.analysis import units

_SHORT = {
    "link": ("link {} down", "link {} up again"),
    "partition": ("{} cut off", "{} reachable again"),
    "kill": ("{} killed", "{} started again"),
}
_FAILS = {
    "link": ("the link {} goes down", "comes up again"),
    "partition": ("{} is cut off, its links staying up,", "is reachable again"),
    "kill": ("the daemon {} is killed", "is started again"),
}


def listed(
    environments: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """The events of each campaign that has any, as sentences without a full stop.

    Returns:
        Pairs of the campaign's name and its events; the name is empty where all campaigns have the
        same events.
    """
    found = [
        [sentence(event) for event in (environment.get("options") or {}).get("events") or []]
        for environment in environments
    ]
    if all(events == found[0] for events in found):
        return [("", found[0])] if found[0] else []
    return [(name, events) for name, events in zip(names, found, strict=True) if events]


def names(environments: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the metrics of each event are about, by the words that they begin with.

    The metrics of scenario ``outage`` name an event by its kind and its number, from 1:
    ``link-1-gap`` is ``link 1`` here, and ``link l1-sp1 down``; ``link-1-end-gap`` is its end.
    There are no names where campaigns have different events.
    """
    found = [(environment.get("options") or {}).get("events") or [] for environment in environments]
    if not found or any(events != found[0] for events in found):
        return {}
    return {
        f"{kind} {number}{end}": text.format(event[kind])
        for number, event in enumerate(found[0], start=1)
        for kind, texts in _SHORT.items()
        if kind in event
        for end, text in zip(("", " end"), texts, strict=True)
    }


def sentence(event: Mapping[str, Any]) -> str:
    """One event: ``after 500 ms, the link l1-sp1 goes down and comes up again 1 s later``."""
    start = f"after {time(event.get('at', 0))}"
    for kind, (fails, returns) in _FAILS.items():
        if kind in event:
            span = event.get("for")
            end = "when the sample ends" if span is None else f"{time(span)} later"
            return f"{start}, {fails.format(event[kind])} and {returns} {end}"
    return ", ".join(f"{name} {value}" for name, value in event.items())


def time(value: Any) -> str:
    """A duration, in seconds or as text: ``500 ms``."""
    if isinstance(value, (int, float)):
        chosen = units.scale([value], "s")
        return f"{value / chosen.factor:g} {chosen.unit}"
    return re.sub(r"(?<=\d)(?=[a-zµ])", " ", str(value))
