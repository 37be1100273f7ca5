"""The report: one HTML file that stands alone.

It refers to nothing outside itself and runs no script, so it can be mailed, archived and printed.
This module gathers what the report says; ``templates/report.html.j2`` says how it looks, and
escapes whatever comes from the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

import testbed
from testbed.analysis import comparison, figures, frames, layout, units, verdicts, words
from testbed.analysis.layout import MetricTable
from testbed.analysis.summary import summary
from testbed.analysis.topology import topology_svg
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
    frame = frames.load(list(folders))
    environments = [frames.environment(folder) for folder in folders]
    found = summary(frame, _reference(frame, environments))
    tables = layout.arrange(found)
    names = frames.labels(folders)
    return _template().render(
        title="Cluster network benchmark: " + ", ".join(names),
        version=testbed.__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        headline=words.headline(tables),
        size=_size(frame),
        scenarios=_scenarios(tables),
        figures=_figures(tables, list(frames.cells(frame).values()), layout.mode_names(tables)),
        changes=_changes(folders, names),
        topologies=_topologies(environments),
        environment=_environment(environments),
        folders=names,
        noise=_noise(tables),
        same=_same(tables),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("testbed"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"metric": units.metric, "ratio": words.ratio, "number": units.number}
    return environment.get_template("report.html.j2")


def _reference(frame: pd.DataFrame, environments: Sequence[Mapping[str, Any]]) -> str | None:
    """The first CNI mode that the campaign listed, if it says so and was measured."""
    if "cni" not in frame.columns:
        return None
    measured = set(frame["cni"].dropna())
    for environment in environments:
        for part in ("options", "campaign"):
            listed = environment.get(part)
            modes = listed.get("cni") if isinstance(listed, dict) else None
            modes = modes.split(",") if isinstance(modes, str) else modes
            if isinstance(modes, list) and modes and modes[0] in measured:
                return str(modes[0])
    return None


def _size(frame: pd.DataFrame) -> dict[str, int]:
    """How much was measured."""
    measurements = frame.drop_duplicates(["run", "order", *frames.parameters(frame), "scenario"])
    return {
        "measurements": len(measurements),
        "values": len(frame),
        "blocks": frame.drop_duplicates(["run", "block"]).shape[0],
        "disturbed": int(measurements["disturbed"].sum()),
    }


def _scenarios(tables: Sequence[MetricTable]) -> list[dict[str, Any]]:
    """The tables by scenario: what is judged, what explains it, and what is zero throughout."""
    by_name: dict[str, list[MetricTable]] = {}
    for table in tables:
        by_name.setdefault(table.scenario, []).append(table)
    return [
        {
            "name": name,
            "judged": [one for one in own if one.better != "none" and not one.zero],
            "explains": [one for one in own if one.better == "none" and not one.zero],
            "zero": [units.metric(one.metric) for one in own if one.zero],
        }
        for name, own in by_name.items()
    ]


def _figures(
    tables: Sequence[MetricTable], samples: figures.Samples, modes: Sequence[str]
) -> dict[tuple[str, str], dict[str, Markup]]:
    """The three figures of each metric that has a better side, by scenario and metric.

    They are markup already: Matplotlib escapes the text that it draws.
    """
    shown = [table for table in tables if table.better != "none" and not table.zero]
    return {
        (table.scenario, table.metric): {
            "ratios": Markup(figures.ratios(table, modes, f"r{place}")),  # noqa: S704
            "samples": Markup(figures.distributions(table, samples, modes, f"d{place}")),  # noqa: S704
            "time": Markup(figures.over_time(table, samples, modes, f"t{place}")),  # noqa: S704
        }
        for place, table in enumerate(shown)
    }


def _changes(folders: Sequence[Path], names: Sequence[str]) -> list[dict[str, Any]]:
    """Every further folder against the first one, as ``testbed compare`` does."""
    base = frames.load(folders[0])
    return [
        {"name": name, **_change(base, frames.load(folder))}
        for folder, name in list(zip(folders, names, strict=True))[1:]
    ]


def _change(base: pd.DataFrame, new: pd.DataFrame) -> dict[str, Any]:
    """The conclusion of a comparison, and the rows that a reader should see."""
    try:
        rows = comparison.compare(base, new, THRESHOLD)
    except InputError as error:  # nothing in common: side by side they are still of use
        return {"conclusion": f"There is nothing to compare: {error.message}.", "rows": []}
    told = [row for row in verdicts.fields(rows) if row[0] in ("worse", "better")]
    return {"conclusion": verdicts.conclusion(rows, THRESHOLD), "rows": told}


def _topologies(environments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each topology once, drawn and in words."""
    found: dict[str, Any] = {}
    for environment in environments:
        found |= environment.get("topologies") or {}
    return [
        {
            "name": name,
            "svg": Markup(topology_svg(topology)),  # noqa: S704  escapes what it draws
            "alt": _alternative(topology),
        }
        for name, topology in found.items()
    ]


def _alternative(topology: Mapping[str, Any]) -> str:
    """A topology in words: who is linked to whom."""
    links = ", ".join(f"{link['a']} to {link['b']}" for link in topology.get("links", []))
    return f"{len(topology.get('nodes', []))} hosts and switches; links: {links or 'none'}"


def _environment(environments: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """What ``environment.json`` says, a row for each key and a value for each folder."""
    keys = dict.fromkeys(key for environment in environments for key in environment)
    return [
        (key, [_said(key, environment.get(key)) for environment in environments])
        for key in keys
        if key != "topologies"
    ]


def _said(key: str, value: Any) -> str:
    """A free-form value as text."""
    if value is None or value in ([], {}):
        return "–"  # noqa: RUF001
    if isinstance(value, dict):
        return "; ".join(f"{name} {_said(name, one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_said(key, one) for one in value)
    if key == "memory" and isinstance(value, int):
        return f"{value / 2**30:.1f} GiB"
    return str(value)


def _noise(tables: Sequence[MetricTable]) -> list[dict[str, Any]]:
    """The coefficient of variation of each metric: of its median cell and of its worst."""
    noise = []
    for table in tables:
        found = sorted(cell["variation"] for cell in table.cells if cell["variation"] >= 0)
        if found and not table.zero:
            middle = found[len(found) // 2]
            noise.append({"table": table, "middle": middle, "most": found[-1], "cells": len(found)})
    return noise


def _same(tables: Sequence[MetricTable]) -> list[dict[str, Any]]:
    """The A/A test that is in every campaign: the baseline of one mode against another's.

    Node-to-node traffic meets no CNI, so its ratio between modes should be 1.
    """
    return [
        {
            "table": table,
            "setting": group.setting,
            "mode": line.mode,
            "cell": cell,
            "holds": bool(cell["reference_low"] <= 1 <= cell["reference_high"]),
        }
        for table in tables
        if table.better != "none" and not table.zero
        for group in table.groups
        for line in group.lines
        for path, cell in line.cells.items()
        if path == frames.BASELINE and not math.isnan(cell["reference_low"])
    ]
