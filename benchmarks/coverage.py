"""How often do the intervals of ``testbed.analysis.statistics`` hold the truth?

Draws samples whose true median, or ratio of medians, is known, and counts how often each kind of
interval holds it, and how wide it is. It also counts how often two campaigns of the same thing get
the verdict ``worse``. Prints the tables of ``docs/statistics.md``::

    python benchmarks/coverage.py --simulations 1000

That takes about two minutes on one core; the figures have a standard error of 0.7 points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from testbed.analysis import statistics
from testbed.analysis.comparison import verdict

Values = NDArray[np.float64]
Ends = tuple[float, float]
Interval = Callable[[Values, Values], Ends]
Noise = Callable[[np.random.Generator, int], Values]

SIZES = (3, 5, 7, 10, 20)
RESAMPLES = 2000
BLOCK_EFFECT = 0.05


def lognormal(spread: float) -> Noise:
    """Multiplicative noise with this standard deviation and the median 1."""
    return lambda random, n: np.exp(random.normal(0, spread, n))


def outliers(random: np.random.Generator, n: int) -> Values:
    """3 % of noise, and one sample in ten 1.5 times as long; its median is found by simulation."""
    return np.exp(random.normal(0, 0.03, n)) * np.where(random.random(n) < 0.1, 1.5, 1.0)


def of_median(method: Literal["percentile", "BCa"]) -> Interval:
    """An interval of the median by a method of scipy."""

    def interval(new: Values, _: Values) -> Ends:
        found = stats.bootstrap(
            (new,), np.median, n_resamples=RESAMPLES, method=method, rng=np.random.default_rng(1)
        ).confidence_interval
        return float(found.low), float(found.high)

    return interval


def plain_ratio(*, paired: bool) -> Interval:
    """The plain percentile interval of the ratio of medians."""

    def divided(new: Values, base: Values, axis: int) -> Values:
        return np.asarray(np.median(new, axis=axis) / np.median(base, axis=axis))

    def interval(new: Values, base: Values) -> Ends:
        found = stats.bootstrap(
            (new, base),
            divided,
            n_resamples=RESAMPLES,
            paired=paired,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        return float(found.low), float(found.high)

    return interval


def order_statistics(values: Values) -> Ends:
    """The exact interval of a median: the narrowest pair of order statistics that holds 95 %."""
    n = len(values)
    ranks = [k for k in range(n // 2) if 2 * stats.binom.cdf(k, n, 0.5) <= 0.05]
    place = max(ranks, default=0)
    ordered = np.sort(values)
    return float(ordered[place]), float(ordered[n - 1 - place])


def ours(estimate: Callable[[Values, Values], statistics.Estimate]) -> Interval:
    """The interval that the project uses."""

    def interval(new: Values, base: Values) -> Ends:
        found = estimate(new, base)
        return found.low, found.high

    return interval


MEDIAN: dict[str, Interval] = {
    "percentile": of_median("percentile"),
    "BCa": of_median("BCa"),
    "order statistics": lambda new, _: order_statistics(new),
    "expanded percentile": ours(lambda new, _: statistics.median(new)),
}
APART: dict[str, Interval] = {
    "percentile": plain_ratio(paired=False),
    "expanded percentile": ours(lambda new, base: statistics.ratio(new, base, paired=False)),
}
PAIRED: dict[str, Interval] = {
    "percentile": plain_ratio(paired=True),
    "order statistics of the blocks' ratios": lambda new, base: order_statistics(new / base),
    "expanded percentile": ours(lambda new, base: statistics.ratio(new, base, paired=True)),
}


def coverage(
    methods: dict[str, Interval], noise: Noise, truth: float, *, shared: float, n: int, trials: int
) -> dict[str, tuple[float, float]]:
    """Of each method, the share of intervals that hold the truth, and their median width."""
    random = np.random.default_rng(n)
    held: dict[str, list[bool]] = {name: [] for name in methods}
    width: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(trials):
        block = np.exp(random.normal(0, shared, n))
        new, base = noise(random, n) * block, noise(random, n) * block
        for name, interval in methods.items():
            low, high = interval(new, base)
            held[name].append(low <= truth <= high)
            width[name].append(high - low)
    return {name: (float(np.mean(held[name])), float(np.median(width[name]))) for name in methods}


def false_alarms(spread: float, n: int, trials: int) -> float:
    """How often a metric that did not change is ``worse`` at a threshold of 5 %."""
    random = np.random.default_rng(n)
    draw = lognormal(spread)
    pairs = ((draw(random, n), draw(random, n)) for _ in range(trials))
    found = (statistics.ratio(new, base, paired=False) for new, base in pairs)
    return sum(verdict(one, "lower", 0.05) == "worse" for one in found) / trials


def print_coverage(title: str, methods: dict[str, Interval], shared: float, trials: int) -> None:
    """One table in Markdown: a line for each noise and method, a column for each n."""
    many = float(np.median(outliers(np.random.default_rng(0), 1_000_000)))
    single = methods is MEDIAN
    kinds: list[tuple[str, Noise, float]] = [
        ("3 % noise", lognormal(0.03), 1.0),
        ("with outliers", outliers, many if single else 1.0),
    ]
    print(f"\n**{title}**\n")
    print("| noise | interval | " + " | ".join(f"n = {n}" for n in SIZES) + " |")
    print("|---|---|" + "---|" * len(SIZES))
    for noise_name, noise, truth in kinds:
        found = [coverage(methods, noise, truth, shared=shared, n=n, trials=trials) for n in SIZES]
        for name in methods:
            cells = (f"{100 * one[name][0]:.1f} % ({one[name][1]:.3f})" for one in found)
            print(f"| {noise_name} | {name} | " + " | ".join(cells) + " |", flush=True)


def print_false_alarms(trials: int) -> None:
    """How often the gate would fail for nothing, in Markdown."""
    print("\n**False alarms of one metric at a threshold of 5 %**\n")
    print("| noise | " + " | ".join(f"n = {n}" for n in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for spread in (0.03, 0.1, 0.3):
        shares = (100 * false_alarms(spread, n, trials) for n in SIZES)
        print(f"| {spread:.0%} | " + " | ".join(f"{share:.1f} %" for share in shares) + " |")


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    trials = parser.parse_args().simulations
    print_coverage("Median", MEDIAN, 0.0, trials)
    print_coverage("Ratio of medians, two runs", APART, 0.0, trials)
    print_coverage("Ratio of medians, the same blocks", PAIRED, BLOCK_EFFECT, trials)
    print_false_alarms(trials)


if __name__ == "__main__":
    main()
