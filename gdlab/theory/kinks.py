"""Whether losses bend sharply at points, as |x| does at 0, where autograd sees a slope of 0.

Shapes: n rows, D dimensions.
"""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.rowwise import by_rows, dot, norm

_CLOSER = 8
"""How much closer each second difference looks."""

_SHARP = (2 / 3 / _CLOSER, 2 / _CLOSER)
"""Factors from one second difference to the next at a kink: 1/8 there, 1/64 where it is smooth."""

_VISIBLE = 64
"""Units in the last place of the loss that the last of them must exceed."""

_DOUBLINGS, _HALVINGS = 40, 50
"""Of the distance at which a line is searched for its lowest point."""

_APART = 8
"""Units in the last place of a point between those whose slopes are compared."""

_BEND = 0.5
"""The share of the slope at the beginning of a line by which it jumps at a kink."""

_WIDER, _SUDDEN = 16, 0.25
"""Times as far apart, and the share of the change of the slope there: a smooth one has 1/33."""

_FAR = 4
"""Times the distance of the first kink from a point: a lower one is not farther."""


def has_kink(loss: Loss, x: Tensor) -> Tensor:
    """Return whether losses have a kink at points (n, D), as (n,).

    The second difference over a distance h shrinks like h at a kink, and like h² where the loss is
    smooth. It is taken along one line, which no symmetry of a loss singles out.
    """
    eps = torch.finfo(x.dtype).eps
    axes = torch.arange(x.shape[1], dtype=x.dtype, device=x.device)
    line = (0.75 + 0.25 * torch.cos(axes * axes + axes)) * x.abs().clamp(min=1.0)
    try:
        with torch.no_grad():
            value = loss(by_rows(x))
            bends = [
                (loss(by_rows(x + h * line)) - value) + (loss(by_rows(x - h * line)) - value)
                for h in (eps ** (1 / 3) / _CLOSER**k for k in range(3))
            ]
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    low, high = _SHARP
    shrink = (near / far for far, near in itertools.pairwise(bends))
    first, second = ((low < factor) & (factor < high) for factor in shrink)
    is_visible = bends[-1].abs() > _VISIBLE * eps * value.abs()
    return is_visible & first & second


def kinks_ahead(loss: Loss, x: Tensor) -> Tensor:
    """Return the kinks (n, D) just downhill of points (n, D), the lowest ones near; else NaN.

    The first is on the line of steepest descent. If the loss falls along its bend, the search goes
    on there: a line hits |x| + |y| first where one of them is 0, and the bend leads to where both
    are.
    """
    nowhere = torch.full_like(x, torch.nan)
    try:
        found, slope, bend = _kink_along(loss, x, value_and_gradient(loss, by_rows(x))[1])
        bends = [bend]
        for _ in range(x.shape[1] - 1):
            for bend in bends:
                slope = slope - dot(slope, bend) * bend
            lower, next_slope, bend = _kink_along(loss, found, slope)
            bends.append(bend.nan_to_num(0.0))
            is_better = loss(by_rows(lower)) < loss(by_rows(found))
            is_better &= (norm(lower - x) <= _FAR * norm(found - x))[:, 0]
            if not is_better.any():
                break
            found = torch.where(is_better[:, None], lower, found)
            slope = torch.where(is_better[:, None], next_slope, slope)
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return nowhere
    return found


def _kink_along(loss: Loss, x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the lowest points against slopes, if kinks, new slopes and normals: (n, D) each.

    Along the line the slope changes its sign. Bisection finds where. It is a kink if the slope
    jumps there; where a loss is smooth, it goes through 0. The new slope is the shortest vector
    between the gradients on both sides. The unit normal is across the bend.
    """
    way = -grad / norm(grad)

    def gradient(distance: Tensor) -> Tensor:
        return value_and_gradient(loss, by_rows(x + distance * way))[1]

    def slope(distance: Tensor) -> Tensor:
        return dot(gradient(distance), way)

    start = slope(torch.zeros_like(way[:, :1]))
    size = norm(x).clamp(min=1.0)
    low, high = _bracket(slope, size)
    narrow = _APART * torch.finfo(x.dtype).eps * size
    for _ in range(_HALVINGS):
        is_wide = high - low > narrow
        if not is_wide.any():
            break
        middle = (low + high) / 2
        is_before = slope(middle) < 0
        low = torch.where(is_wide & is_before, middle, low)
        high = torch.where(is_wide & ~is_before, middle, high)
    before, after = gradient(low), gradient(high)
    jump = dot(after - before, way)
    around = slope(high + _WIDER * narrow) - slope(low - _WIDER * narrow)
    is_kink = (jump > _BEND * start.abs()) & (jump > _SUDDEN * around.abs())
    turn = before - after
    share = (dot(before, turn) / dot(turn, turn)).clamp(0.0, 1.0)
    kink = torch.where(is_kink, x + low * way, torch.nan)
    return kink, before - share * turn, turn / norm(turn)


def _bracket(slope: Callable[[Tensor], Tensor], size: Tensor) -> tuple[Tensor, Tensor]:
    """Find distances (n, 1) between which slopes along lines become positive; NaN if nowhere.

    Args:
        slope: maps distances (n, 1) to slopes (n, 1).
        size: the largest distance (n, 1) to look at.
    """
    low, high = torch.zeros_like(size), torch.full_like(size, torch.nan)
    for k in reversed(range(_DOUBLINGS)):
        is_open = high.isnan()
        if not is_open.any():
            break
        distance = size / 2**k
        is_up = slope(distance) >= 0
        high = torch.where(is_open & is_up, distance, high)
        low = torch.where(is_open & ~is_up, distance, low)
    return low, high
