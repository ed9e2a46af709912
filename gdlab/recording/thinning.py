"""Which steps of a long run are kept where not all of them can be."""

import numpy as np

# TensorBoard keeps a random 1,000 points of a longer series.
MAX_POINTS = 1000


def thinned_steps(steps: int, points: int = MAX_POINTS) -> np.ndarray:
    """The steps at which a run of at most `steps` steps is written while it runs.

    When a run ends is not known beforehand, so the steps get sparse geometrically: at whatever step
    T it ends, all of the first `points // 4` steps are there, and later the gap after a step s is
    at most (r - 1)s + r with r = (steps / (points // 4)) ** (1 / (points - 1 - points // 4)).
    For 1,000 points that is 1.1 % of s in a million steps and 2.1 % in a billion.

    Args:
        steps: The most steps that the run can take, so that its rows are 0 to `steps`.
        points: The most points to be written, the last row included, at least 2.

    Returns:
        Increasing step numbers of dtype int64, from 0 and below `steps` (only [0] for `steps` = 0),
        at most `points - 1` of them: the last row, wherever it falls, is written besides. All of
        them where `steps + 1 <= points`.

    Raises:
        ValueError: `steps` is negative or `points` is less than 2.
    """
    if steps < 0 or points < 2:
        raise ValueError(f"needs steps >= 0 and points >= 2, got {steps=} and {points=}")
    if steps + 1 <= points:
        return np.arange(max(steps, 1), dtype=np.int64)
    first = max(points // 4, 1)
    index = np.arange(points - 1, dtype=np.int64)
    spaced = index.copy()
    spaced[first:] = np.geomspace(first, steps, points - first)[:-1]
    # Where the geometric steps are shorter than 1 this goes on by 1, so that no two coincide.
    return index + np.maximum.accumulate(spaced - index)
