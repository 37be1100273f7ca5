"""What the numbers say, in sentences: the head of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from testbed.analysis import frames, units
from testbed.analysis.layout import Group, Line, MetricTable, Record


def headline(tables: Sequence[MetricTable]) -> list[tuple[str, str]]:
    """A subject and a statement for each setting of each scenario, on its :func:`chief` metric.

    Such as: "pod-throughput (tcp, 1 stream), cross-node" and "bgp keeps 0.93 [0.91-0.95] of the
    node-to-node throughput, vxlan 0.81 [0.79-0.83]; vxlan to bgp is 0.87 [0.85-0.90]."
    """
    sentences = []
    for table in chief(tables):
        for group in table.groups:
            path = _path_of_interest(table, group)
            lines = [line for line in group.lines if path in line.cells]
            subject = table.scenario + (f" ({group.setting})" if group.setting else "")
            place = f", {path}" if path else ""
            sentences.append((subject + place, f"{_statement(table, lines, path)}."))
    return sentences


def chief(tables: Sequence[MetricTable]) -> list[MetricTable]:
    """Of each scenario, the first metric with a better side that is not zero throughout."""
    found: dict[str, MetricTable] = {}
    for table in tables:
        if table.better != "none" and not table.zero:
            found.setdefault(table.scenario, table)
    return list(found.values())


def ratio(cell: Record, kind: str) -> str:
    """A ratio of a summary's row with its interval; empty if there is none.

    Args:
        cell: The row.
        kind: ``baseline`` or ``reference``.
    """
    if math.isnan(cell[f"{kind}_ratio"]):
        return ""
    interval = units.ONE.interval(cell[f"{kind}_low"], cell[f"{kind}_high"])
    return f"{units.number(cell[f'{kind}_ratio'])} {interval}".strip()


def _path_of_interest(table: MetricTable, group: Group) -> str:
    """Cross-node if it was measured, else the last path that is not the baseline."""
    there = [path for path in table.paths if any(path in line.cells for line in group.lines)]
    others = [path for path in there if path != frames.BASELINE]
    return "cross-node" if "cross-node" in others else (others or there)[-1]


def _statement(table: MetricTable, lines: Sequence[Line], path: str) -> str:
    """What one path of one setting says: against the baseline if there is one, then by mode."""
    cells = {line.mode: line.cells[path] for line in lines}
    ratios = {mode: ratio(cell, "baseline") for mode, cell in cells.items()}
    if any(ratios.values()):
        found = [(mode, text) for mode, text in ratios.items() if text]
        first, rest = found[0], found[1:]
        verb = "keeps" if table.better == "higher" else "has"
        what = f"of the node-to-node {units.metric(table.metric)}"
        if table.better != "higher":
            what = f"times the node-to-node {units.metric(table.metric)}"
        said = [f"{first[0]} {verb} {first[1]} {what}", *(f"{mode} {text}" for mode, text in rest)]
    else:
        said = [
            f"{mode} has a median {units.metric(table.metric)} of {_median(table, cell)}"
            for mode, cell in cells.items()
        ]
    return "; ".join([", ".join(said), *_against_reference(cells)])


def _median(table: MetricTable, cell: Record) -> str:
    """A median with unit and interval."""
    interval = table.scale.interval(cell["low"], cell["high"])
    text = f"{table.scale.number(cell['median'])} {table.scale.unit}".strip()
    return f"{text} {interval}".strip()


def _against_reference(cells: dict[str, Record]) -> list[str]:
    """How each mode relates to the reference mode, and whether that is a difference at all."""
    said = []
    for mode, cell in cells.items():
        text = ratio(cell, "reference")
        if not text:
            continue
        low, high = cell["reference_low"], cell["reference_high"]
        open_ = math.isnan(low) or low <= 1 <= high
        verdict = " (no difference shown)" if open_ else ""
        said.append(f"{mode} to {cell['reference']} is {text}{verdict}")
    return said
