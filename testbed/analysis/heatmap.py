"""The figure of where the traffic went: a row for each cell, a column for each uplink.

A field is as dark as the share of what its device sent up that went this way. At the right are the
imbalance with its interval, and how much was sent up in a sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from testbed.analysis import theme, units
from testbed.analysis.figures import short
from testbed.analysis.theme import RULE, SERIES
from testbed.analysis.traffic import Spread, Traffic, Uplink

_ROW, _HEAD, _BOTTOM = 18, 40, 8
_CHARACTER, _NUMBERS, _WIDEST = 6.4, 178, 64  # pixels
_DARKEST = 0.5  # the text on it must be legible in light and dark
_LEGIBLE = 30  # pixels that a number needs

Row = tuple[str, Spread | None]
"""A setting without a cell, or a mode with its cell."""


def heatmap(traffic: Traffic) -> Figure:
    """The figure of one topology. Draw it within ``theme.themed``."""
    rows = list(_rows(traffic.spreads))
    left = 24 + round(max(len(short(name)) for name, spread in rows if spread) * _CHARACTER)
    width = min(theme.WIDTH - left - _NUMBERS, _WIDEST * len(traffic.links))
    height = len(rows) * _ROW
    figure = theme.canvas(_HEAD + height + _BOTTOM)
    axes = theme.axes(figure, left, _HEAD, width, height)
    axes.set_xlim(0, len(traffic.links))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_axis_off()
    _head(axes, traffic.links, width)
    for y, (name, spread) in enumerate(rows):
        _text(axes, 0, y, name if spread is None else short(name),
              (2 if spread is None else 14) - left, bold=spread is None)  # fmt: skip
        if spread:
            _fields(axes, y, spread, traffic.links, width / len(traffic.links))
    return figure


def _rows(spreads: Sequence[Spread]) -> Iterator[Row]:
    """The rows from the top, under a heading for each setting."""
    for setting in dict.fromkeys(spread.setting for spread in spreads):
        yield setting, None
        for spread in spreads:
            if spread.setting == setting:
                yield spread.mode, spread


def _head(axes: Axes, links: Sequence[Uplink], width: float) -> None:
    """What stands above the columns: the device, and below it who is at the other end."""
    names = {link: link[2] for link in links}
    for link in links:
        if sum(other[0] == link[0] and other[2] == link[2] for other in links) > 1:
            names[link] = link[1].removeprefix(f"{link[0]}-")  # parallel links: the interface
    step = width / len(links)
    for x, link in enumerate(links):
        _text(axes, x + 0.5, -0.5, names[link][: max(1, int(step / _CHARACTER))], 0, up=8)
    for device in dict.fromkeys(link[0] for link in links):
        places = [x for x, link in enumerate(links) if link[0] == device]
        _text(axes, places[0] + len(places) / 2, -0.5, f"from {device}", 0, up=24, bold=True)
    _text(axes, len(links), -0.5, "busiest / mean", 12, up=8)
    _text(axes, len(links), -0.5, "sent up", 126, up=8)


def _fields(axes: Axes, y: int, spread: Spread, links: Sequence[Uplink], step: float) -> None:
    """The fields of a row, and its numbers."""
    for x, link in enumerate(links):
        share = spread.shares.get(link, math.nan)
        field = (x + 0.02, y - 0.46), 0.96, 0.92
        axes.add_patch(Rectangle(*field, facecolor="none", edgecolor=RULE, linewidth=0.6))
        if not math.isnan(share):
            axes.add_patch(
                Rectangle(*field, facecolor=SERIES[0], alpha=_DARKEST * share, linewidth=0)
            )
        if step >= _LEGIBLE:
            text = units.NONE if math.isnan(share) else f"{100 * share:.0f} %"
            _text(axes, x + 0.5, y, text, 0)
    one = spread.imbalance
    text = f"{units.ONE.number(one.value)} {units.ONE.interval(one.low, one.high)}"
    _text(axes, len(links), y, text.strip(), 12)
    _text(axes, len(links), y, units.quantity(spread.sent, "B"), 126)


def _text(
    axes: Axes, x: float, y: float, text: str, right: float, *, up: float = 0, bold: bool = False
) -> None:
    """A text at a place in data coordinates: centred, or beginning ``right`` pixels beside it."""
    axes.annotate(
        text, (x, y), (right, up), va="center", ha="left" if right else "center",
        textcoords="offset points", annotation_clip=False, weight="bold" if bold else "normal",
    )  # fmt: skip
