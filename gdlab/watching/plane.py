"""The plane of the first two principal components of a path.

Shapes: n points, C coordinates.
"""

import torch
from torch import Tensor

_BLOCK = 2**21  # numbers that are converted to float64 at once: 16 MiB


def principal_path(points: Tensor) -> tuple[Tensor, Tensor]:
    """Project a path onto its first two principal components.

    The eigenvectors are those of the smaller Gram matrix, n × n or C × C, in float64. The end of
    the path lies to the right of its start, and above it.

    Args:
        points: (n, C), n ≥ 1; a point that is not finite is left out.

    Returns:
        The coordinates (n, 2) from the mean of the points, NaN where a point is not finite, and the
        shares (2,) of the variance, 0 where there is none.
    """
    is_finite = points.isfinite().all(1)
    path = torch.full((len(points), 2), torch.nan, dtype=torch.float64)
    shares = torch.zeros(2, dtype=torch.float64)
    count = int(is_finite.sum())
    if not count:
        return path, shares
    rows = points if count == len(points) else points[is_finite]
    powers, scores = _scores(rows)
    total = float(powers.clamp(min=0).sum())
    found = min(2, scores.shape[1])
    inside = torch.zeros(count, 2, dtype=torch.float64)
    inside[:, :found] = scores[:, :found]
    inside *= torch.where(inside[-1] < inside[0], -1.0, 1.0)
    path[is_finite] = inside
    if total > 0:
        shares[:found] = powers[:found].clamp(min=0) / total
    return path, shares


def _scores(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the powers (k,) of the components in decreasing order, and the first scores (n, 2)."""
    n, width = rows.shape
    if width < n:
        centered = rows.double() - rows[0].double()
        centered -= centered.mean(0)
        powers, axes = torch.linalg.eigh(centered.T @ centered)
        return powers.flip(0), centered @ axes.flip(1)[:, :2]
    gram = torch.zeros(n, n, dtype=torch.float64)
    for block in rows.split(max(1, _BLOCK // n), dim=1):
        moved = block.double() - block[0].double()
        moved -= moved.mean(0)
        gram += moved @ moved.T
    powers, vectors = torch.linalg.eigh(gram)
    powers, vectors = powers.flip(0), vectors.flip(1)[:, :2]
    return powers, vectors * powers[:2].clamp(min=0).sqrt()
