"""One row per cell and metric: the median, its interval, and two ratios.

The *baseline* of a cell is the same cell on the path ``node-to-node``: traffic between the nodes
themselves, with no CNI in the way, measured in the same lab and in the same blocks. Scenarios of
Services have the path ``direct`` instead: traffic to the pod's own address. The *reference* is the
same cell in another mode. Both are ratios of medians, new over base, with intervals
(:mod:`testbed.analysis.statistics`).

Modes are referred to each other along one *axis*: the CNI mode, or where all samples have the same
one, the first of :data:`AXES` that differs. The reference is the first one of the campaign's
options, so that it is the author's choice; it is the first by name where the results do not say,
and for impairments it is none.

A ratio to almost nothing says nothing: 0.3 % of loss over 0.001 % is 300, and both are noise.
Therefore a share whose base is below :data:`FLOOR` has no ratio.

Disturbed samples count like the others, and are counted: leaving out what looks bad after the fact
makes every interval too short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.analysis import frames
from testbed.analysis.statistics import NOTHING, Estimate, block_values, median, ratio_of_samples
from testbed.analysis.statistics import variation as coefficient_of_variation

FLOOR = 0.01
"""The least pure number (unit ``1``: shares and counts) that anything is divided by."""

AXES = ("cni", "topology", "proxy", "impairment")
"""The columns along which modes are referred to each other, the first that differs."""

Cells = Mapping[tuple[Any, ...], pd.DataFrame]


def axis_of(frame: pd.DataFrame) -> str:
    """The column that tells a mode from its reference."""
    there = (name for name in AXES if name in frame.columns)
    return next((name for name in there if frame[name].nunique(dropna=False) > 1), AXES[0])


def reference_of(frame: pd.DataFrame, environments: Sequence[Mapping[str, Any]]) -> str | None:
    """The first mode that a campaign's options list on the axis, if it was measured."""
    axis = axis_of(frame)
    measured = set(frame[axis].dropna()) if axis in frame.columns else set()
    for environment in environments:
        options = environment.get("options")
        listed = options.get(axis) if isinstance(options, dict) else None
        if isinstance(listed, list) and listed and Path(str(listed[0])).stem in measured:
            return Path(str(listed[0])).stem  # a topology may be a file
    return None


def summary(frame: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """What was measured, one row per cell and metric.

    Args:
        frame: The samples.
        reference: The mode on the axis that the others are divided by; the first by name if not
            given.

    Returns:
        The columns of :func:`frames.key`, then ``unit``, ``better``, ``n`` (blocks), ``disturbed``
        (samples), ``median``, ``low``, ``high`` (in ``unit``), ``variation`` (coefficient of
        variation), ``baseline_ratio``, ``baseline_low``, ``baseline_high``, ``axis``,
        ``reference``, ``reference_ratio``, ``reference_low``, ``reference_high``. What does not
        exist is NaN.
    """
    columns = frames.key(frame)
    cells = frames.cells(frame)
    axis = axis_of(frame)
    reference = reference or _first(frame, axis)
    base = None if reference == frames.UNIMPAIRED and axis == "impairment" else reference
    rows = [
        {
            **dict(zip(columns, values, strict=True)),
            **_own(rows),
            **_named(
                "baseline", _against(cells, columns, values, "path", _base(cells, columns, values))
            ),
            "axis": axis,
            "reference": reference,
            **_named("reference", _against(cells, columns, values, axis, base)),
        }
        for values, rows in cells.items()
    ]
    found = pd.DataFrame(rows)
    return found.astype({name: frame[name].dtype for name in columns})


def write_summary(found: pd.DataFrame, folder: Path) -> Path:
    """Writes a summary as ``summary.csv`` into a folder and returns its path."""
    path = folder / "summary.csv"
    found.to_csv(path, index=False, float_format="%.9g")
    return path


def _first(frame: pd.DataFrame, axis: str) -> str | None:
    """The first mode of an axis by name; no impairment before all others."""
    if axis not in frame.columns:
        return None
    if axis == "impairment" and frame[axis].isna().any():
        return frames.UNIMPAIRED
    return min((str(name) for name in frame[axis].dropna().unique()), default=None)


def _own(rows: pd.DataFrame) -> dict[str, Any]:
    """What a cell's rows say by themselves."""
    values = block_values(rows)
    middle = median(values)
    return {
        "unit": rows["unit"].iloc[0],
        "better": rows["better"].iloc[0],
        "n": len(values),
        "disturbed": int(rows["disturbed"].sum()),
        "median": middle.value,
        "low": middle.low,
        "high": middle.high,
        "variation": coefficient_of_variation(values),
    }


def _against(
    cells: Cells, columns: list[str], values: tuple[Any, ...], name: str, value: str | None
) -> Estimate:
    """The ratio of a cell to the one that differs in one parameter; nothing if it is that one."""
    if name not in columns:
        return NOTHING
    place = columns.index(name)
    base = (*values[:place], value, *values[place + 1 :])
    if base == values or base not in cells or _almost_nothing(cells[base]):
        return NOTHING
    return ratio_of_samples(cells[values], cells[base])


def _base(cells: Cells, columns: list[str], values: tuple[Any, ...]) -> str | None:
    """The path that a cell is divided by."""
    if "path" not in columns:
        return None
    place = columns.index("path")
    paths = frames.BASELINES
    return frames.baseline(p for p in paths if (*values[:place], p, *values[place + 1 :]) in cells)


def _almost_nothing(rows: pd.DataFrame) -> bool:
    """Whether this is a share that is too small to divide by."""
    return bool(rows["unit"].iloc[0] == "1" and median(block_values(rows)).value < FLOOR)


def _named(prefix: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as columns."""
    return {
        f"{prefix}_ratio": estimate.value,
        f"{prefix}_low": estimate.low,
        f"{prefix}_high": estimate.high,
    }
