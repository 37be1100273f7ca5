r"""The summary as a LaTeX table.

It is a ``tabular`` for ``\input`` and needs the package booktabs; ratios to node to node stand
after a multiplication sign. What comes from the data is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from testbed.analysis import frames, units
from testbed.analysis.layout import Line, MetricTable
from testbed.analysis.sections import Section

_ESCAPES = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "[": "{[}",  # after a line's end it would begin an argument
        "]": "{]}",
        "µ": r"\textmu{}",
        units.TIMES: r"$\times$",
        "∞": r"$\infty$",
        units.NONE: "--",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
    }
)


def escape(text: str) -> str:
    """Text of which LaTeX prints every sign."""
    return text.translate(_ESCAPES)


def table(sections: Sequence[Section]) -> str:
    """The judged metrics of all settings as one ``tabular``."""
    paths = list(dict.fromkeys(path for section in sections for path in section.paths))
    head = ["metric", "mode", *(escape(path) or "value" for path in paths)]
    lines = [
        "% Medians with 95 % intervals; after the multiplication sign the ratio to node to node,",
        "% or direct.",
        r"% Needs \usepackage{booktabs}.",
        rf"\begin{{tabular}}{{ll{'l' * len(paths)}}}",
        r"\toprule",
        _row(head),
        *(line for section in sections for line in _section(section, paths)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _section(section: Section, paths: Sequence[str]) -> Iterator[str]:
    """The rows of one setting, under its name."""
    blocks = [block for block in section.blocks if block.table.better != "none"]
    if blocks:
        yield r"\midrule"
        yield rf"\multicolumn{{{2 + len(paths)}}}{{l}}{{\textit{{{escape(section.title)}}}}} \\"
    for block in blocks:
        for place, line in enumerate(block.lines):
            title = "" if place else escape(f"{block.table.title} {block.table.arrow}")
            cells = (_cell(block.table, line, path) for path in paths)
            yield _row([title, escape(line.mode), *cells])


def _row(fields: Sequence[str]) -> str:
    return " & ".join(fields) + r" \\"


def _cell(table: MetricTable, line: Line, path: str) -> str:
    """A median with its interval, and the ratio to the baseline."""
    record = line.cells.get(path)
    if record is None:
        return ""
    parts = [table.scale.number(record["median"])]
    parts.append(table.scale.interval(record["low"], record["high"]))
    if math.isfinite(record["baseline_ratio"]):
        parts.append(units.TIMES + units.number(record["baseline_ratio"]))
    elif frames.baseline(line.cells) not in (None, path):
        parts.append(units.TIMES + units.NONE)
    return escape(" ".join(part for part in parts if part))
