"""Lines on which two pieces of a loss tie, so that a partial derivative does not exist there.

Shapes: D dimensions, n directions.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.derivatives.methods.finite_differences import widest_step
from gdlab.numerics.autodiff import value_and_gradient

_ALONG = 1e-3  # of the widest step: where partial derivatives along a line are looked at
_ASIDE = 1e-6  # of that distance: how far beside the line their neighbors are
_TIE = 1e-3  # of how ∂f/∂xᵢ changes up to there: more is a jump across the line; 2e-6 is smooth


def has_partial(f: Callable[[Tensor], Tensor], x: Tensor, directions: Tensor, i: int) -> list[bool]:
    """Return whether ∂f/∂xᵢ exists along each of the directions (n, D) from a point (D,).

    On a tie of two pieces it jumps across the line, by as much however near the neighbors along xᵢ
    are, and autograd returns neither side: that of max(x², y²) along x = y is half of 0 + 2x.
    """
    step = _ALONG * float(widest_step(x.abs()).max())
    aside = torch.zeros_like(x)
    aside[i] = _ASIDE * step
    sides = (x[None], *(x + step * directions + k * aside for k in (-1, 0, 1)))
    with torch.enable_grad():
        at, before, on, after = (value_and_gradient(f, points)[1][:, i] for points in sides)
    size = (torch.stack((before, on, after)) - at).abs().max()
    return ((after - before).abs() <= _TIE * size).tolist()
