"""The report: one HTML file that stands alone.

It refers to nothing outside itself and runs no script, so it can be mailed, archived and printed.
This module gathers what the report says; ``templates/report.html.j2`` says how it looks, and
escapes whatever comes from the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

import testbed
from testbed.analysis import (
    comparison,
    drawings,
    events,
    frames,
    quality,
    setup,
    theme,
    units,
    verdicts,
    words,
)
from testbed.analysis.results import Results, read
from testbed.analysis.sections import Block, Section
from testbed.errors import InputError, Where

THRESHOLD = 0.05
"""The threshold of the comparison of several folders."""


def render(folders: Sequence[Path], out: Path) -> Path:
    """Writes the report of these results folders; several are compared side by side.

    Args:
        folders: What ``testbed bench`` wrote; the first is what the others are compared with.
        out: The HTML file to write.

    Returns:
        The path of the file.

    Raises:
        InputError: A folder cannot be read, or the file cannot be written.
    """
    text = html(folders)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=Where(str(out))) from error
    return out


def html(folders: Sequence[Path]) -> str:
    """The report as text; arguments and errors as in :func:`render`."""
    results = read(folders)
    return _template().render(
        title="Cluster network benchmark: " + ", ".join(results.names),
        version=testbed.__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        headline=words.headline(results.headlines),
        size=quality.size(results.frame),
        scenarios=_scenarios(results),
        changes=_changes(results),
        failures=results.failures,
        traffic=results.traffic,
        drops=results.drops,
        topologies=setup.drawings(results.environments),
        events=events.listed(results.environments, results.names),
        userspace=setup.userspace(results.environments),
        emulated=setup.emulated(results.environments, results.names),
        environment=setup.rows(results.environments),
        folders=results.names,
        baseline=frames.baseline,
        noise=quality.noise(results.tables),
        same=quality.same(results.tables),
        figures=_figures(results),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("testbed"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "metric": units.metric,
        "ratio": words.ratio,
        "times": words.times,
        "number": units.number,
    }
    return environment.get_template("report.html.j2")


def _scenarios(results: Results) -> list[dict[str, Any]]:
    """The settings by scenario: what is judged, what only explains it, and what is zero."""
    return [
        {
            "name": name,
            "judged": [(s, _blocks(s, judged=True)) for s in own if _blocks(s, judged=True)],
            "explains": _explains(own),
            "scalings": [one for one in results.scalings if one.table.scenario == name],
            "zero": [
                units.metric(one.metric)
                for one in results.tables
                if one.zero and one.scenario == name
            ],
        }
        for name in dict.fromkeys(table.scenario for table in results.tables)
        for own in [[one for one in results.sections if one.scenario == name]]
    ]


def _blocks(section: Section, *, judged: bool) -> list[Block]:
    """The metrics that have a better side, or those that have none."""
    return [one for one in section.blocks if (one.table.better != "none") == judged]


def _explains(own: Sequence[Section]) -> dict[str, Any]:
    """The metrics without a better side as one table: settings, modes and paths down."""
    found = {section.setting: _blocks(section, judged=False) for section in own}
    tables = {one.table.metric: one.table for blocks in found.values() for one in blocks}
    return {
        "tables": list(tables.values()),
        "groups": [(setting, _medians(blocks)) for setting, blocks in found.items() if blocks],
    }


def _medians(blocks: Sequence[Block]) -> dict[tuple[str, str], dict[str, str]]:
    """The medians of some metrics, by mode and path."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for block in blocks:
        for line in block.lines:
            for path in block.table.paths:
                if path in line.cells:
                    text = block.table.scale.number(line.cells[path]["median"])
                    rows.setdefault((line.mode, path), {})[block.table.metric] = text
    return rows


def _figures(results: Results) -> dict[str, list[dict[str, Any]]]:
    """The drawings by kind, as markup: Matplotlib escapes the text that it draws."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in drawings.KINDS}
    with theme.themed():
        for place, one in enumerate(drawings.drawings(results)):
            svg = Markup(theme.svg(one.figure, f"f{place}"))  # noqa: S704
            found[one.kind].append({"title": one.title, "svg": svg})
    return found


def _changes(results: Results) -> list[dict[str, Any]]:
    """Every further folder against the first one, as ``testbed compare`` does."""
    base, *others = (frames.load(folder) for folder in results.folders)
    return [
        {"name": name, **_change(base, other)}
        for name, other in zip(results.names[1:], others, strict=True)
    ]


def _change(base: pd.DataFrame, new: pd.DataFrame) -> dict[str, Any]:
    """The conclusion of a comparison, and the rows that a reader should see."""
    try:
        rows = comparison.compare(base, new, THRESHOLD)
    except InputError as error:  # nothing in common: side by side they are still of use
        return {"conclusion": f"There is nothing to compare: {error.message}.", "rows": []}
    told = [row for row in verdicts.fields(rows) if row[0] in ("worse", "better")]
    return {"conclusion": verdicts.conclusion(rows, THRESHOLD), "rows": told}
