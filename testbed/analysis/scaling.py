"""How a metric grows with a number: of Services, of streams, of whatever a campaign varies.

It takes every scenario that has a parameter with at least :data:`FEWEST` numbers. Each mode on each
path has a :class:`Growth`: its cells by that number, and a straight line through its samples by
least squares (``scipy.stats.linregress``).

The slope is the median of the slopes of the blocks, with the interval that medians have
(:mod:`testbed.analysis.statistics`): each block has every number once, so that what slows down a
block as a whole leaves its slope alone. R² is of one line through all samples; near 1 the metric is
a straight line of the number, near 0 it does not grow with it, or by no straight line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from testbed.analysis import units
from testbed.analysis.layout import MetricTable, Record
from testbed.analysis.statistics import NOTHING, Estimate, median

FEWEST = 3
"""The fewest numbers that are a growth."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One mode on one path, with one setting of the other parameters.

    Attributes:
        mode: The mode's name.
        path: The path.
        setting: The other parameters in words.
        cells: Number → its row of the summary, in the order of the numbers.
        slope: By how much the metric grows for each one more; NaN where a block lacks numbers.
        determination: R² of a straight line through all samples; NaN where all are equal.
    """

    mode: str
    path: str
    setting: str
    cells: Sequence[tuple[float, Record]]
    slope: Estimate
    determination: float

    @property
    def name(self) -> str:
        """Path and setting; empty if there is neither."""
        return ", ".join(filter(None, (self.path, self.setting)))


@dataclass(frozen=True, slots=True)
class Scaling:
    """One metric of a scenario against one of its parameters.

    Attributes:
        table: The metric.
        parameter: The parameter's name.
        per: For how many more the slopes are told: the greatest power of 1,000 that is not more
            than the greatest number.
        growths: The lines.
    """

    table: MetricTable
    parameter: str
    per: int
    growths: Sequence[Growth]

    @property
    def scale(self) -> units.Scale:
        """What slopes are shown in."""
        # The flat ones among them are noise, and would make the scale that of noise.
        steepest = max((abs(growth.slope.value) for growth in self.growths), default=0.0)
        return units.scale([steepest * self.per], self.table.unit)

    @property
    def unit(self) -> str:
        """What slopes are in: ``µs per 1,000 services``."""
        per = f"{self.per:,} {self.parameter}" if self.per > 1 else self.parameter
        return f"{self.scale.unit} per {per}".strip()

    @staticmethod
    def determined(growth: Growth) -> str:
        """R² as a number; a dash if there is none."""
        return units.NONE if math.isnan(growth.determination) else f"{growth.determination:.3f}"

    def slope(self, growth: Growth) -> str:
        """A slope with its interval: ``88.1 [86.0-89.9]``."""
        value, low, high = (
            end * self.per for end in (growth.slope.value, growth.slope.low, growth.slope.high)
        )
        return f"{self.scale.number(value)} {self.scale.interval(low, high)}".strip()


def scalings(tables: Sequence[MetricTable], samples: Sequence[pd.DataFrame]) -> list[Scaling]:
    """What grows, in the order of the tables.

    Args:
        tables: The summary by metric.
        samples: The rows of each cell, in the order of the summary.
    """
    found = []
    for table in tables:
        parameter = _parameter(table)
        if parameter is not None and table.better != "none" and not table.zero:
            growths = list(_growths(table, parameter, samples))
            most = max(x for growth in growths for x, _ in growth.cells)
            per = 1000 ** max(0, math.floor(math.log10(max(1, most)) / 3))
            found.append(Scaling(table, parameter, per, growths))
    return found


def _parameter(table: MetricTable) -> str | None:
    """The first parameter of a table that has enough numbers."""
    for name in table.parameters:
        values = {cell[name] for cell in table.cells if _is_number(cell.get(name))}
        if len(values) >= FEWEST:
            return name
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not math.isnan(float(value))


def _growths(
    table: MetricTable, parameter: str, samples: Sequence[pd.DataFrame]
) -> Iterator[Growth]:
    others = [name for name in table.parameters if name != parameter]
    lines: dict[tuple[str, str, str], list[tuple[float, Record]]] = {}
    for group in table.groups:
        for line in group.lines:
            for path, cell in line.cells.items():
                given = {name: cell[name] for name in others}
                setting = units.cell({k: None if pd.isna(v) else v for k, v in given.items()})
                if _is_number(cell.get(parameter)):
                    key = (line.mode, path, setting)
                    lines.setdefault(key, []).append((float(cell[parameter]), cell))
    for key, cells in lines.items():
        cells.sort(key=lambda pair: pair[0])
        rows = pd.concat([samples[cell["place"]].assign(x=x) for x, cell in cells])
        yield Growth(*key, cells, *_line(rows))


def _line(rows: pd.DataFrame) -> tuple[Estimate, float]:
    """The slope and R² of a straight line.

    Args:
        rows: Samples with ``run``, ``block``, ``x`` and ``value``.
    """
    rows = rows[np.isfinite(rows["value"])]
    numbers = rows["x"].nunique()
    if numbers < FEWEST:
        return NOTHING, math.nan
    slopes = [
        stats.linregress(block["x"], block["value"]).slope
        for _, block in rows.groupby(["run", "block"])
        if block["x"].nunique() == numbers
    ]
    if rows["value"].nunique() < 2:
        return median(np.array(slopes, dtype=np.float64)), math.nan
    whole = stats.linregress(rows["x"], rows["value"])
    return median(np.array(slopes, dtype=np.float64)), float(whole.rvalue) ** 2
