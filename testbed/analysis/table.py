"""The table that ``testbed bench`` prints at its end.

A row for each mode in each cell, a column for each path: the median, half the width of its 95 %
interval as a percentage of it, and the ratio to the node-to-node baseline after an x. It has no
borders and is never wider than it needs, so that it reads well in a terminal of 100 columns, in a
pipe and in a log.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TextIO

import pandas as pd

from testbed.analysis import units
from testbed.analysis.layout import MetricTable, Record, arrange
from testbed.analysis.summary import summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH = 200  # a pipe has no width: wide enough that nothing is folded


def print_table(frame: pd.DataFrame, file: TextIO | None = None) -> None:
    """Prints the comparison table of these samples.

    Args:
        frame: The samples.
        file: Where to; standard output if not given. Colour and the terminal's width are used only
            if it is a terminal.
    """
    from rich.console import Console

    out = file or sys.stdout
    width = None if out.isatty() else _PIPE_WIDTH
    console = Console(file=out, highlight=False, markup=False, width=width)
    tables = [table for table in arrange(summary(frame)) if table.better != "none"]
    for scenario in dict.fromkeys(table.scenario for table in tables):
        _print_scenario(console, scenario, [one for one in tables if one.scenario == scenario])
    console.print(
        "Median, half of its 95 % interval, and x the ratio to the same traffic node to node."
    )


def _print_scenario(console: Console, scenario: str, tables: list[MetricTable]) -> None:
    """A table for each setting of a scenario; metrics that are zero everywhere are only named."""
    shown = [table for table in tables if not table.zero]
    for setting in dict.fromkeys(group.setting for table in shown for group in table.groups):
        console.print(f"{scenario}: {setting}" if setting else scenario, style="bold")
        console.print(_grid(shown, setting))
        console.print()
    nothing = ", ".join(units.metric(table.metric) for table in tables if table.zero)
    if nothing:
        console.print(f"{scenario}, zero throughout: {nothing}\n")


def _grid(tables: list[MetricTable], setting: str) -> Table:
    """The rows of one setting: metrics, and in each the modes; what repeats is named once."""
    from rich.table import Table

    paths = list(dict.fromkeys(path for table in tables for path in table.paths))
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("metric", "mode", *paths):
        grid.add_column(name or "value", no_wrap=True)
    for table in tables:
        lines = [line for group in table.groups if group.setting == setting for line in group.lines]
        for place, line in enumerate(lines):
            cells = (_cell(line.cells.get(path), table.scale) for path in paths)
            grid.add_row("" if place else table.title, line.mode, *cells)
    return grid


def _cell(record: Record | None, scale: units.Scale) -> str:
    """``12.1 ±3% x0.93``, of which only the median is always there."""
    if record is None:
        return ""
    parts = [scale.number(record["median"])]
    half = (record["high"] - record["low"]) / 2
    if record["median"] and math.isfinite(half):
        parts.append(f"±{100 * half / abs(record['median']):.0f}%")
    if math.isfinite(record["baseline_ratio"]):
        parts.append(f"x{record['baseline_ratio']:.2f}")
    return " ".join(parts)
