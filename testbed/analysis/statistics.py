"""Medians, ratios of medians, and how sure they are.

Every interval is a percentile bootstrap at a nominal 95 %, over 10,000 resamples with a fixed seed
(the same data give the same interval), with *expanded* percentiles: the plain percentile interval
is too short for few samples, since a resample's spread is smaller than the sample's by √((n-1)/n)
and the normal quantile ignores that the spread is estimated, so the levels are widened by both
(T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69,
2015, section 5.3). ``docs/statistics.md`` has the coverage that was simulated for this and for the
alternatives, and ``benchmarks/coverage.py`` simulates it again.

The unit of resampling is the block (one repetition of the whole matrix), never the reading: what
disturbs a machine disturbs neighbours in time alike (A. Abedi, T. Brecht, ICPE'17). Two cells that
were measured in the same blocks of one run are resampled together; cells of different runs apart
(T. Kalibera, R. Jones, ISMM'13, for the ratio as the effect size).

What few samples can say: with n = 5 the interval of a median is the smallest and the largest
sample, which holds the true median in 93.75 % of cases, and nothing computed from five samples
alone does better; with n = 3 it is 75 %. Below three there is no interval: its ends are NaN.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95
RESAMPLES = 10_000
FEWEST = 3
"""The fewest blocks for which there is an interval."""

_SEED = 20131
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: The estimate: a median, or a ratio of medians (then without unit).
        low: The lower end of the 95 % interval; NaN when there are fewer than three blocks.
        high: The upper end.
        n: The number of blocks that it rests on: the smaller one of the two sides of a ratio.
    """

    value: float
    low: float
    high: float
    n: int


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
"""The estimate where there are no samples."""


def median(values: Values) -> Estimate:
    """The median of independent samples, one per block."""
    values = _finite(values)
    if not values.size:
        return NOTHING
    return _bootstrap((values,), _median, paired=False)


def ratio(new: Values, base: Values, *, paired: bool) -> Estimate:
    """The ratio median(new) / median(base).

    No change from zero is the ratio 1; anything else over zero is infinite (a loss that was none
    has grown beyond every threshold).

    Args:
        new: One value per block.
        base: One value per block; of the same blocks in the same order if paired.
        paired: Whether both sides come from the same blocks of one run.
    """
    if paired:
        both = np.isfinite(new) & np.isfinite(base)
        new, base = new[both], base[both]
    else:
        new, base = _finite(new), _finite(base)
    if not (new.size and base.size):
        return NOTHING
    return _bootstrap((new, base), _ratio, paired=paired)


def ratio_of_samples(new: pd.DataFrame, base: pd.DataFrame) -> Estimate:
    """The ratio of the medians of two sets of rows, paired where the blocks allow it.

    A block's rows count as one value, their median. The two are paired on the blocks that both
    have, if these are at least three; else each side is resampled by itself.

    Args:
        new: Rows with ``run``, ``block`` and ``value``: one metric of one cell.
        base: The same of what it is divided by.
    """
    ours, theirs = _blocks(new), _blocks(base)
    shared = [block for block in ours if block in theirs]
    if len(shared) >= FEWEST:
        pairs = np.array([(ours[block], theirs[block]) for block in shared])
        return ratio(pairs[:, 0], pairs[:, 1], paired=True)
    return ratio(np.array(list(ours.values())), np.array(list(theirs.values())), paired=False)


def block_values(rows: pd.DataFrame) -> Values:
    """One value per block, by run and block: the median of the block's rows."""
    return np.array(list(_blocks(rows).values()), dtype=np.float64)


def _blocks(rows: pd.DataFrame) -> dict[tuple[str, int], float]:
    """One value per block, by run and block."""
    found: dict[tuple[str, int], list[float]] = {}
    columns = (rows[name].tolist() for name in ("run", "block", "value"))
    for run, block, value in zip(*columns, strict=True):
        if math.isfinite(value):
            found.setdefault((run, block), []).append(value)
    return {block: float(np.median(values)) for block, values in found.items()}


def variation(values: Values) -> float:
    """The coefficient of variation: standard deviation (n-1) over mean; NaN for n < 2 or mean 0."""
    values = _finite(values)
    if values.size < 2 or not values.mean():
        return math.nan
    return float(values.std(ddof=1) / abs(values.mean()))


def expanded_level(n: int, confidence: float = CONFIDENCE) -> float:
    """The confidence to ask of a percentile interval of n values so that it covers as nominal."""
    quantile = stats.t.ppf((1 + confidence) / 2, n - 1) * math.sqrt(n / (n - 1))
    return float(1 - 2 * stats.norm.sf(quantile))


def _bootstrap(sides: tuple[Values, ...], statistic: Any, *, paired: bool) -> Estimate:
    """The statistic of the sides with its expanded percentile interval."""
    value = float(statistic(*sides, axis=-1))
    n = min(side.size for side in sides)
    if n < FEWEST:
        return Estimate(value, math.nan, math.nan, n)
    draws = [_draws(side.size, 0 if paired else stream) for stream, side in enumerate(sides)]
    drawn = statistic(*(side[chosen] for side, chosen in zip(sides, draws, strict=True)), axis=-1)
    # "nearest" ends at values that were drawn: interpolation would turn an infinity into NaN.
    tail = (1 - expanded_level(n)) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], method="nearest")
    return Estimate(value, float(low), float(high), n)


@functools.cache
def _draws(n: int, stream: int) -> NDArray[np.intp]:
    """The indices of all resamples of n values; two sides that are not paired differ in stream."""
    return np.random.default_rng([_SEED, stream]).integers(0, n, (RESAMPLES, n))


def _median(values: Values, axis: int) -> Values:
    return np.asarray(np.median(values, axis=axis))


def _ratio(new: Values, base: Values, axis: int) -> Values:
    above, below = _median(new, axis), _median(base, axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((above == 0) & (below == 0), 1.0, above / below)


def _finite(values: Values) -> Values:
    return np.asarray(values[np.isfinite(values)])
