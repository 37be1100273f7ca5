"""The figure that says it all: each headline metric as a ratio to node to node, by mode.

A row for each metric and setting, a mark and its interval for each mode, a panel for each path. The
axis is logarithmic and has the same length on both sides, so that half and double are equally far
from 1; a metric of which less is better is turned over, so that *left is always worse*. The ticks
therefore say how many times worse or better, and not a ratio.

Where scenarios have different paths, so that most places would be empty, there is one panel, and a
row for each metric and path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from testbed.analysis import theme, units
from testbed.analysis.headlines import Headline, paths
from testbed.analysis.layout import Record
from testbed.analysis.theme import INK, PAPER, RULE, SHADE, SOFT

_STEPS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0)
_LEAST = 1.25  # an axis ends here at least: a difference of 1 % shall look like one
_BEYOND = 2.0  # an interval may widen the axis by this factor beyond the marks
_GAP, _BOTTOM, _HEAD = 34, 24, 36
_SMALL = 9.5

_FULL = 0.6  # the share of places with marks below which one panel reads better

Point = tuple[float, float, float]
"""How many times better than the baseline, and its interval; below 1 is worse."""


@dataclass(frozen=True)
class _Row:
    """A row of the figure.

    Attributes:
        metric: Its name.
        beside: What stands below that: the setting, or else the scenario.
        scenario: The scenario.
        points: Path → mode → what is drawn.
    """

    metric: str
    beside: str
    scenario: str
    points: Mapping[str, Mapping[str, Point]]


def overview(found: Sequence[Headline], modes: Sequence[str]) -> Figure | None:
    """The figure; None if nothing has a ratio to node to node. Draw it within ``theme.themed``.

    Args:
        found: The rows.
        modes: All modes of the report, which gives each its colour and marker.
    """
    rows, shown = _arranged(found)
    if not rows:
        return None
    left = 20 + max(_width(one) for one in rows)
    legend = theme.legend_height(modes, left)
    step = max(36, 12 + 11 * len(modes))
    height = step * len(rows)
    figure = theme.canvas(legend + _HEAD + height + _BOTTOM)
    theme.legend(figure, modes, left)
    limit = _limit(
        point for row in rows for points in row.points.values() for point in points.values()
    )
    width = (theme.WIDTH - left - 14 - _GAP * (len(shown) - 1)) / len(shown)
    for place, path in enumerate(shown):
        x = left + place * (width + _GAP)
        axes = theme.axes(figure, x, legend + _HEAD, width, height)
        _frame(axes, rows, path, limit)
        for y, row in enumerate(rows):
            _marks(axes, y, row.points.get(path, {}), modes, limit, 11 / step)
        if not place:
            _labels(axes, rows, left)
    return figure


def _arranged(found: Sequence[Headline]) -> tuple[list[_Row], list[str]]:
    """The rows and the panels: one for each path, or a single one without name."""
    rows = []
    for one in found:
        points = {path: _points(one, path) for path in paths(found)}
        filled = {path: marks for path, marks in points.items() if marks}
        beside = one.setting or one.table.scenario
        rows += [_Row(units.metric(one.table.metric), beside, one.table.scenario, filled)] * bool(
            filled
        )
    shown = [path for path in paths(found) if any(path in row.points for row in rows)]
    if sum(len(row.points) for row in rows) >= _FULL * len(rows) * len(shown):
        return rows, shown
    return [
        _Row(row.metric, f"{row.beside}: {path}", row.scenario, {"": marks})
        for row in rows
        for path, marks in row.points.items()
    ], [""]


def _points(row: Headline, path: str) -> dict[str, Point]:
    """The marks of a row by mode; a ratio that does not exist, or is zero or infinite, has none."""
    found = {}
    for mode, cell in row.cells(path).items():
        if 0 < cell["baseline_ratio"] < math.inf:
            found[mode] = turned(cell, row.table.better)
    return found


def turned(cell: Record, better: str) -> Point:
    """The ratio of a record with its interval, turned over if less is better."""
    value, low, high = (cell[f"baseline_{end}"] for end in ("ratio", "low", "high"))
    if better == "higher":
        return value, low, high
    return 1 / value, (1 / high if high else math.nan), (1 / low if low else math.inf)


def _limit(points: Iterable[Point]) -> float:
    """Where the axis ends: all marks are on it, and intervals unless they are very long."""
    distances = [[abs(math.log(one)) for one in point if 0 < one < math.inf] for point in points]
    marks = max(found[0] for found in distances)
    ends = max(max(found) for found in distances)
    end = math.exp(1.08 * max(math.log(_LEAST), min(ends, marks + math.log(_BEYOND))))
    return next((step * 1.01 for step in _STEPS if end <= step <= 1.12 * end), end)


def _ticks(limit: float) -> list[float]:
    """One or two steps that lie within the axis: the last one, and about the half of its way."""
    within = [step for step in _STEPS if step <= limit]
    last = within[-1]
    half = min(_STEPS, key=lambda step: abs(math.log(step) - math.log(last) / 2))
    return sorted({half, last})


def _frame(axes: Axes, rows: Sequence[_Row], path: str, limit: float) -> None:
    """Axis, shading of the worse side, and what stands above."""
    axes.set_xscale("log")
    axes.set_xlim(1 / limit, limit)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axvspan(1 / limit, 1, color=SHADE, linewidth=0, zorder=0)
    axes.axvline(1, color=INK, linewidth=1)
    for y in range(1, len(rows)):
        same = rows[y].scenario == rows[y - 1].scenario
        axes.axhline(y - 0.5, color=RULE if same else SOFT, linewidth=0.7)
    ticks = _ticks(limit)
    labels = [f"{step:g}{units.TIMES}" for step in ticks]
    axes.xaxis.set_major_locator(FixedLocator([*(1 / step for step in reversed(ticks)), 1, *ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([*reversed(labels), "1", *labels])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    for x, y, text, align, colour in (
        (0, 19, path, "left", INK),
        (0, 4, "← worse", "left", SOFT),
        (1, 4, "better →", "right", SOFT),
    ):
        axes.annotate(
            text, (x, 1), (0, y), xycoords="axes fraction", textcoords="offset points",
            ha=align, va="bottom", color=colour, weight="bold" if colour == INK else "normal",
        )  # fmt: skip


def _marks(
    axes: Axes, y: int, points: Mapping[str, Point], modes: Sequence[str], limit: float, step: float
) -> None:
    """The marks of a row, those of the modes below each other, ``step`` apart."""
    for place, mode in enumerate(modes):
        if mode in points:
            value, low, high = points[mode]
            colour, marker = theme.series(place)
            level = y + (place - (len(modes) - 1) / 2) * step
            if not math.isnan(low):
                axes.plot(
                    [max(low, 1 / limit), min(high, limit)], [level, level],
                    color=colour, linewidth=2, solid_capstyle="butt",
                )  # fmt: skip
            for end, beyond, arrow in (
                (1 / limit, low < 1 / limit, "<"),
                (limit, high > limit, ">"),
            ):
                if beyond:
                    axes.plot(end, level, marker=arrow, markersize=6, color=colour, clip_on=False)
            axes.plot(value, level, marker=marker, markersize=7.5, color=colour,
                      markeredgecolor=PAPER, markeredgewidth=0.8)  # fmt: skip


def _labels(axes: Axes, rows: Sequence[_Row], left: int) -> None:
    """The names of the rows: the metric, and below it the setting, or else the scenario."""
    for y, row in enumerate(rows):
        for offset, text, style in (
            (1, row.metric, {"va": "bottom"}),
            (-1, row.beside, {"va": "top", "color": SOFT, "size": _SMALL}),
        ):
            axes.annotate(
                text, (0, y), (-left + 2, offset), xycoords=("axes fraction", "data"),
                textcoords="offset points", annotation_clip=False, **style,
            )  # fmt: skip


def _width(row: _Row) -> int:
    """The pixels that the name of a row needs."""
    return round(max(6.9 * len(row.metric), 5.9 * len(row.beside)))
