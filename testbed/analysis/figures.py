"""The figures of the report, as SVG.

- :func:`ratios`: a forest plot of the ratio to the node-to-node baseline, a dot and its interval
  for each mode and path;
- :func:`distributions`: every sample of each cell, and its median;
- :func:`over_time`: every sample over its position in the run, divided by the median of its cell,
  so that a drift of the machine shows in all cells at once.

Disturbed samples are hollow. The look and the colours are in :mod:`testbed.analysis.theme`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from testbed.analysis import theme, units
from testbed.analysis.layout import MetricTable, Record
from testbed.analysis.theme import INK, PAPER, RULE

Samples = Sequence[pd.DataFrame]
"""The rows of each cell, in the order of the summary: what ``place`` of a record points into."""

_ROW = 19
_CHARACTER = 6.9  # the mean width of one, in pixels
_LONGEST = 46  # characters of a mode's name that a figure shows
_BETTER = {"higher": " (more is better)", "lower": " (less is better)", "none": ""}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a plot: a heading, or a cell with its mode as the label."""

    y: int
    label: str
    cell: Record | None = None


def ratios(table: MetricTable, modes: Sequence[str], name: str) -> str:
    """The forest plot of one metric; empty if no cell has a ratio to the baseline.

    Args:
        table: The metric.
        modes: All modes of the report, which gives each its colour and marker.
        name: The id of the figure in the page.
    """
    rows = _rows(table, lambda cell: math.isfinite(cell["baseline_ratio"]))
    if not rows:
        return ""
    with theme.themed():
        figure, axes = theme.canvas(len(rows) * _ROW, _margin(rows), right=130)
        axes.axvline(1, color=INK, linewidth=1, dashes=(4, 3))
        for row in rows:
            if row.cell is not None:
                _interval(axes, row.y, row.cell, *theme.series(modes.index(row.label)))
        _finish(axes, rows, "ratio to node-to-node" + _BETTER[table.better])
        return theme.svg(figure, name)


def distributions(table: MetricTable, samples: Samples, modes: Sequence[str], name: str) -> str:
    """Every sample of one metric, a row for each cell; arguments as in :func:`ratios`."""
    rows = _rows(table, lambda _: True)
    factor = table.scale.factor
    with theme.themed():
        figure, axes = theme.canvas(len(rows) * _ROW, _margin(rows), right=24)
        for row in rows:
            if row.cell is not None:
                middle = row.cell["median"] / factor
                axes.plot([middle] * 2, [row.y - 0.42, row.y + 0.42], color=INK, linewidth=1.5)
                drawn = samples[row.cell["place"]]
                level = row.y + np.linspace(-0.22, 0.22, len(drawn))
                place = modes.index(row.label)
                _dots(axes, drawn["value"] / factor, level, drawn["disturbed"], place)
        _finish(axes, rows, table.title + _BETTER[table.better])
        return theme.svg(figure, name)


def over_time(table: MetricTable, samples: Samples, modes: Sequence[str], name: str) -> str:
    """All samples of one metric in the order in which they were measured."""
    with theme.themed():
        figure, axes = theme.canvas(150, 62, right=24, top=26)
        axes.axhline(1, color=INK, linewidth=1, dashes=(4, 3))
        lines = [line for group in table.groups for line in group.lines]
        for line in lines:
            for cell in line.cells.values():
                rows, place = samples[cell["place"]], modes.index(line.mode)
                if cell["median"]:
                    middle = rows["value"] / cell["median"]
                    _dots(axes, rows["order"], middle, rows["disturbed"], place)
        axes.set_xlabel("position in the run")
        axes.set_ylabel("value / median of its cell")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        used = {line.mode for line in lines}
        _legend(axes, [mode for mode in modes if mode in used], modes)
        return theme.svg(figure, name)


def _rows(table: MetricTable, wanted: Callable[[Record], bool]) -> list[_Row]:
    """The rows of a plot from the top: by setting and path, under a heading that names them."""
    rows: list[_Row] = []
    for group in table.groups:
        for path in table.paths:
            found = [
                (line.mode, line.cells[path])
                for line in group.lines
                if path in line.cells and wanted(line.cells[path])
            ]
            heading = " · ".join(part for part in (group.setting, path) if part)
            if found and heading:
                rows.append(_Row(len(rows), heading))
            for mode, cell in found:
                rows.append(_Row(len(rows), mode, cell))
    return rows


def _short(name: str) -> str:
    """A mode's name, its middle left out if it is very long."""
    if len(name) <= _LONGEST:
        return name
    half = (_LONGEST - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _margin(rows: Sequence[_Row]) -> int:
    """The pixels that the longest mode's name needs."""
    longest = max(len(_short(row.label)) for row in rows if row.cell is not None)
    return max(60, round(longest * _CHARACTER) + 14)


def _interval(axes: Axes, y: int, cell: Record, colour: str, marker: str) -> None:
    """A dot with its interval, and both in figures at the end of the row."""
    value, low, high = (cell[f"baseline_{end}"] for end in ("ratio", "low", "high"))
    if math.isfinite(low) and math.isfinite(high):
        axes.plot([low, high], [y, y], color=colour, linewidth=2, solid_capstyle="round")
    axes.plot([value], [y], color=colour, marker=marker, markersize=7, linestyle="none")
    text = f"{units.number(value)} {units.ONE.interval(low, high)}"
    axes.annotate(
        text, (1, y), (10, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        va="center", annotation_clip=False,
    )  # fmt: skip


def _dots(axes: Axes, x: Any, y: Any, disturbed: Any, place: int) -> None:
    """Samples as dots, the disturbed ones hollow."""
    colour, marker = theme.series(place)
    hollow = np.asarray(disturbed, dtype=bool)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    style: dict[str, Any] = {"marker": marker, "s": 26, "edgecolors": colour, "clip_on": False}
    axes.scatter(x[~hollow], y[~hollow], facecolors=colour, linewidths=0.5, alpha=0.75, **style)
    axes.scatter(x[hollow], y[hollow], facecolors=PAPER, linewidths=1.3, **style)


def _legend(axes: Axes, shown: Sequence[str], modes: Sequence[str]) -> None:
    """The modes' colours and markers, in a line above the axes."""
    handles = []
    for mode in shown:
        colour, marker = theme.series(modes.index(mode))
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="none", label=mode))
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False,
        borderaxespad=0.2, handletextpad=0.2,
    )  # fmt: skip


def _finish(axes: Axes, rows: Sequence[_Row], label: str) -> None:
    """Labels of rows and axis; a heading runs over the plot, since its row is empty."""
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([row.y for row in rows if row.cell is not None])
    axes.set_yticklabels([_short(row.label) for row in rows if row.cell is not None])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(label)
    axes.margins(x=0.04)
    for row in rows:
        if row.cell is None:
            axes.axhline(row.y - 0.5, color=RULE, linewidth=0.8)
            axes.annotate(
                row.label, (0, row.y), (4 - _margin(rows), 0), va="center", weight="bold",
                xycoords=("axes fraction", "data"), textcoords="offset points",
                annotation_clip=False, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 2},
            )  # fmt: skip
