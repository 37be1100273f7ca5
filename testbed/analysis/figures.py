"""Every sample of a setting, as small multiples: a column for each metric.

Above, each sample in a row for its path and mode, with the median of the row as a bar; below, each
sample over its position in the run, divided by the median of its cell, so that a drift of the
machine shows in all cells at once. Disturbed samples are hollow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from testbed.analysis import theme
from testbed.analysis.layout import Record
from testbed.analysis.sections import Block, Section
from testbed.analysis.theme import INK, PAPER, RULE

Samples = Sequence[pd.DataFrame]
"""The rows of each cell, in the order of the summary: what ``place`` of a record points into."""

Row = tuple[str, str]
"""Path and mode; the mode of a heading is empty."""

_COLUMNS = 4  # beside each other
_ROW, _TIME, _HEAD, _BETWEEN, _BOTTOM, _GAP = 15, 84, 20, 26, 40, 36
_CHARACTER, _LONGEST = 6.2, 30  # pixels; characters of a mode's name that a figure shows


def samples(section: Section, drawn: Samples, modes: Sequence[str]) -> Figure | None:
    """The figure of one setting; None if no metric has a better side. Draw it in ``theme.themed``.

    Args:
        section: The setting.
        drawn: All samples.
        modes: All modes of the report, which gives each its colour and marker.
    """
    blocks = [block for block in section.blocks if block.table.better != "none"]
    if not blocks:
        return None
    rows = _rows(section, blocks)
    left = max(62, *(round(len(short(mode or path)) * _CHARACTER) + 18 for path, mode in rows))
    ranks = [blocks[i : i + _COLUMNS] for i in range(0, len(blocks), _COLUMNS)]
    whole = _HEAD + len(rows) * _ROW + _BETWEEN + _TIME + _BOTTOM
    legend = theme.legend_height(modes, left)
    figure = theme.canvas(legend + whole * len(ranks))
    theme.legend(figure, modes, left)
    columns = max(2, len(ranks[0]))
    width = (theme.WIDTH - left - 16 - _GAP * (columns - 1)) / columns
    for rank, shown in enumerate(ranks):
        top = legend + whole * rank + _HEAD
        for place, block in enumerate(shown):
            x = left + place * (width + _GAP)
            upper = theme.axes(figure, x, top, width, len(rows) * _ROW)
            _distribution(upper, block, rows, drawn, modes)
            lower = theme.axes(figure, x, top + len(rows) * _ROW + _BETWEEN, width, _TIME)
            _over_time(lower, block, drawn, modes)
            if not place:
                _labels(upper, rows, left)
                lower.set_ylabel("value / median")
    return figure


def short(name: str) -> str:
    """A name, its middle left out if it is very long."""
    if len(name) <= _LONGEST:
        return name
    half = (_LONGEST - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _rows(section: Section, blocks: Sequence[Block]) -> list[Row]:
    """The rows from the top: the modes of each path, under a heading that names it."""
    rows: list[Row] = []
    for path in section.paths:
        found = [line.mode for block in blocks for line in block.lines if path in line.cells]
        rows += [(path, "")] if found and path else []
        rows += [(path, mode) for mode in dict.fromkeys(found)]
    return rows


def _cells(block: Block) -> dict[Row, Record]:
    """The records of a metric by path and mode."""
    return {(path, line.mode): cell for line in block.lines for path, cell in line.cells.items()}


def _distribution(
    axes: Axes, block: Block, rows: Sequence[Row], drawn: Samples, modes: Sequence[str]
) -> None:
    """The samples of one metric, by row."""
    factor = block.table.scale.factor
    for row, cell in _cells(block).items():
        y, values = rows.index(row), drawn[cell["place"]]
        axes.plot([cell["median"] / factor] * 2, [y - 0.45, y + 0.45], color=INK, linewidth=1.2)
        level = y + (np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(1))
        dots(axes, values["value"] / factor, level, values["disturbed"], modes.index(row[1]))
    for y, (_, mode) in enumerate(rows):
        if not mode:
            axes.axhline(y - 0.5, color=RULE, linewidth=0.8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.margins(x=0.06)
    values = pd.concat([drawn[cell["place"]]["value"] for cell in _cells(block).values()]) / factor
    theme.spread(axes, float(values.min()), float(values.max()))
    title = f"{block.table.title} {block.table.arrow}"
    axes.annotate(
        title, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", weight="bold"
    )


def _over_time(axes: Axes, block: Block, drawn: Samples, modes: Sequence[str]) -> None:
    """The samples of one metric in the order in which they were measured."""
    axes.axhline(1, color=INK, linewidth=0.8)
    for (_, mode), cell in _cells(block).items():
        if cell["median"]:
            values = drawn[cell["place"]]
            relative = values["value"] / cell["median"]
            dots(axes, values["order"], relative, values["disturbed"], modes.index(mode))
    axes.set_xlabel("position in the run")
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y")


def dots(axes: Axes, x: Any, y: Any, disturbed: Any, place: int) -> None:
    """Samples as dots, the disturbed ones hollow."""
    colour, marker = theme.series(place)
    hollow = np.asarray(disturbed, dtype=bool)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    style: dict[str, Any] = {"marker": marker, "s": 16, "edgecolors": colour, "clip_on": False}
    axes.scatter(x[~hollow], y[~hollow], facecolors=colour, linewidths=0.4, alpha=0.75, **style)
    axes.scatter(x[hollow], y[hollow], facecolors=PAPER, linewidths=1.1, **style)


def _labels(axes: Axes, rows: Sequence[Row], left: int) -> None:
    """The names of the rows, the modes indented below their path."""
    for y, (path, mode) in enumerate(rows):
        axes.annotate(
            short(mode or path), (0, y), (12 - left if mode else 2 - left, 0), va="center",
            weight="normal" if mode else "bold", xycoords=("axes fraction", "data"),
            textcoords="offset points", annotation_clip=False,
        )  # fmt: skip
