"""The summary arranged as people read it: a table per metric, modes down, paths across.

The console's table, the report's tables and its figures all walk this one arrangement, so they
agree on order, names and scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from testbed.analysis import frames, units

Record = Mapping[str, Any]
"""A row of the summary, None where it has no value, and ``place``: its index in the summary."""

NO_PATH = ""
"""The path of a scenario that has none, such as a link failure."""

_BESIDE = ("impairment", "folder")  # told in brackets


@dataclass(frozen=True, slots=True)
class Line:
    """One mode in one setting.

    Attributes:
        mode: The mode's name.
        cells: The summary's rows by path.
    """

    mode: str
    cells: Mapping[str, Record]


@dataclass(frozen=True, slots=True)
class Group:
    """One setting of a scenario, such as ``tcp, 4 streams``; empty if it has no parameters."""

    setting: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class MetricTable:
    """One metric of one scenario.

    Attributes:
        scenario: The scenario's name.
        metric: The metric's name.
        better: ``higher``, ``lower`` or ``none``.
        unit: The base unit of its values.
        scale: What all its numbers are shown in.
        parameters: The names of what makes a setting.
        paths: The columns, the baseline first.
        groups: The rows.
    """

    scenario: str
    metric: str
    better: str
    unit: str
    scale: units.Scale
    parameters: Sequence[str]
    paths: Sequence[str]
    groups: Sequence[Group]

    @property
    def title(self) -> str:
        """The metric in words with its unit: ``latency p99 [µs]``."""
        unit = f" [{self.scale.unit}]" if self.scale.unit else ""
        return units.metric(self.metric) + unit

    @property
    def arrow(self) -> str:
        """Which way is better, as an arrow; empty if neither."""
        return {"higher": "↑", "lower": "↓"}.get(self.better, "")

    @property
    def cells(self) -> list[Record]:
        """All cells in reading order."""
        return [
            line.cells[path]
            for group in self.groups
            for line in group.lines
            for path in self.paths
            if path in line.cells
        ]

    @property
    def zero(self) -> bool:
        """Whether there is nothing but zeros to show."""
        return not any(cell["median"] or cell["high"] for cell in self.cells)


def arrange(summary: pd.DataFrame) -> list[MetricTable]:
    """The tables of a summary, in its order."""
    names = _parameters(summary)
    varying = mode_columns(summary)
    tables = []
    for (scenario, metric), rows in summary.groupby(["scenario", "metric"], sort=False):
        records = [
            _record(row) | {"place": place}
            for place, row in zip(rows.index, rows.to_dict("records"), strict=True)
        ]
        tables.append(_table(str(scenario), str(metric), records, names, varying))
    return tables


def mode_columns(frame: pd.DataFrame) -> list[str]:
    """The mode columns that tell modes apart: those with several values, or else ``cni``.

    What tells impaired modes apart by nothing else has ``cni`` too: no mode is called nothing.
    """
    there = [name for name in frames.MODES if name in frame.columns]
    varying = [name for name in there if frame[name].nunique(dropna=False) > 1]
    if set(varying) <= set(_BESIDE):
        return [name for name in there if name == "cni" or name in varying] or there[:1]
    return varying


def mode_name(record: Record, columns: Sequence[str]) -> str:
    """What a mode is called: ``vxlan``, ``leafspine/vxlan``, ``vxlan (delay=20ms, monday)``."""
    named = {name: record[name] for name in columns if not pd.isna(record[name])}
    beside = ", ".join(str(named.pop(name)) for name in _BESIDE if name in named)
    mode = "/".join(units.parameter(name, value) for name, value in named.items())
    return " ".join(part for part in (mode, f"({beside})" if beside else "") if part) or "all"


def mode_names(tables: Sequence[MetricTable]) -> list[str]:
    """All modes in order."""
    lines = (line.mode for table in tables for group in table.groups for line in group.lines)
    return list(dict.fromkeys(lines))


def _parameters(summary: pd.DataFrame) -> list[str]:
    """The parameters of a summary: what stands between the scenario and the metric."""
    columns = list(summary.columns)
    return columns[1 : columns.index("metric")]


def _record(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): None if value is pd.NA else value for name, value in row.items()}


def _settings(names: Sequence[str]) -> list[str]:
    """The parameters that are neither mode nor path."""
    return [name for name in names if name not in (*frames.MODES, "path")]


def _setting(record: Record, names: Sequence[str]) -> str:
    """The parameters that are neither mode nor path, in words."""
    own = {name: record[name] for name in _settings(names)}
    return units.cell({name: None if pd.isna(value) else value for name, value in own.items()})


def _table(
    scenario: str, metric: str, records: Sequence[Record], names: list[str], varying: list[str]
) -> MetricTable:
    """The table of one metric of one scenario."""
    groups: dict[str, dict[str, dict[str, Record]]] = {}
    for record in records:
        lines = groups.setdefault(_setting(record, names), {})
        path = record.get("path")
        cells = lines.setdefault(mode_name(record, varying), {})
        cells[NO_PATH if path is None or pd.isna(path) else str(path)] = record
    found = {path: None for lines in groups.values() for cells in lines.values() for path in cells}
    known = [path for path in frames.PATHS if path in found]
    return MetricTable(
        scenario=scenario,
        metric=metric,
        better=records[0]["better"],
        unit=records[0]["unit"],
        scale=units.scale((record["median"] for record in records), records[0]["unit"]),
        parameters=_settings(names),
        paths=known + [path for path in found if path not in known],
        groups=[
            Group(setting, [Line(mode, cells) for mode, cells in lines.items()])
            for setting, lines in groups.items()
        ],
    )
