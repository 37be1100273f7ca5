"""One results folder against another: is the new one worse?

Each metric that has a better side gets a verdict from the interval of the ratio of medians, new
over base, and a threshold:

- ``worse``: the whole interval lies beyond the threshold on the bad side;
- ``better``: the whole interval lies beyond it on the good side;
- ``same``: the whole interval lies within the threshold;
- ``inconclusive``: the interval reaches over it, so the samples do not say;
- ``missing``: the cell is in one of the two only.

A pure number (unit ``1``: a share or a count) below :data:`FLOOR` counts as that floor: a loss that
goes from 0.001 % to 0.005 % is five times as much of nothing.

So noise never fails a build by itself, and what is too noisy to judge is told instead of passed
off as equal: more repetitions shorten the interval. The interval knows the noise within each
campaign only. Where two campaigns of the same code differ from each other by more (another boot,
another machine), compare such two first and choose a threshold above what they differ by.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from testbed.analysis import frames
from testbed.analysis.statistics import NOTHING, Estimate, block_values, median, ratio_of_samples
from testbed.errors import InputError, Where

Verdict = Literal["worse", "better", "same", "inconclusive", "missing"]
FLOOR = 0.001
"""The least pure number that is told from nothing."""

VERDICTS: tuple[Verdict, ...] = ("worse", "missing", "inconclusive", "better", "same")
"""All verdicts, in the order of a reader's interest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one cell in both campaigns.

    Attributes:
        scenario: The scenario's name.
        parameters: The cell: parameter name → value, those without value left out.
        metric: The metric's name.
        unit: Its base unit.
        better: ``higher`` or ``lower``.
        base: The median of the base, in ``unit``, with its interval; NaN if it is missing there.
        new: The same of the new one.
        ratio: median(new) / median(base), with its interval.
        verdict: What the interval says.
    """

    scenario: str
    parameters: dict[str, Any]
    metric: str
    unit: str
    better: str
    base: Estimate
    new: Estimate
    ratio: Estimate
    verdict: Verdict


def compare(base: pd.DataFrame, new: pd.DataFrame, threshold: float) -> list[Row]:
    """A row for each metric with a better side that either campaign measured.

    Args:
        base: Samples of the campaign to compare with.
        new: Samples of the campaign in question.
        threshold: The relative change that matters: 0.05 is five per cent.

    Raises:
        InputError: The two have no cell in common, so there is nothing to judge.
    """
    ours, theirs = _judged(new), _judged(base)
    if not ours.keys() & theirs.keys():
        raise InputError(
            "the two results have no cell in common",
            hint="Compare campaigns of the same modes, scenarios and parameters.",
        )
    keys = [*theirs, *(cell for cell in ours if cell not in theirs)]
    return [_row(cell, theirs.get(cell), ours.get(cell), threshold) for cell in keys]


def verdict(ratio: Estimate, better: str, threshold: float) -> Verdict:
    """What the interval of a ratio says about a metric of which more or less is better."""
    low, high = ratio.low, ratio.high
    if math.isnan(low) or math.isnan(high):
        return "inconclusive"
    if high < 1 - threshold:
        return "worse" if better == "higher" else "better"
    if low > 1 + threshold:
        return "better" if better == "higher" else "worse"
    return "same" if low >= 1 - threshold and high <= 1 + threshold else "inconclusive"


def counts(rows: Sequence[Row]) -> dict[Verdict, int]:
    """How many rows have each verdict, all verdicts named."""
    found = Counter(row.verdict for row in rows)
    return {name: found[name] for name in VERDICTS}


def parse_threshold(text: str) -> float:
    """``5%`` or ``0.05`` as a fraction.

    Raises:
        InputError: It is no number, is negative, or is a bare number of 1 and more, which is more
            likely a forgotten per cent sign.
    """
    where = Where("--threshold")
    percent = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%")) / (100 if percent else 1)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no threshold", where=where, hint="Write 5% or 0.05."
        ) from error
    if not math.isfinite(value) or value < 0 or (value >= 1 and not percent):
        raise InputError(
            f"{text!r} is out of range", where=where, hint="Write 5% or 0.05; 0 is the least."
        )
    return value


_Key = tuple[str, frozenset[tuple[str, Any]], str]


def _judged(frame: pd.DataFrame) -> dict[_Key, pd.DataFrame]:
    """The rows of each metric that has a better side, by scenario, parameters and metric.

    A parameter without value is left out, so that a new column does not make every cell new.
    """
    columns = frames.parameters(frame)
    found: dict[_Key, pd.DataFrame] = {}
    for values, rows in frames.cells(frame[frame["better"] != "none"]).items():
        named = zip(columns, values[1:-1], strict=True)
        cell = frozenset((name, value) for name, value in named if value is not None)
        found[(values[0], cell, values[-1])] = rows
    return found


def _row(key: _Key, base: pd.DataFrame | None, new: pd.DataFrame | None, threshold: float) -> Row:
    """The row of one metric of one cell."""
    scenario, cell, metric = key
    one = new if new is not None else base
    assert one is not None  # noqa: S101  a key comes from one of the two
    better = str(one["better"].iloc[0])
    both = base is not None and new is not None
    ratio = NOTHING
    if base is not None and new is not None:
        ratio = ratio_of_samples(_floored(new), _floored(base))
    order = [name for name in frames.parameters(one) if name in dict(cell)]
    return Row(
        scenario=scenario,
        parameters={name: dict(cell)[name] for name in order},
        metric=metric,
        unit=str(one["unit"].iloc[0]),
        better=better,
        base=_median(base),
        new=_median(new),
        ratio=ratio,
        verdict=verdict(ratio, better, threshold) if both else "missing",
    )


def _floored(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a pure number with :data:`FLOOR` as their least value; others as they are."""
    if rows["unit"].iloc[0] != "1":
        return rows
    return rows.assign(value=rows["value"].clip(lower=FLOOR))


def _median(rows: pd.DataFrame | None) -> Estimate:
    return NOTHING if rows is None else median(block_values(rows))
