"""How figures look, and how they become part of a page that is light, dark or printed.

Matplotlib knows no ``currentColor``. So what belongs to the page (text, axes, grid) is drawn in
placeholder colours, and every series in a colour of its own; in the SVG all of them are replaced by
CSS: ``currentColor`` and custom properties (``--series-1`` …), which the page defines once for each
theme. The series are those of M. Okabe and K. Ito ("Color Universal Design", 2008), which people
with any colour vision tell apart; each also has a marker of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#010203"
"""Text and axes: becomes ``currentColor``."""
RULE = "#010204"
"""Grid lines and reference lines: becomes ``var(--rule)``."""
PAPER = "#010205"
"""The inside of hollow markers: becomes ``var(--paper)``."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5c00", "#8c8c8c")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")

WIDTH = 720
"""The width of every figure in CSS pixels."""

_DPI = 72  # matplotlib's SVG has 72 units to the inch: so a unit is a pixel
_FONT = 11
_SETTINGS: dict[Any, Any] = {
    "font.size": _FONT,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.labelsize": _FONT,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": _FONT,
    "ytick.labelsize": _FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "testbed",
    "figure.dpi": _DPI,
    "savefig.transparent": True,
}


@contextmanager
def themed() -> Iterator[None]:
    """Within it figures are drawn in this look, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def canvas(
    height: int, left: int, right: int, top: int = 8, bottom: int = 42
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; everything in pixels.

    Args:
        height: Height of the axes.
        left: Margin for the labels of rows.
        right: Margin for what stands at the end of rows.
        top: Margin above.
        bottom: Margin for the ticks and the label of the x axis.
    """
    whole = height + top + bottom
    figure = Figure(figsize=(WIDTH / _DPI, whole / _DPI))
    box = (left / WIDTH, bottom / whole, (WIDTH - left - right) / WIDTH, height / whole)
    return figure, figure.add_axes(box)


def series(place: int) -> tuple[str, str]:
    """Colour and marker of the series at this place."""
    return SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]


def svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element to put into a page.

    Args:
        figure: What was drawn within :func:`themed`.
        name: Goes before every id, so that several figures fit into one page.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(
        r'<svg[^>]*?viewBox="([^"]*)"[^>]*>',
        r'<svg viewBox="\1" aria-hidden="true">',
        text,
        count=1,
        flags=re.DOTALL,
    )
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text).replace("xlink:href", "href")
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return _coloured(text).replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")


def _coloured(text: str) -> str:
    """The placeholders replaced by what follows the page's theme."""
    text = text.replace(INK, "currentColor").replace(RULE, "var(--rule)")
    text = text.replace(PAPER, "var(--paper)")
    for place, colour in enumerate(SERIES, start=1):
        text = text.replace(colour, f"var(--series-{place})")
    return text
