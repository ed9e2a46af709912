"""Directions along which losses fall without end.

Shapes: n rows, D dimensions.
"""

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.rowwise import by_rows, dot, norm

_FARTHER = tuple(10.0**k for k in range(10))
"""Distances at which the loss is tried for a bound, in units of the run's or the start's size."""

_STEADY = 0.9
"""The least share of one tenfold step's fall that the next has where a loss has no lower bound."""

_LEVEL = 1e-6
"""The share of the gradient below which a loss does not change along a direction."""


def endless_descents(
    loss: Loss, start: Tensor, last: Tensor, downward: Tensor | None, sign: int
) -> Tensor:
    """Find unit vectors (n, D) along which losses fall on and on; rows of NaN where there are none.

    The first of these is returned: the direction of steepest descent at the last point, the axis
    along which it is steepest there, the eigenvector of the least eigenvalue of the Hessian, and
    the way from the start. A loss that curves up along some axes and falls along the others at a
    constant rate falls without end along the second or the third.

    Args:
        loss: its columns have one number per row.
        start: where the runs began (n, D).
        last: where they ended (n, D).
        downward: unit vectors (n, D) of the least eigenvalues; None if unknown.
        sign: 1, or −1 where the loss is maximized; the loss times it must fall.
    """
    found = torch.full_like(last, torch.nan)
    size = torch.maximum((last - start).abs(), start.abs()).amax(1, keepdim=True).clamp(min=1.0)
    try:
        grad = sign * value_and_gradient(loss, by_rows(last))[1]
        for begin, direction in _candidates(start, last, grad, downward):
            direction = _unit(direction)
            falls = _falls_on(lambda x: sign * loss(x), begin, size * direction)
            found = torch.where((falls & found.isnan().all(1))[:, None], direction, found)
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return torch.full_like(last, torch.nan)
    return found


def _candidates(
    start: Tensor, last: Tensor, grad: Tensor, downward: Tensor | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield points to begin from and directions to try (n, D), the simplest first."""
    yield last, -grad
    steepest = grad.abs().argmax(1, keepdim=True)
    yield last, torch.zeros_like(grad).scatter(1, steepest, -grad.gather(1, steepest).sign())
    if downward is not None:
        downward, slope = downward.to(grad), dot(grad, downward.to(grad))
        # Along a null vector of a loss that is constant along it, rounding would decide.
        is_steep = slope.abs() > _LEVEL * norm(grad)
        yield last, torch.where(is_steep, -slope.sign() * downward, torch.nan)
    yield start, last - start


def _unit(direction: Tensor) -> Tensor:
    """Scale rows (n, D) to length 1; NaN where they have none."""
    direction = direction / direction.abs().amax(1, keepdim=True)
    return direction / dot(direction, direction).sqrt()


def _falls_on(loss: Callable[[Tensor], Tensor], begin: Tensor, way: Tensor) -> Tensor:
    """Whether losses fall on and on along ways (n, D) from points (n, D): (n,).

    Ten times as far they must have fallen, and so again and again, without falling less each time.
    """
    with torch.no_grad():
        along = (loss(by_rows(begin + factor * way)) for factor in _FARTHER)
        falls = (_fall(near, far) for near, far in itertools.pairwise(along))
        fall = next(falls)
        goes_on = fall > 0
        for later in falls:
            if not goes_on.any():
                break
            goes_on &= later >= _STEADY * fall
            fall = later
    return goes_on


def _fall(near: Tensor, far: Tensor) -> Tensor:
    return torch.where(far == -torch.inf, torch.inf, near - far)
