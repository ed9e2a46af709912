"""Minima at kinks, where no gradient is zero: the tip of a cone.

Shapes: D dimensions, n points.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.losses.base import Loss
from gdlab.theory.kinks import has_kink

MOST_DIMENSIONS = 2
"""Maximum number of dimensions in which kinks are searched for: those with a grid of starts."""

_HALVINGS = 60  # of the distance to the neighbors that a point is compared with
_MOVES = 4  # at most, at each distance
_ZERO = 1e-12  # of a cell: coordinates below this are rounding
_SAME = 1e-6  # of a cell: kinks closer than this count as one


def find_kinks(loss: Loss, starts: Tensor, width: Tensor) -> Tensor:
    """Find local minima at kinks (n, D) by pattern search from the lows of a grid.

    Args:
        loss: the loss.
        starts: the points of a grid (n, D), with the same number along each axis, in order.
        width: that of the grid's cells (D,).
    """
    dim = starts.shape[1]
    offsets = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0]).to(starts)] * dim)
    offsets = offsets.reshape(-1, dim) * width
    x = _settle(loss, starts[_is_low(loss(starts), dim)], offsets)
    x = torch.where(x.abs() <= _ZERO * width, 0.0, x)
    x = x[has_kink(loss, x)] if len(x) else x
    kept: list[Tensor] = []
    for point in x:
        if not any(bool(((point - other).abs() <= _SAME * width).all()) for other in kept):
            kept.append(point)
    return torch.stack(kept) if kept else x[:0]


def _is_low(values: Tensor, dim: int) -> Tensor:
    """Return which values (n,) of a grid are below all their neighbors, inside the grid: (n,)."""
    side = round(len(values) ** (1 / dim))
    grid = values.reshape([side] * dim)
    is_low = torch.ones_like(grid, dtype=torch.bool)
    for axis in range(dim):
        for shift in (-1, 1):
            is_low &= grid < grid.roll(shift, axis)
        is_low.select(axis, 0).fill_(False)
        is_low.select(axis, -1).fill_(False)
    return is_low.flatten()


def _settle(loss: Callable[[Tensor], Tensor], x: Tensor, offsets: Tensor) -> Tensor:
    """Move points (n, D) to their lowest neighbors (k, D), ever closer ones."""
    for halving in range(_HALVINGS):
        for _ in range(_MOVES):
            around = x[:, None] + offsets * 2.0**-halving
            best = loss(around.flatten(0, 1)).reshape(len(x), len(offsets)).argmin(1)
            x = around[torch.arange(len(x)), best]
    return x
