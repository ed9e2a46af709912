"""Statistics of comparisons against SciPy, definitions by hand, and a null comparison."""

import numpy as np
import pytest
from scipy import stats

from gdlab.bench.statistics import (
    holm,
    interval,
    paired_p_value,
    pairwise,
    rank_groups,
    signed_ranks,
)


def test_the_paired_test_is_wilcoxons() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 40))
    second[:5] = first[:5]  # pairs without a difference are left out
    _, expected = stats.wilcoxon(first[5:], second[5:])
    assert paired_p_value(first, second) == pytest.approx(expected, rel=1e-15)
    assert paired_p_value(first, first) == 1.0
    # Six differences of one sign: 2 of 2⁶ signs are as extreme.
    assert paired_p_value(np.arange(1.0, 7.0), np.zeros(6)) == pytest.approx(2 / 64)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5], [0.5]),
        ([0.4, 0.6, 0.9], [1.0, 1.0, 1.0]),
        ([0.001, 0.001, 0.2, 0.02], [0.004, 0.004, 0.2, 0.04]),
        ([], []),
    ],
)
def test_holm_adjusts_as_in_his_paper(given: list[float], expected: list[float]) -> None:
    # Step by step: the k-th smallest of m times m − k + 1, never below one before it, at most 1.
    assert holm(given) == pytest.approx(expected)


def test_what_is_not_significant_is_a_tie() -> None:
    p = np.ones((4, 4))
    p[0, 2] = p[2, 0] = p[0, 3] = p[3, 0] = 0.01  # the best differs from the last two
    ranks = rank_groups(np.array([0.1, 0.2, 0.3, 0.4]), p)
    assert ranks.tolist() == [1, 1, 3, 3]
    assert rank_groups(np.array([0.4, 0.1]), np.ones((2, 2))).tolist() == [1, 1]


def test_an_optimizer_against_itself_is_called_different_in_at_most_5_percent() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        level = rng.normal(size=(10, 1))  # problems differ, the two names do not
        costs = level + rng.exponential(size=(2, 10, 20))
        found += pairwise(costs.reshape(2, -1), costs.mean((1, 2)))[0, 1] < 0.05
    assert found <= 10  # observed 5


def test_of_eight_equal_names_few_comparisons_find_any_difference() -> None:
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(50):
        costs = rng.normal(size=(8, 60))
        found += (pairwise(costs, costs.mean(1)) < 0.05).any()
    assert found <= 5  # the rate of any error is held at 5 %; observed 0


def test_half_the_evaluations_are_found_better() -> None:
    rng = np.random.default_rng(3)
    spent = rng.lognormal(5, 1, size=(10, 20))
    costs = np.log10(np.stack([spent, spent / 2 * rng.lognormal(0, 0.3, spent.shape)]))
    p = pairwise(costs.reshape(2, -1), costs.mean((1, 2)))
    assert p[0, 1] < 1e-10
    assert rank_groups(costs.mean((1, 2)), p).tolist() == [2, 1]


def test_pairs_that_one_of_two_cannot_play_are_left_out() -> None:
    rng = np.random.default_rng(4)
    costs = rng.normal(size=(2, 30))
    costs[1, :10] = np.nan
    expected = paired_p_value(costs[0, 10:], costs[1, 10:])
    assert pairwise(costs, np.nanmean(costs, 1))[0, 1] == expected


def test_bootstrap_intervals_agree_with_scipy() -> None:
    rng = np.random.default_rng(5)
    values = rng.exponential(size=(2, 101))
    found = interval(values, np.random.default_rng(0))
    for row, (low, high) in zip(values, found, strict=True):
        expected = stats.bootstrap(
            (row,), np.median, method="percentile", rng=np.random.default_rng(9)
        ).confidence_interval
        # Two bootstraps differ by chance: observed 0.014, with values around 0.7.
        assert [low, high] == pytest.approx([expected.low, expected.high], abs=0.05)


def test_better_by_ranks_and_worse_in_the_mean_is_a_tie() -> None:
    costs = np.zeros((2, 40))
    costs[0, :36] = -0.01 * np.arange(1, 37)  # often a little better
    costs[0, 36:] = 3.0  # rarely much worse
    means = costs.mean(1)
    assert signed_ranks(*costs) < 0 < means[0] - means[1]
    assert paired_p_value(*costs) < 0.01  # observed 0.0006
    assert pairwise(costs, means)[0, 1] == 1.0
    assert pairwise(costs, np.median(costs, 1))[0, 1] == paired_p_value(*costs)
