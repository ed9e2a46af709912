"""Minima at kinks, where no gradient is zero: the tip of a cone.

Shapes: D dimensions, n points.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.losses.base import Loss
from gdlab.theory.kinks import has_kink

MOST_DIMENSIONS = 2
"""Maximum number of dimensions in which kinks are searched for: those with a grid of starts."""

_MOST_LOWS = 256  # of a grid, from which minima are sought
_MOST_VALUES = 1_000  # of the loss, for each of them
_CLOSE = 1e-12  # of a cell: the size at which a simplex ends
_NEAR = 2.0  # cells within which a known lower point explains a low of the grid
_ZERO = 1e-12  # of a cell: coordinates below this are rounding
_ROUNDED = 1e-6  # of a cell: how far a rounder point may be
_SAME = 1e-6  # of a cell: kinks closer than this count as one


def find_kinks(loss: Loss, starts: Tensor, width: Tensor, known: Tensor, sign: int = 1) -> Tensor:
    """Find local minima at kinks (n, D) by the simplex of Nelder and Mead, from lows of a grid.

    The simplex needs no gradient. In one and two dimensions it follows the bottom of a bend.

    Args:
        loss: the loss.
        starts: the points of a grid (n, D), with the same number along each axis, in order.
        width: that of the grid's cells (D,).
        known: points (k, D) where the gradient is zero, from which no search starts.
        sign: −1 for maxima.
    """

    def values(points: Tensor) -> Tensor:
        return sign * loss(points)

    lows = starts[_is_low(values(starts), starts.shape[1])]
    lows = lows[~_are_explained(values, lows, known, width)]
    lows = lows[values(lows).argsort(stable=True)][:_MOST_LOWS]
    found = [_round(values, _descend(values, low, width), width) for low in lows]
    kept: list[Tensor] = []
    for point in found:
        is_new = not any(bool(((point - each).abs() <= _SAME * width).all()) for each in kept)
        if is_new and bool(has_kink(loss, point[None])[0]):
            kept.append(point)
    return torch.stack(kept) if kept else starts[:0]


def _is_low(values: Tensor, dim: int) -> Tensor:
    """Return which values (n,) of a grid are not above their neighbors, inside the grid: (n,)."""
    side = round(len(values) ** (1 / dim))
    grid = values.reshape([side] * dim)
    is_low = grid.isfinite()
    for axis in range(dim):
        for shift in (-1, 1):
            is_low &= ~(grid > grid.roll(shift, axis))
        is_low.select(axis, 0).fill_(False)
        is_low.select(axis, -1).fill_(False)
    return is_low.flatten()


def _are_explained(
    values: Callable[[Tensor], Tensor], lows: Tensor, known: Tensor, width: Tensor
) -> Tensor:
    """Return which lows (n, D) are near a known point that is not higher: (n,)."""
    is_near = ((lows[:, None] - known).abs() <= _NEAR * width).all(2)
    return (is_near & (values(known) <= values(lows)[:, None])).any(1)


def _descend(values: Callable[[Tensor], Tensor], start: Tensor, width: Tensor) -> Tensor:
    """Return the lowest point (D,) that the simplex finds from a start (D,)."""
    from scipy.optimize import minimize

    def value(cells: "list[float]") -> float:
        found = float(values((start + width * torch.tensor(cells).to(start))[None])[0])
        return found if found == found else math.inf

    cells = torch.zeros_like(start)
    corners = torch.cat((cells[None], 0.5 * torch.eye(len(start)).to(start)))
    options = {
        "xatol": _CLOSE,
        "fatol": math.inf,
        "maxfev": _MOST_VALUES,
        "initial_simplex": corners.numpy(),
    }
    best = minimize(value, cells.numpy(), method="Nelder-Mead", options=options)
    return start + width * torch.from_numpy(best.x)


def _round(values: Callable[[Tensor], Tensor], x: Tensor, width: Tensor) -> Tensor:
    """Return the roundest point (D,) near x whose value is not larger: 0.3 for 0.29999999."""
    x = torch.where(x.abs() <= _ZERO * width, 0.0, x)
    for decimals in range(10):
        rounder = (x * 10**decimals).round() / 10**decimals + 0.0
        is_near = bool(((rounder - x).abs() <= _ROUNDED * width).all())
        if is_near and bool(values(rounder[None])[0] <= values(x[None])[0]):
            return rounder
    return x
