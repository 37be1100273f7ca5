"""Medians, ratios and their intervals."""

import math

import numpy as np
import pandas as pd
import pytest

from testbed.analysis import statistics

FIVE = np.array([5.0, 1.0, 3.0, 2.0, 4.0])


def rows(run: str, values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"run": run, "block": range(len(values)), "value": values})


def test_five_samples_give_the_smallest_and_the_largest() -> None:
    assert statistics.median(FIVE) == statistics.Estimate(3.0, 1.0, 5.0, 5)


def test_many_samples_give_the_order_statistics_of_the_binomial() -> None:
    # For n = 50 the exact 95 % interval of the median is the 18th to the 33rd value.
    found = statistics.median(np.arange(1.0, 51.0))
    assert found.value == 25.5
    assert 17.0 <= found.low <= 19.5
    assert 31.5 <= found.high <= 34.0


@pytest.mark.parametrize("n", [1, 2])
def test_below_three_there_is_no_interval(n: int) -> None:
    found = statistics.median(FIVE[:n])
    assert found.n == n
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_no_samples_are_no_estimate_and_nan_is_no_sample() -> None:
    assert math.isnan(statistics.median(np.array([np.nan])).value)
    assert statistics.median(np.array([*FIVE, np.nan])).n == 5


def test_the_same_data_give_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(10, 1, 9)
    assert statistics.median(values) == statistics.median(values)


def test_pairing_inside_blocks_takes_out_what_a_block_does_to_both() -> None:
    block = np.array([1.0, 1.5, 2.0, 0.7, 1.2, 0.9])
    paired = statistics.ratio(0.8 * block, block, paired=True)
    apart = statistics.ratio(0.8 * block, block, paired=False)
    assert paired.low == pytest.approx(0.8)
    assert paired.high == pytest.approx(0.8)
    assert apart.high - apart.low > 0.5


def test_rows_of_one_run_are_paired_and_rows_of_two_are_not() -> None:
    base, new = [1.0, 1.5, 2.0, 0.7], [0.9, 1.35, 1.8, 0.63]
    same = statistics.ratio_of_samples(rows("a", new), rows("a", base))
    other = statistics.ratio_of_samples(rows("b", new), rows("a", base))
    assert same.high == pytest.approx(0.9)
    assert other.high > 1.5


def test_only_blocks_that_both_have_are_paired() -> None:
    found = statistics.ratio_of_samples(rows("a", [2.0, 2, 2, 9]), rows("a", [1.0, 1, 1]))
    assert (found.value, found.low, found.high, found.n) == (2.0, 2.0, 2.0, 3)


def test_several_rows_of_a_block_count_as_one() -> None:
    twice = pd.concat([rows("a", [1.0, 2, 3]), rows("a", [3.0, 4, 5])])
    assert statistics.block_values(twice).tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize(("new", "expected"), [(0.0, 1.0), (0.02, math.inf)])
def test_a_ratio_to_zero(new: float, expected: float) -> None:
    found = statistics.ratio(np.full(5, new), np.zeros(5), paired=False)
    assert (found.value, found.low, found.high) == (expected, expected, expected)


def test_the_level_widens_for_few_samples_only() -> None:
    assert statistics.expanded_level(5) > 0.998
    assert statistics.expanded_level(10_000) == pytest.approx(0.95, abs=1e-3)


def test_the_interval_covers_as_the_documentation_says() -> None:
    # 93.75 % by theory for five samples; 200 trials leave three standard errors of 5 %.
    random = np.random.default_rng(7)
    trials = [statistics.median(random.exponential(1.0, 5)) for _ in range(200)]
    covered = np.mean([found.low <= math.log(2) <= found.high for found in trials])
    assert 0.88 <= covered <= 0.99


def test_variation() -> None:
    assert statistics.variation(np.array([9.0, 11.0])) == pytest.approx(math.sqrt(2) / 10)
    assert math.isnan(statistics.variation(np.zeros(4)))
    assert math.isnan(statistics.variation(np.ones(1)))
