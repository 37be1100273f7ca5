"""One row per cell and metric: the median, its interval, and two ratios.

The *baseline* of a cell is the same cell on the path ``node-to-node``: traffic between the nodes
themselves, with no CNI in the way, measured in the same lab and in the same blocks. The *reference*
is the same cell in another CNI mode. Both are ratios of medians, new over base, with intervals
(:mod:`testbed.analysis.statistics`).

Disturbed samples count like the others, and are counted: leaving out what looks bad after the fact
makes every interval too short.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.analysis import frames
from testbed.analysis.statistics import NOTHING, Estimate, block_values, median, ratio_of_samples
from testbed.analysis.statistics import variation as coefficient_of_variation

Cells = Mapping[tuple[Any, ...], pd.DataFrame]


def summary(frame: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """What was measured, one row per cell and metric.

    Args:
        frame: The samples.
        reference: The CNI mode that the others are divided by; the first by name if not given.

    Returns:
        The columns of :func:`frames.key`, then ``unit``, ``better``, ``n`` (blocks), ``disturbed``
        (samples), ``median``, ``low``, ``high`` (in ``unit``), ``variation`` (coefficient of
        variation), ``baseline_ratio``, ``baseline_low``, ``baseline_high``, ``reference``,
        ``reference_ratio``, ``reference_low``, ``reference_high``. What does not exist is NaN.
    """
    columns = frames.key(frame)
    cells = frames.cells(frame)
    reference = reference or _first_mode(frame)
    rows = [
        {
            **dict(zip(columns, values, strict=True)),
            **_own(rows),
            **_named("baseline", _against(cells, columns, values, "path", frames.BASELINE)),
            "reference": reference,
            **_named("reference", _against(cells, columns, values, "cni", reference)),
        }
        for values, rows in cells.items()
    ]
    found = pd.DataFrame(rows)
    return found.astype({name: frame[name].dtype for name in columns})


def write_summary(frame: pd.DataFrame, folder: Path, reference: str | None = None) -> Path:
    """Writes the summary as ``summary.csv`` and returns its path."""
    path = folder / "summary.csv"
    summary(frame, reference).to_csv(path, index=False, float_format="%.9g")
    return path


def _first_mode(frame: pd.DataFrame) -> str | None:
    """The first CNI mode by name."""
    if "cni" not in frame.columns:
        return None
    return min((str(name) for name in frame["cni"].dropna().unique()), default=None)


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
    if base == values or base not in cells:
        return NOTHING
    return ratio_of_samples(cells[values], cells[base])


def _named(prefix: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as columns."""
    return {
        f"{prefix}_ratio": estimate.value,
        f"{prefix}_low": estimate.low,
        f"{prefix}_high": estimate.high,
    }
