"""Profiles and expected evaluations on cases that can be counted by hand."""

import numpy as np
import pytest

from gdlab.bench.profiles import (
    area,
    data_profile,
    ecdf,
    expected_evaluations,
    performance_profile,
)

INF = np.inf
SPENT = np.array([[10.0, 30.0, INF, 5.0], [20.0, 10.0, INF, INF]])


def test_performance_profiles_count_instances_within_a_ratio_of_the_best() -> None:
    # Ratios: 1, 3, ∞, 1 and 2, 1, ∞, ∞; what nobody solves counts for nobody.
    found = performance_profile(SPENT, np.array([1.0, 2.0, 3.0, 100.0]))
    assert found.tolist() == [[0.5, 0.5, 0.75, 0.75], [0.25, 0.5, 0.5, 0.5]]


def test_the_distribution_counts_instances_within_a_part_of_the_budget() -> None:
    found = ecdf(SPENT / 40, np.array([0.1, 0.25, 0.5, 1.0]))
    assert found.tolist() == [[0.0, 0.5, 0.5, 0.75], [0.0, 0.25, 0.5, 0.5]]


def test_data_profiles_count_in_units_of_d_plus_1() -> None:
    dims = np.array([1, 1, 4, 4])
    # 5, 15, ∞, 1 and 10, 5, ∞, ∞.
    found = data_profile(SPENT, dims, np.array([1.0, 5.0, 10.0]))
    assert found.tolist() == [[0.25, 0.5, 0.5], [0.0, 0.25, 0.5]]


def test_the_area_is_1_for_all_at_once_and_0_for_nothing() -> None:
    relative = np.array([[1e-4, 1e-3], [1.0, INF], [10**-1.5, 10**-1.5]])
    assert area(relative, 1e-3) == pytest.approx([1.0, 0.0, 0.5])


def test_the_area_is_the_integral_of_the_distribution() -> None:
    relative = np.random.default_rng(0).lognormal(-3, 2, size=(1, 500))
    grid = np.logspace(-3, 0, 20001)
    integral = np.trapezoid(ecdf(relative, grid)[0], np.log10(grid)) / 3
    assert area(relative, 1e-3)[0] == pytest.approx(integral, abs=1e-4)  # observed 5e-7


def test_expected_evaluations_add_up_restarts() -> None:
    spent = np.array([[10.0, INF, 30.0], [INF, INF, INF], [5.0, 5.0, 5.0]])
    used = np.array([[12.0, 100.0, 30.0], [100.0, 100.0, 100.0], [9.0, 9.0, 9.0]])
    # (10 + 100 + 30) / 2; never; 5.
    assert expected_evaluations(spent, used).tolist() == [70.0, INF, 5.0]


def test_expected_evaluations_are_those_of_restarts() -> None:
    rng = np.random.default_rng(1)
    spent = np.where(rng.random(400) < 0.3, rng.integers(5, 50, 400), INF)
    used = np.where(np.isfinite(spent), spent, 60.0)
    total, restarts = 0.0, 20_000
    for _ in range(restarts):
        while True:
            at = rng.integers(400)
            total += used[at]
            if np.isfinite(spent[at]):
                break
    # Sampling error of 20,000 restarts, about 1 %: observed 0.3 %.
    assert expected_evaluations(spent, used) == pytest.approx(total / restarts, rel=0.04)
