"""Thinned paths: what is drawn between the points that are kept is close to those left out."""

import numpy as np
import pytest

from gdlab.viewer.thinning import most_significant, significance


def a_path(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps with gaps (n,) and a path (2, n) that is smooth at first and then jumps."""
    random = np.random.default_rng(seed)
    step = np.cumsum(random.integers(1, 4, count)).astype(float)
    smooth = np.stack([np.exp(-step / step[-1] * 5), np.cos(step / 20)])
    jumps = random.normal(0, 0.01, (2, count)) * (step > step[-1] / 2)
    return step, smooth + jumps


@pytest.mark.parametrize("tolerance", [0.003, 0.1, 10.0])
def test_each_point_left_out_is_within_the_tolerance(tolerance):
    paths = [a_path(seed, count) for seed, count in enumerate([1, 2, 3, 400, 300])]
    step = np.concatenate([path[0] for path in paths])
    points = np.concatenate([path[1] for path in paths], axis=1)
    lengths = np.array([len(path[0]) for path in paths])
    found = significance(step, points, lengths, 0.0)
    kept = found > tolerance
    for path_step, path, mask in zip(
        *zip(*paths, strict=True), np.split(kept, np.cumsum(lengths)[:-1]), strict=True
    ):
        assert mask[0] and mask[-1]
        drawn = [np.interp(path_step, path_step[mask], row[mask]) for row in path]
        assert np.abs(drawn - path).max() <= tolerance
    assert kept.sum() < len(kept) or tolerance < 0.1
    coarse = significance(step, points, lengths, tolerance)
    np.testing.assert_array_equal(coarse > 0, kept)


def test_the_budget_goes_to_the_most_significant_points():
    found = np.array([np.inf, 0.0, 2.0, 1.0, 3.0, np.inf])
    assert most_significant(found, 6).tolist() == [0, 2, 3, 4, 5]
    assert most_significant(found, 4).tolist() == [0, 4, 5]
    assert most_significant(found, 1).tolist() == [0, 5]
