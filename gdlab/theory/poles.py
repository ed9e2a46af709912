"""Poles of losses near points, where they fall without end at a finite distance.

Shapes: n rows, D dimensions, m distances.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.rowwise import by_rows, norm

_HALVINGS = 30
"""Halvings of the distance from a point at which a pole is looked for first."""

_SHARE = 0.1
"""Of the width of a look around the lowest value, that of the next."""

_LOOKS = ((4, 0.05), (10, 0.5))
"""How many closer looks are taken, the second time at rows that may have a pole by the first; and
the least share of the fall in the first half of them that the second half has at a pole."""

_NOTICED = 1e-3
"""Of the fall from the point to the first look, the least that is no rounding."""

_INVISIBLE = 1e-6
"""The share of the size of a point below which a coordinate of a pole is 0."""


def poles_ahead(loss_of: Callable[[Tensor], Loss], x: Tensor, sign: int) -> Tensor:
    """Find poles (n, D) straight downhill of points (n, D); rows of NaN where there are none.

    Towards a minimum a loss falls less and less, however sharp that is; towards a pole, such as
    that of −1/x² or ln|x|, it falls ever more steeply, and each tenfold closer look finds as much
    lower values again.

    Args:
        loss_of: returns the loss of some rows (k,), whose columns have one number per row.
        x: the points, such as the best of runs that a pole threw far away.
        sign: 1, or −1 where the loss is maximized; the loss times it must fall.
    """
    poles, rows = torch.full_like(x, torch.nan), torch.arange(len(x), device=x.device)
    try:
        rows = rows[_steepens(loss_of(rows), x, sign)]
        for count, steady in _LOOKS:
            if len(rows):
                found, is_pole = _look(loss_of(rows), x[rows], sign, count, steady)
                poles[rows] = torch.where(is_pole[:, None], found, torch.nan)
                rows = rows[is_pole]
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return torch.full_like(x, torch.nan)
    return poles


def _steepens(loss: Loss, x: Tensor, sign: int) -> Tensor:
    """Whether the loss falls more steeply a little way downhill of points (n, D): (n,)."""
    way, _, slope = _downhill(loss, x, sign)
    little = x + torch.finfo(x.dtype).eps ** 0.5 * _size(x) * way
    there = sign * value_and_gradient(loss, by_rows(little))[1]
    return (there * way).sum(1) < slope


def _size(x: Tensor) -> Tensor:
    """Return the sizes (n, 1) of points, at least 1."""
    return x.abs().amax(1, keepdim=True).clamp(min=1.0)


def _downhill(loss: Loss, x: Tensor, sign: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the directions (n, D) downhill of points, their values (n,) and slopes (n,)."""
    value, grad = value_and_gradient(loss, by_rows(x))
    length = norm(grad)
    return -sign * grad / length, sign * value, -length[:, 0]


def _look(loss: Loss, x: Tensor, sign: int, count: int, steady: float) -> tuple[Tensor, Tensor]:
    """Return the lowest places (n, D) ahead of points, and whether they may be poles (n,).

    Args:
        loss: of the points.
        x: the points (n, D).
        sign: as in `poles_ahead`.
        count: of closer looks.
        steady: the least share of the fall in the first half of them that the second half has.
    """
    size = _size(x)
    way, value, _ = _downhill(loss, x, sign)
    looks = size * 0.5 ** torch.arange(_HALVINGS, dtype=x.dtype, device=x.device)
    low, middle = _lowest(loss, x, way, looks, sign)
    width, lows = middle, [low]
    grid = torch.linspace(-1, 1, 21, dtype=x.dtype, device=x.device)
    for _ in range(count):
        low, middle = _lowest(loss, x, way, middle + width * grid, sign)
        lows.append(torch.fmin(low, lows[-1]))
        width = _SHARE * width
    half = lows[count // 2]
    first, second, before = lows[0] - half, half - lows[-1], value - lows[0]
    falls_on = (first > _NOTICED * before) & (before > 0) & (second >= steady * first)
    place = x + middle * way
    place = torch.where(place.abs() <= _INVISIBLE * size, 0.0, place)
    return place, (lows[-1] == -torch.inf) | falls_on


def _lowest(
    loss: Loss, x: Tensor, way: Tensor, distances: Tensor, sign: int
) -> tuple[Tensor, Tensor]:
    """Return the lowest values (n,) along ways (n, D) at distances (n, m), and where (n, 1)."""
    with torch.no_grad():
        columns = [sign * loss(by_rows(x + t[:, None] * way)) for t in distances.unbind(1)]
    values = torch.stack(columns, 1).nan_to_num(torch.inf, torch.inf, -torch.inf)
    low, index = values.min(1)
    return low, distances.gather(1, index[:, None])
