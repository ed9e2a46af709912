"""Starting points drawn around a start."""

import numpy as np
from scipy import stats

import gdlab
from gdlab.config.loading import settings_from_flat
from gdlab.runs.batching import batch_of


def starts_of(**settings: object) -> np.ndarray:
    seeds = np.arange(4000)
    return batch_of(settings_from_flat(settings), {"seed": seeds}, len(seeds)).start.numpy()


def test_a_spread_is_normal_and_relative_to_coordinates_above_1() -> None:
    start = np.array([-20.0, 0.1])
    drawn = starts_of(loss="booth", start=tuple(start), start_spread=0.5)
    drawn = (drawn - start) / [10, 0.5]
    # Kolmogorov and Smirnov: p = 0.80, 0.79; the correlation of the coordinates is 0.008.
    assert all(stats.kstest(drawn[:, i], "norm").pvalue > 0.01 for i in (0, 1))
    assert abs(np.mean(drawn[:, 0] * drawn[:, 1])) < 0.05


def test_a_spread_is_the_same_alone_and_in_a_sweep() -> None:
    alone = gdlab.run("booth", start_spread=0.3, seed=7, steps=1).history.x[0]
    assert np.array_equal(starts_of(loss="booth", start_spread=0.3)[7], alone)
    assert (alone != gdlab.run("booth", seed=7, steps=1).history.x[0]).all()
