"""The figure of a growth: each metric of a scenario against a number, in a panel of its own.

A line for each mode on each path through its medians, and a band for their 95 % intervals. The
number's axis is logarithmic where the numbers differ more than thirtyfold, and so is the
metric's, which else begins at zero; paths differ in the line's dashes, modes in colour and marker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from testbed.analysis import theme
from testbed.analysis.frames import BASELINES
from testbed.analysis.scaling import Growth, Scaling
from testbed.analysis.theme import PAPER, SOFT

_COLUMNS = 2
_PANEL, _HEAD, _BOTTOM, _LEFT, _GAP, _RIGHT = 168, 24, 46, 54, 62, 20  # pixels
_Dash = tuple[float, tuple[float, ...]]
_DASHES: tuple[_Dash | None, ...] = (None, (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
_LOGARITHMIC = 30.0  # from this ratio of the largest to the smallest on


def curves(found: Sequence[Scaling], modes: Sequence[str]) -> Figure | None:
    """The figure of one scenario; None if nothing grows. Draw it within ``theme.themed``.

    Args:
        found: Its metrics.
        modes: All modes of the report, which gives each its colour and marker.
    """
    if not found:
        return None
    growths = [growth for one in found for growth in one.growths]
    growths.sort(key=lambda growth: growth.path in BASELINES)  # which are not drawn through
    names = list(dict.fromkeys(growth.name for growth in growths))
    top = theme.legend_height(modes, _LEFT) + (18 if len(names) > 1 else 0)
    whole = _HEAD + _PANEL + _BOTTOM
    figure = theme.canvas(top + whole * -(-len(found) // _COLUMNS))
    theme.legend(figure, modes, _LEFT)
    if len(names) > 1:
        _dashes(figure, names, theme.legend_height(modes, _LEFT))
    width = (theme.WIDTH - _LEFT - _RIGHT - _GAP * (_COLUMNS - 1)) / _COLUMNS
    for place, one in enumerate(found):
        row, column = divmod(place, _COLUMNS)
        x, y = _LEFT + column * (width + _GAP), top + row * whole + _HEAD
        _panel(theme.axes(figure, x, y, width, _PANEL), one, names, modes)
    return figure


def _dashes(figure: Figure, names: Sequence[str], top: float) -> None:
    """What the dashes of lines mean."""
    handles = [
        Line2D([], [], color=SOFT, linestyle=_dash(place), label=name)
        for place, name in enumerate(names)
    ]
    height = figure.get_figheight() * figure.dpi
    figure.legend(
        handles=handles, loc="upper left", frameon=False, ncols=len(names), handlelength=3,
        bbox_to_anchor=(_LEFT / theme.WIDTH, 1 - top / height), borderaxespad=0.2, borderpad=0,
        columnspacing=1.2,
    )  # fmt: skip


def _dash(place: int) -> _Dash | None:
    """The dashes of a line; None for a solid one."""
    return _DASHES[place % len(_DASHES)]


def _panel(axes: Axes, one: Scaling, names: Sequence[str], modes: Sequence[str]) -> None:
    """The lines of one metric."""
    for growth in one.growths:
        _draw(axes, one, growth, names.index(growth.name), modes.index(growth.mode))
    numbers = sorted({x for growth in one.growths for x, _ in growth.cells})
    if numbers[0] > 0 and numbers[-1] > _LOGARITHMIC * numbers[0]:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(_apart(numbers)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _upright(axes, [cell["median"] for growth in one.growths for _, cell in growth.cells])
    axes.set_xlabel(one.parameter)
    axes.grid(axis="both")
    title = f"{one.table.title} {one.table.arrow}"
    axes.annotate(
        title, (0, 1), (0, 7), xycoords="axes fraction", textcoords="offset points", weight="bold"
    )


def _draw(axes: Axes, one: Scaling, growth: Growth, dash: int, place: int) -> None:
    """One line with its band."""
    factor, (colour, marker) = one.table.scale.factor, theme.series(place)
    x = [number for number, _ in growth.cells]
    middle, low, high = (
        [cell[name] / factor for _, cell in growth.cells] for name in ("median", "low", "high")
    )
    if not any(map(math.isnan, low)):
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(
        x, middle, color=colour, linestyle=_dash(dash), linewidth=1.5, marker=marker,
        markersize=5.5, markeredgecolor=PAPER, markeredgewidth=0.6, clip_on=False,
    )  # fmt: skip


def _apart(numbers: Sequence[float]) -> list[float]:
    """The numbers that are far enough from each other on a logarithmic axis to be labelled."""
    least = math.log(numbers[-1] / numbers[0]) / 7
    kept = [numbers[-1]]
    for number in reversed(numbers[:-1]):
        if math.log(kept[-1] / number) >= least:
            kept.append(number)
    return kept


def _upright(axes: Axes, values: Sequence[float]) -> None:
    """The metric's axis: from zero, or logarithmic where values differ very much."""
    positive = [value for value in values if value > 0]
    if positive and max(positive) > _LOGARITHMIC * min(positive):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(5))
