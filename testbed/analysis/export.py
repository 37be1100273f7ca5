"""The report in parts, for a paper: ``testbed report DIR --figures FOLDER``.

::

    overview.svg, overview.pdf     the headline metrics as ratios to node to node
    failures.svg, .pdf             how long traffic stood still, by event
    traffic-TOPOLOGY.svg, .pdf     how uplinks were used
    scaling-SCENARIO.svg, .pdf     what grows with a number, such as that of Services
    samples-SETTING.svg, .pdf      every sample of each setting
    summary.tex                    the medians as a table (booktabs)
    summary.csv                    one row per cell and metric, in base units
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testbed.analysis import latex, theme
from testbed.analysis.drawings import drawings
from testbed.analysis.results import read
from testbed.analysis.summary import write_summary
from testbed.errors import InputError, Where


def export(folders: Sequence[Path], out: Path) -> list[Path]:
    """Writes figures and tables of results folders into a folder, and returns what was written.

    Args:
        folders: What ``testbed bench`` wrote.
        out: Where to; made if it is not there.

    Raises:
        InputError: A folder cannot be read, or a file cannot be written.
    """
    results = read(folders)
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        with theme.themed():
            for drawing in drawings(results):
                written += theme.export(drawing.figure, out / drawing.stem)
        tex = out / "summary.tex"
        tex.write_text(latex.table(results.sections), encoding="utf-8")
        written += [tex, write_summary(results.summary, out)]
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=Where(str(out))) from error
    return written
