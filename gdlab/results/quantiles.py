"""Quantiles of runs, some of which are lost: their values are infinite.

The usual definition, that of NumPy and pandas: the values in order have places 0 to n - 1, and the
quantile of a share p is at place p (n - 1), between its two neighbors in proportion. So a median of
an even number is the mean of the two middle values. Nothing is averaged with infinity: beside an
infinite neighbor, the quantile is the value at the nearer place, of two equally near ones the
finite. So a median is infinite where more than half of the values are.
"""

import numpy as np


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third quartile of (R,) values."""
    ordered, first, sizes = np.sort(values), np.zeros(1, dtype=np.int64), np.array([len(values)])
    low, median, high = (float(_quantiles(ordered, first, sizes, p)[0]) for p in (0.25, 0.5, 0.75))
    return low, median, high


def quantile_by(values: np.ndarray, group: np.ndarray, share: float) -> np.ndarray:
    """Return the quantile of each group, (G,).

    Args:
        values: (R,), none of them NaN.
        group: (R,) the number of each value's group, from 0 to G - 1, each of them there.
        share: of the values that are below, from 0 to 1.
    """
    sizes = np.bincount(group)
    return _quantiles(values[np.lexsort((values, group))], np.cumsum(sizes) - sizes, sizes, share)


def _quantiles(
    ordered: np.ndarray, first: np.ndarray, sizes: np.ndarray, share: float
) -> np.ndarray:
    """Return the quantile of each group, (G,).

    Args:
        ordered: (R,) the values, by groups and in each from the smallest to the largest.
        first: (G,) the place of the first value of each group.
        sizes: (G,) of the groups.
        share: of the values that are below, from 0 to 1.
    """
    place = share * (sizes - 1)
    below = ordered[first + np.floor(place).astype(np.int64)]
    above = ordered[first + np.ceil(place).astype(np.int64)]
    part = place % 1
    nearer = np.where((part < 0.5) | ((part == 0.5) & np.isfinite(below)), below, above)
    with np.errstate(invalid="ignore"):
        between = np.clip((below - part * below) + part * above, below, above)
    return np.where(np.isfinite(below) & np.isfinite(above), between, nearer)
