"""The steps to keep of a run that is too long to keep them all."""

import numpy as np

# TensorBoard keeps a random 1,000 points of a longer series.
MAX_POINTS = 1000

# On a chart of more runs than this, fewer points of each show the same.
_MANY_RUNS, _FEW_POINTS = 100, 200


def points_for(runs: int) -> int:
    """Return the most points of a curve to keep, where so many runs of a sweep are recorded."""
    return MAX_POINTS if runs <= _MANY_RUNS else _FEW_POINTS


def thinned_steps(steps: int, points: int = MAX_POINTS) -> np.ndarray:
    """Choose the steps to keep while a run of at most `steps` steps goes on.

    It is not known beforehand when a run ends, so the steps are spaced geometrically: whatever its
    last step, all of the first `points // 4` steps are kept, and later the gap after a step s is
    at most (r - 1)s + r with r = (steps / (points // 4)) ** (1 / (points - 1 - points // 4)).
    For 1,000 points that is 1.1 % of s in a million steps and 2.1 % in a billion.

    Args:
        steps: The step limit of the run, whose records are 0 to `steps`.
        points: The maximum number of records to keep, the last one included; at least 2.

    Returns:
        Increasing step numbers of dtype int64, from 0 and below `steps` (only [0] for `steps` = 0),
        at most `points - 1` of them; the caller adds the last record, wherever it falls. All of
        them if `steps + 1 <= points`.

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
    # Geometric steps shorter than 1 become 1, so that no two coincide.
    return index + np.maximum.accumulate(spaced - index)
