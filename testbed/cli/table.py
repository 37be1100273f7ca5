"""Plain columns as kubectl prints them: no frame, aligned by spaces, easy to cut and to grep."""

from __future__ import annotations

from collections.abc import Sequence


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Header and rows, each column as wide as its widest cell and three spaces apart."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = ("   ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(text.rstrip() for text in texts)


def tabbed(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells as Go's ``text/tabwriter`` aligns them for ``kubectl describe``.

    The last cell of a line is left as it is; the others are as wide as the widest one of the same
    column in the lines around it that have such a cell too, and two spaces.
    """
    texts = ["" for _ in lines]
    for column in range(max(map(len, lines), default=0)):
        start = 0
        while start < len(lines):
            end = start
            while end < len(lines) and len(lines[end]) > column + 1:
                end += 1
            width = max((len(lines[i][column]) for i in range(start, end)), default=0) + 2
            for i in range(start, end):
                texts[i] += lines[i][column].ljust(width)
            if end < len(lines) and len(lines[end]) == column + 1:
                texts[end] += lines[end][column]
            start = end + 1
    return texts
