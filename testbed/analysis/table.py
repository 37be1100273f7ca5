"""The table that ``testbed bench`` prints at its end.

A row for each mode in each cell, a column for each path: the median, half the width of its 95 %
interval as a percentage of it, and the ratio to the baseline after a times sign. It
has no borders and is never wider than it needs, so that it reads well in a terminal of 100 columns,
in a pipe and in a log; where the output's encoding lacks a sign, it is written in ASCII.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import pandas as pd

from testbed.analysis import frames, units
from testbed.analysis.layout import Line, arrange
from testbed.analysis.scaling import Scaling, scalings
from testbed.analysis.sections import Section, sections
from testbed.analysis.summary import summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH = 200  # a pipe has no width: wide enough that nothing is folded
_ASCII = {"²": "2", units.TIMES: "x", "±": "+-", "µ": "u", units.NONE: "-", "∞": "inf"}
_LEGEND = f"""\
Median, half of its 95 % interval, and after {units.TIMES} the ratio to the same traffic node to
node, or direct ({units.TIMES}{units.NONE} where that is too near zero to divide by)."""


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
    signs = _lacking(out.encoding or "utf-8")
    tables = [table for table in arrange(summary(frame)) if table.better != "none"]
    for section in sections(tables):
        console.print(section.title, style="bold")
        console.print(_grid(section, signs))
        console.print()
    _print_slopes(console, scalings(tables, list(frames.cells(frame).values())), signs)
    for scenario in dict.fromkeys(table.scenario for table in tables if table.zero):
        zero = [one.metric for one in tables if one.zero and one.scenario == scenario]
        console.print(f"{scenario}, zero throughout: {', '.join(map(units.metric, zero))}\n")
    console.print(_LEGEND.translate(signs))


def _print_slopes(console: Console, found: Sequence[Scaling], signs: dict[int, str]) -> None:
    """The slopes of what grows with a number, a table for each scenario."""
    from rich.table import Table

    for name in dict.fromkeys(one.table.scenario for one in found):
        grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for title in ("metric", "mode", "path", "slope", "R²"):
            grid.add_column(title.translate(signs), no_wrap=True)
        for one in found:
            for place, growth in enumerate(one.growths if one.table.scenario == name else ()):
                title = "" if place else f"{units.metric(one.table.metric)} [{one.unit}]"
                row = (title, growth.mode, growth.name, one.slope(growth), one.determined(growth))
                grid.add_row(*(text.translate(signs) for text in row))
        console.print(f"{name}: slopes of straight lines", style="bold")
        console.print(grid)
        console.print()


def _lacking(encoding: str) -> dict[int, str]:
    """The signs that an encoding lacks, with what to write instead, for ``str.translate``."""
    return {
        ord(sign): plain for sign, plain in _ASCII.items() if sign.encode(encoding, "ignore") == b""
    }


def _grid(section: Section, signs: dict[int, str]) -> Table:
    """The rows of one setting: metrics, and in each the modes; what repeats is named once."""
    from rich.table import Table

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("metric", "mode", *section.paths):
        grid.add_column(name or "value", no_wrap=True)
    for block in section.blocks:
        for place, line in enumerate(block.lines):
            title = "" if place else block.table.title
            cells = (_cell(line, path, block.table.scale) for path in section.paths)
            grid.add_row(*(text.translate(signs) for text in (title, line.mode, *cells)))
    return grid


def _cell(line: Line, path: str, scale: units.Scale) -> str:
    """The median, half its interval and the ratio; only the median is always there."""
    record = line.cells.get(path)
    if record is None:
        return ""
    parts = [scale.number(record["median"])]
    half = (record["high"] - record["low"]) / 2
    if record["median"] and math.isfinite(half):
        parts.append(f"±{100 * half / abs(record['median']):.0f}%")
    if math.isfinite(record["baseline_ratio"]):
        parts.append(f"{units.TIMES}{record['baseline_ratio']:.2f}")
    elif frames.baseline(line.cells) not in (None, path):
        parts.append(units.TIMES + units.NONE)
    return " ".join(parts)
