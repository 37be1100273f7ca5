"""How long traffic stood still: each failure and repair, all topologies and modes side by side.

It takes every metric that is a *gap*: one named ``gap`` or with ``gap`` as a word of its name
(``failure-gap``), of which less is better. What else is in the name, and the setting, say which
event it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from testbed.analysis import units
from testbed.analysis.layout import Line, MetricTable, Record
from testbed.analysis.statistics import NOTHING, Estimate, ratio_of_samples


@dataclass(frozen=True, slots=True)
class Gap:
    """How long traffic stood still in one mode.

    Attributes:
        mode: The mode's name, with its topology where there are several.
        cell: Its row of the summary, in seconds.
        samples: Its samples.
        ratio: Its median over that of the event's first mode; nothing for that one itself.
    """

    mode: str
    cell: Record
    samples: pd.DataFrame
    ratio: Estimate


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of failure or repair.

    Attributes:
        scenario: The scenario that measured it.
        name: What happened: ``failure, near``.
        gaps: One for each mode.
    """

    scenario: str
    name: str
    gaps: Sequence[Gap]

    @property
    def scale(self) -> units.Scale:
        """What its numbers are shown in."""
        return units.scale((gap.cell["median"] for gap in self.gaps), "s")


def events(
    tables: Sequence[MetricTable], samples: Sequence[pd.DataFrame], names: Mapping[str, str]
) -> list[Event]:
    """The events of all tables in their order; none where no scenario measures gaps.

    Args:
        tables: The summary by metric.
        samples: The rows of each cell, in the order of the summary.
        names: What to call an event instead of the words of its metric's name.
    """
    return [
        Event(
            table.scenario,
            _name(table, group.setting, path, names),
            _gaps(group.lines, path, samples),
        )
        for table in tables
        if table.better == "lower" and "gap" in table.metric.split("-")
        for group in table.groups
        for path in table.paths
        if any(path in line.cells for line in group.lines)
    ]


def _name(table: MetricTable, setting: str, path: str, names: Mapping[str, str]) -> str:
    """What happened, from the other words of the metric's name, the setting and the path."""
    words = " ".join(word for word in table.metric.split("-") if word != "gap")
    whole = words in ("", table.scenario)  # of the sample, whatever happened
    event = "longest gap" if whole else names.get(words, words)
    return ", ".join(filter(None, (event, setting, path)))


def _gaps(lines: Sequence[Line], path: str, samples: Sequence[pd.DataFrame]) -> list[Gap]:
    """The gaps of one event, those of the first mode first."""
    cells = {line.mode: line.cells[path] for line in lines if path in line.cells}
    base = samples[next(iter(cells.values()))["place"]]
    found = []
    for mode, cell in cells.items():
        rows = samples[cell["place"]]
        ratio = ratio_of_samples(rows, base) if rows is not base else NOTHING
        found.append(Gap(mode, cell, rows, ratio))
    return found
