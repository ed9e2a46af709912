"""Which points of paths to keep, so that what is drawn between them is close to all others.

Shapes: N points of all paths one after another, C coordinates that are compared, S pieces.
"""

import numpy as np


def significance(
    step: np.ndarray, points: np.ndarray, lengths: np.ndarray, tolerance: float
) -> np.ndarray:
    """Return how far off a path would be without each of its points.

    A path is drawn, and a marker moves along it, by linear interpolation over the steps. A piece
    of a path, at first all of it, is split at its point that is farthest from where interpolation
    between the ends has it, if that is farther than the tolerance (Meratnia and de By,
    "Spatiotemporal compression techniques for moving point objects", EDBT 2004). The distance is
    the point's significance, at most that of the split before. The points that are more
    significant than t thus are off by at most t.

    Args:
        step: the steps (N,), increasing within a path.
        points: the coordinates (C, N), finite; a distance is the largest of their differences.
        lengths: the number of points of each path, their sum N, each at least 1.
        tolerance: below it, nothing is significant.

    Returns:
        (N,): infinite at both ends of a path, 0 where interpolation is within the tolerance.
    """
    last = np.cumsum(lengths) - 1
    first = last - lengths + 1
    found = np.zeros(len(step))
    _split(step, points, np.stack([first, last]), tolerance, found)
    found[first] = found[last] = np.inf
    return found


def _split(
    step: np.ndarray, points: np.ndarray, pieces: np.ndarray, tolerance: float, found: np.ndarray
) -> None:
    """Split pieces (2, S) of paths, given by their ends, until all are within the tolerance."""
    limit = np.full(pieces.shape[1], np.inf)
    while True:
        is_long = pieces[1] - pieces[0] > 1
        pieces, limit = pieces[:, is_long], limit[is_long]
        if not limit.size:
            return
        distance, at = _farthest(step, points, pieces)
        limit = np.minimum(limit, distance)
        is_far = limit > tolerance
        (low, high), at, limit = pieces[:, is_far], at[is_far], limit[is_far]
        found[at] = limit
        pieces = np.stack([np.concatenate([low, at]), np.concatenate([at, high])])
        limit = np.concatenate([limit, limit])


def _farthest(
    step: np.ndarray, points: np.ndarray, pieces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest distance from interpolation inside each piece (S,), and where it is."""
    low, high = pieces
    inside = high - low - 1
    starts = np.cumsum(inside) - inside
    piece = np.repeat(np.arange(len(low)), inside)
    at = np.arange(len(piece)) + (low + 1 - starts)[piece]
    duration = step[high] - step[low]
    since = step[at] - step[low][piece]
    distance = np.zeros(len(at))
    for values in points:
        first = values[low]
        slope = (values[high] - first) / duration
        drawn = slope[piece]
        drawn *= since
        drawn += first[piece]
        drawn -= values[at]
        np.maximum(distance, np.abs(drawn, out=drawn), out=distance)
    largest = np.maximum.reduceat(distance, starts)
    is_largest = np.flatnonzero(distance == largest[piece])
    where = np.empty(len(low), dtype=np.int64)
    where[piece[is_largest]] = at[is_largest]
    return largest, where


def most_significant(found: np.ndarray, budget: int) -> np.ndarray:
    """Return the rows, in order, of the significant points; at most `budget` besides infinite ones.

    Args:
        found: the significance (N,).
        budget: how many points there may be in all.
    """
    rows = np.flatnonzero(found > 0)
    if len(rows) <= budget:
        return rows
    least = np.partition(found[rows], len(rows) - budget)[len(rows) - budget]
    return np.flatnonzero((found > least) | (found == np.inf))
