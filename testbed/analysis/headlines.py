"""What the first page of a report is about: the headline metrics, in each setting.

Which metrics these are is the scenario's to say (``Metric.headline``); ``environment.json`` keeps
it under ``headlines``, as scenario → metric → the cells that it holds for. Where results do not say
it for a scenario, it is the first metric with a better side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.analysis import frames, units
from testbed.analysis.layout import Group, MetricTable, Record

Chosen = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Scenario → metric → cells, as parameter → value."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One headline metric in one setting of its scenario.

    Attributes:
        table: The metric.
        group: Its rows in this setting.
        setting: The parameters that differ within the scenario, in words; may be empty.
    """

    table: MetricTable
    group: Group
    setting: str

    @property
    def name(self) -> str:
        """``throughput (tcp, 4 streams)``, or the metric alone."""
        name = units.metric(self.table.metric)
        return f"{name} ({self.setting})" if self.setting else name

    def cells(self, path: str) -> dict[str, Record]:
        """The records on one path, by mode."""
        return {line.mode: line.cells[path] for line in self.group.lines if path in line.cells}


def chosen(environments: Iterable[Mapping[str, Any]]) -> Chosen:
    """What the environments of some results folders say, together."""
    found: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    for environment in environments:
        said = environment.get("headlines")
        found |= said if isinstance(said, dict) else {}
    return found


def headlines(tables: Sequence[MetricTable], choice: Chosen) -> list[Headline]:
    """The headlines in the order of the tables; metrics that are zero throughout are left out."""
    judged = [table for table in tables if table.better != "none" and not table.zero]
    first = {table.scenario: table for table in reversed(judged)}
    found = []
    for table in judged:
        own = choice.get(table.scenario)
        cells = own.get(table.metric) if own else ({} if table is first[table.scenario] else None)
        if cells is not None:
            varying = _varying([one for one in judged if one.scenario == table.scenario])
            for group in table.groups:
                record = _record(group)
                if all(record.get(name) == value for name, value in cells.items()):
                    found.append(Headline(table, group, _setting(record, varying)))
    return found


def paths(found: Sequence[Headline]) -> list[str]:
    """The paths but for the baseline, the longest way first."""
    named = {
        path
        for one in found
        for path in one.table.paths
        if path != frames.baseline(one.table.paths)
    }
    known = [path for path in reversed(frames.PATHS) if path in named]
    return known + sorted(named - set(known))


def _record(group: Group) -> Record:
    """Any record of a group: they share their setting."""
    return next(iter(group.lines[0].cells.values()))


def _varying(tables: Sequence[MetricTable]) -> list[str]:
    """The parameters that differ between the settings of a scenario."""
    records = [_record(group) for table in tables for group in table.groups]
    return [name for name in tables[0].parameters if len({one[name] for one in records}) > 1]


def _setting(record: Record, names: Sequence[str]) -> str:
    return units.cell({name: record[name] for name in names})
