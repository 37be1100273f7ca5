"""The figure of failures: for each event, how long traffic stood still in each mode.

A row for each mode under each event: every sample as a dot (the disturbed ones hollow), the median
with its 95 % interval, and both as numbers at the right end. The axis is logarithmic where gaps
differ more than tenfold; a sample without a gap then is an arrow at its left end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from testbed.analysis import theme, units
from testbed.analysis.failures import Event, Gap
from testbed.analysis.figures import dots, short
from testbed.analysis.theme import INK, RULE, SOFT

_ROW, _TOP, _BOTTOM, _RIGHT = 18, 6, 40, 150
_CHARACTER = 6.4
_LOGARITHMIC = 10.0  # from this ratio of the largest to the smallest gap on

Row = tuple[str, Gap | None]
"""An event's name without a gap, or a mode's name with its gap."""


def gaps(events: Sequence[Event], modes: Sequence[str]) -> Figure | None:
    """The figure; None if there is no event. Draw it within ``theme.themed``.

    Args:
        events: What happened.
        modes: All modes of the report, which gives each its colour and marker.
    """
    rows = list(_rows(events))
    if not rows:
        return None
    left = 24 + round(max(len(short(name)) for name, _ in rows) * _CHARACTER)
    height = len(rows) * _ROW
    figure = theme.canvas(_TOP + height + _BOTTOM)
    axes = theme.axes(figure, left, _TOP, theme.WIDTH - left - _RIGHT, height)
    _axis(axes, [gap for _, gap in rows if gap])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for y, (name, gap) in enumerate(rows):
        _label(axes, y, name, left, heading=gap is None)
        if gap is None:
            axes.axhline(y - 0.5, color=RULE, linewidth=0.8)
        else:
            _draw(axes, y, gap, modes.index(gap.mode))
    return figure


def _rows(events: Sequence[Event]) -> Iterator[Row]:
    """The rows from the top; the scenario is named where there are several."""
    several = len({event.scenario for event in events}) > 1
    for event in events:
        yield (f"{event.scenario}: {event.name}" if several else event.name), None
        for gap in event.gaps:
            yield gap.mode, gap


def _axis(axes: Axes, found: Sequence[Gap]) -> None:
    """The axis over all samples, in seconds."""
    values = np.concatenate([gap.samples["value"].to_numpy() for gap in found])
    positive = values[values > 0]
    if positive.size and positive.max() > _LOGARITHMIC * positive.min():
        axes.set_xscale("log")
        low, high = positive.min() / 1.4, positive.max() * 1.4
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(FixedLocator(_ticks(low, high)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0, 1.06 * (positive.max() if positive.size else 1.0))
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    axes.set_xlabel("time without traffic")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _ticks(low: float, high: float) -> list[float]:
    """The powers of ten in a range, and 3 times each where these are few."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)), 4)]
    steps = (1.0, 3.0) if high < 1000 * low else (1.0,)
    return [step * power for power in powers for step in steps if low <= step * power <= high]


def _time(value: float) -> str:
    """A duration as the axis tells it: ``3 ms``."""
    chosen = units.scale([value], "s")
    return f"{value / chosen.factor:g} {chosen.unit}" if value else "0"


def _draw(axes: Axes, y: int, gap: Gap, place: int) -> None:
    """The samples of a row, their median with its interval, and the numbers."""
    edge = axes.get_xlim()[0]
    rows = gap.samples[gap.samples["value"] >= edge]
    level = np.linspace(y - 0.25, y + 0.25, len(rows)) if len(rows) > 1 else np.full(len(rows), y)
    dots(axes, rows["value"], level, rows["disturbed"], place)
    if len(rows) < len(gap.samples) and edge > 0:
        axes.plot(edge, y, marker="<", markersize=6, color=theme.series(place)[0], clip_on=False)
    middle, low, high = (gap.cell[name] for name in ("median", "low", "high"))
    axes.plot([middle] * 2, [y - 0.4, y + 0.4], color=INK, linewidth=1.6)
    if not math.isnan(low):
        axes.plot([max(low, edge), high], [y, y], color=INK, linewidth=1)
    scale = units.scale([middle], "s")
    text = f"{scale.number(middle)} {scale.unit} {scale.interval(low, high)}"
    axes.annotate(
        text.strip(), (1, y), (10, 0), xycoords=("axes fraction", "data"), va="center",
        textcoords="offset points", annotation_clip=False,
    )  # fmt: skip


def _label(axes: Axes, y: int, name: str, left: int, *, heading: bool) -> None:
    """The name of a row; an event's is bold, and the modes are indented below it."""
    axes.annotate(
        name if heading else short(name), (0, y), ((2 if heading else 14) - left, 0), va="center",
        xycoords=("axes fraction", "data"), textcoords="offset points", annotation_clip=False,
        weight="bold" if heading else "normal", color=INK if heading else SOFT,
    )  # fmt: skip
