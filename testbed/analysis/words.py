"""What the numbers say, in sentences: the head of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from testbed.analysis import frames, units
from testbed.analysis.comparison import verdict
from testbed.analysis.headlines import Headline, paths
from testbed.analysis.layout import Record
from testbed.analysis.statistics import Estimate

_SAID = {
    "better": "better in {}",
    "worse": "worse in {}",
    "inconclusive": "no difference shown in {}",
    "unsure": "too few blocks to tell for {}",
}


def headline(found: Sequence[Headline]) -> list[tuple[str, str]]:
    """A subject and a statement for each mode on each path.

    Modes are told against the reference mode: "bgp to vxlan, cross-node" is "better in rtt-p50
    x0.70 [0.68-0.72]; no difference shown in throughput (tcp, 1 stream)". A mode that has no
    reference is told against node to node, and else by its medians.
    """
    statements = [
        (f"{mode} to {reference}" + (f", {path}" if path else ""), _against(found, mode, path))
        for path in paths(found)
        for mode, reference in _compared(found, path).items()
    ]
    if statements:
        return statements
    return [
        (mode + (f", {path}" if path else ""), _alone(found, mode, path))
        for path in paths(found)
        for mode in dict.fromkeys(mode for one in found for mode in one.cells(path))
    ]


def ratio(cell: Record, kind: str) -> str:
    """A ratio of a summary's row with its interval; empty if there is none.

    Args:
        cell: The row.
        kind: ``baseline`` or ``reference``.
    """
    value, low, high = (cell[f"{kind}_{end}"] for end in ("ratio", "low", "high"))
    return times(Estimate(value, low, high, cell["n"]))


def times(ratio: Estimate) -> str:
    """A ratio with its interval, ``x0.70 [0.68-0.72]``; empty if there is none."""
    if math.isnan(ratio.value):
        return ""
    interval = units.ONE.interval(ratio.low, ratio.high)
    return f"{units.TIMES}{units.number(ratio.value)} {interval}".strip()


def _compared(found: Sequence[Headline], path: str) -> Mapping[str, str]:
    """The modes that have a ratio to the reference mode on this path, with its name."""
    return {
        mode: _reference(one.cells(path), cell)
        for one in found
        for mode, cell in one.cells(path).items()
        if not math.isnan(cell["reference_ratio"])
    }


def _reference(cells: Mapping[str, Record], cell: Record) -> str:
    """The name of the mode that a record is divided by: its own but for the axis."""
    axis = cell["axis"]
    other = [name for name in frames.MODES if name in cell and name != axis]
    for mode, one in cells.items():
        same = all(one[name] == cell[name] for name in other)
        if same and (one[axis] or frames.UNIMPAIRED) == cell["reference"]:
            return mode
    return str(cell["reference"])


def _against(found: Sequence[Headline], mode: str, path: str) -> str:
    """What became better and worse than in the reference mode."""
    sorted_: dict[str, list[str]] = {kind: [] for kind in _SAID}
    for one in found:
        cell = one.cells(path).get(mode)
        if cell is not None and not math.isnan(cell["reference_ratio"]):
            kind = _kind(cell, one.table.better)
            told = f" {ratio(cell, 'reference')}" if kind in ("better", "worse") else ""
            sorted_[kind].append(one.name + told)
    whole = sum(map(len, sorted_.values()))
    return "; ".join(
        _SAID[kind].format(_listed(names, whole)) for kind, names in sorted_.items() if names
    )


def _listed(names: Sequence[str], whole: int) -> str:
    """Names in a row; if they are all that there are, their number."""
    if len(names) == whole > 1 and units.TIMES not in names[0]:
        return f"any of {whole} headline metrics"
    return ", ".join(names)


def _kind(cell: Record, better: str) -> str:
    """Better or worse than the reference if the interval excludes 1, and so do the digits."""
    value, low, high = (cell[f"reference_{end}"] for end in ("ratio", "low", "high"))
    if math.isnan(low):
        return "unsure"
    if units.number(value) == units.number(1.0):
        return "inconclusive"
    said = verdict(Estimate(value, low, high, cell["n"]), better, 0)
    return "inconclusive" if said == "same" else said


def _alone(found: Sequence[Headline], mode: str, path: str) -> str:
    """The ratios of one mode to node to node, or its medians."""
    said = []
    for one in found:
        cell = one.cells(path).get(mode)
        if cell is not None and ratio(cell, "baseline"):
            base = frames.BASELINES[frames.baseline(one.table.paths) or frames.BASELINE]
            said.append(f"{one.name} {ratio(cell, 'baseline')} of {base}")
        elif cell is not None:
            said.append(f"{one.name} {_median(one, cell)}")
    return ", ".join(said)


def _median(one: Headline, cell: Record) -> str:
    """A median with unit and interval."""
    scale = one.table.scale
    text = f"{scale.number(cell['median'])} {scale.unit}".strip()
    return f"{text} {scale.interval(cell['low'], cell['high'])}".strip()
