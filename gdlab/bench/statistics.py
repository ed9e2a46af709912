"""Statistics of a comparison: what is significantly better, and what is a tie.

The unit is a pair of a problem and a seed, on which every optimizer started from the same point.
So the statements are about these problems; another problem may differ.

Shapes: O optimizers, N pairs of a problem and a seed, B resamples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

RESAMPLES = 2000
"""The resamples of a bootstrap interval."""


def paired_p_value(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test of costs (N,) in pairs.

    Pairs without a difference say nothing and are left out; 1 if there is no other.
    """
    from scipy import stats

    difference = first - second
    difference = difference[difference != 0]
    if len(difference) == 0:
        return 1.0
    found: Any = stats.wilcoxon(difference)
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return the p-values adjusted for the number of tests.

    Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    factors = len(given) - np.arange(len(given))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * given[order]), 1.0)
    return adjusted


def signed_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """Return the sum of the signed ranks of the differences of costs (N,).

    It is what Wilcoxon's test finds significant: negative where the first tends to cost less.
    """
    from scipy import stats

    difference = first - second
    difference = difference[difference != 0]
    return float(np.sign(difference) @ stats.rankdata(np.abs(difference)))


def pairwise(costs: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the adjusted p-values (O, O) of all pairs of optimizers.

    Many small advantages and a few great losses can make an optimizer significantly better by the
    signed ranks, and worse in the mean. Such a pair is a tie: its p-value is 1.

    Args:
        costs: the costs (O, N); NaN, where an optimizer does not fit a problem, leaves it out.
        means: the mean costs (O,), by which the optimizers are ordered.
    """
    count = len(costs)
    pairs = [(a, b) for a in range(count) for b in range(a)]
    raw = []
    for a, b in pairs:
        both = ~np.isnan(costs[a]) & ~np.isnan(costs[b])
        first, second = costs[a, both], costs[b, both]
        agree = signed_ranks(first, second) * (means[a] - means[b]) >= 0
        raw.append(paired_p_value(first, second) if agree else 1.0)
    matrix = np.ones((count, count))
    for (a, b), value in zip(pairs, holm(raw), strict=True):
        matrix[a, b] = matrix[b, a] = value
    return matrix


def rank_groups(means: np.ndarray, p_values: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Return the ranks (O,) of optimizers, where ties share a rank.

    In the order of the means, a group goes on while nobody differs significantly from its first.

    Args:
        means: the mean costs (O,).
        p_values: adjusted, of all pairs (O, O).
        level: of significance.
    """
    order = np.argsort(means, kind="stable")
    ranks = np.empty(len(means), dtype=np.int64)
    first = order[0]
    rank = 1
    for position, at in enumerate(order):
        if p_values[first, at] < level:
            first, rank = at, position + 1
        ranks[at] = rank
    return ranks


def interval(values: np.ndarray, rng: np.random.Generator, level: float = 0.95) -> np.ndarray:
    """Return the bootstrap intervals (O, 2) of medians of finite values (O, N) in pairs.

    Each resample draws the same N pairs for every optimizer (Efron's percentile interval).
    """
    count = values.shape[1]
    medians = np.stack(
        [np.median(values[:, rng.integers(0, count, count)], -1) for _ in range(RESAMPLES)], 1
    )
    tails = (1 - level) / 2
    return np.stack([_quantile(medians, tails), _quantile(medians, 1 - tails)], 1)


def _quantile(values: np.ndarray, level: float) -> np.ndarray:
    """Return the quantiles (O,) of values (O, B), each one of these."""
    return np.sort(values, 1)[:, round(level * (values.shape[1] - 1))]
