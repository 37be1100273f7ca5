"""How figures look, and how they become part of a page that is light, dark or printed.

Matplotlib knows no ``currentColor``. So everything is drawn in the colours of the light theme, each
of which has one meaning; within a page (:func:`svg`) they are replaced by CSS: ``currentColor`` and
custom properties (``--series-1`` …), which the page defines once for each theme. A file
(:func:`export`) keeps them. The series are those of M. Okabe and K. Ito ("Color Universal Design",
2008), which people with any colour vision tell apart; each also has a marker of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

INK = "#1a1c1f"
"""Text and axes: becomes ``currentColor``."""
RULE = "#d5d9df"
"""Grid lines and reference lines: becomes ``var(--rule)``."""
PAPER = "#fffffe"
"""The inside of hollow markers: becomes ``var(--paper)``."""

SOFT = "#5a6069"
"""What is said beside: becomes ``var(--soft)``."""
SHADE = "#f3f5f8"
"""Areas: becomes ``var(--shade)``."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5c00", "#8c8c8c")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")

WIDTH = 720
"""The width of every figure in CSS pixels."""

_LOGARITHMIC = 30.0  # from this ratio of the largest to the smallest value on
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


def canvas(height: float) -> Figure:
    """An empty figure of :data:`WIDTH` and this height in pixels."""
    return Figure(figsize=(WIDTH / _DPI, height / _DPI))


def axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes within a figure: their upper left corner, width and height in pixels."""
    whole = figure.get_figheight() * _DPI
    box = (left / WIDTH, (whole - top - height) / whole, width / WIDTH, height / whole)
    return figure.add_axes(box)


def legend(figure: Figure, modes: Sequence[str], left: float) -> None:
    """The colours and markers of the modes, in lines at the top right of ``left`` (pixels)."""
    handles = []
    for place, mode in enumerate(modes):
        colour, marker = series(place)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="none", label=mode))
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(left / WIDTH, 1), frameon=False,
        ncols=_legend_columns(modes, left),
        borderaxespad=0.2, borderpad=0, handletextpad=0.1, columnspacing=1.2,
    )  # fmt: skip


def legend_height(modes: Sequence[str], left: float) -> int:
    """The pixels that :func:`legend` takes."""
    return 8 + 17 * -(-len(modes) // _legend_columns(modes, left))


def _legend_columns(modes: Sequence[str], left: float) -> int:
    """How many modes fit beside each other."""
    return max(1, min(len(modes), int((WIDTH - left) / (30 + 6.6 * max(map(len, modes))))))


def spread(axes: Axes, least: float, most: float) -> None:
    """A horizontal axis with about three ticks; logarithmic if values differ very much."""
    if least > 0 and most > _LOGARITHMIC * least:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(3))


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


def export(figure: Figure, stem: Path) -> list[Path]:
    """Writes a figure for use elsewhere, as ``stem.svg`` and ``stem.pdf``.

    Letters are outlines in the SVG, so that it looks alike everywhere, and embedded in the PDF. The
    SVG has a white ground, to be legible on a dark page; the PDF has none.

    Returns:
        The paths of both.
    """
    files = [stem.with_name(f"{stem.name}.{kind}") for kind in ("svg", "pdf")]
    with mpl.rc_context({"svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(
            files[0],
            metadata={"Date": None, "Creator": None},
            facecolor="white",
            transparent=False,
        )
        figure.savefig(files[1], metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return files


def _coloured(text: str) -> str:
    """The placeholders replaced by what follows the page's theme."""
    text = text.replace(INK, "currentColor")
    for colour, name in ((RULE, "rule"), (PAPER, "paper"), (SOFT, "soft"), (SHADE, "shade")):
        text = text.replace(colour, f"var(--{name})")
    for place, colour in enumerate(SERIES, start=1):
        text = text.replace(colour, f"var(--series-{place})")
    return text
