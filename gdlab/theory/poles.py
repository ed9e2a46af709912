"""Poles of losses near points, where they fall without end at a finite distance.

Shapes: n rows, D dimensions, m distances.
"""

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.rowwise import by_rows, norm

_HALVINGS = 30
"""Halvings of the distance from a point at which a pole is looked for first."""

_ZOOMS, _SHARE = 10, 0.1
"""Closer looks around the lowest value, and the share of the last one's width that each has."""

_STEADY = 0.5
"""The least share of the fall in the first half of the looks that the second half has at a pole."""

_INVISIBLE = 1e-6
"""The share of the size of a point below which a coordinate of a pole is 0."""


def poles_ahead(loss: Loss, x: Tensor, sign: int) -> Tensor:
    """Find poles (n, D) straight downhill of points (n, D); rows of NaN where there are none.

    Towards a minimum a loss falls less and less, however sharp that is; towards a pole, such as
    that of −1/x² or ln|x|, each tenfold closer look finds as much lower values again.

    Args:
        loss: its columns have one number per row.
        x: the points, such as the best of runs that a pole threw far away.
        sign: 1, or −1 where the loss is maximized; the loss times it must fall.
    """
    size = x.abs().amax(1, keepdim=True).clamp(min=1.0)
    try:
        grad = sign * value_and_gradient(loss, by_rows(x))[1]
        way = -grad / norm(grad)
        looks = size * 0.5 ** torch.arange(_HALVINGS, dtype=x.dtype, device=x.device)
        low, middle = _lowest(loss, x, way, looks, sign)
        width, lows = middle, [low]
        grid = torch.linspace(-1, 1, 21, dtype=x.dtype, device=x.device)
        for _ in range(_ZOOMS):
            low, middle = _lowest(loss, x, way, middle + width * grid, sign)
            lows.append(torch.fmin(low, lows[-1]))
            width = _SHARE * width
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return torch.full_like(x, torch.nan)
    first, second = lows[0] - lows[_ZOOMS // 2], lows[_ZOOMS // 2] - lows[-1]
    is_pole = (lows[-1] == -torch.inf) | ((first > 0) & (second >= _STEADY * first))
    pole = x + middle * way
    pole = torch.where(pole.abs() <= _INVISIBLE * size, 0.0, pole)
    return torch.where(is_pole[:, None], pole, torch.nan)


def _lowest(
    loss: Loss, x: Tensor, way: Tensor, distances: Tensor, sign: int
) -> tuple[Tensor, Tensor]:
    """Return the lowest values (n,) along ways (n, D) at distances (n, m), and where (n, 1)."""
    with torch.no_grad():
        columns = [sign * loss(by_rows(x + t[:, None] * way)) for t in distances.unbind(1)]
    values = torch.stack(columns, 1).nan_to_num(torch.inf, torch.inf, -torch.inf)
    low, index = values.min(1)
    return low, distances.gather(1, index[:, None])
