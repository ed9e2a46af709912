"""Least-squares losses: the residuals, their Jacobian, and the factor of the sum of squares.

Shapes: N residuals, D dimensions, n points.
"""

import math
from functools import partial

import torch
from torch import Tensor

from gdlab.derivatives.arguments import format_setting
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import gradient, jacobian_by_rows
from gdlab.optimizers.oracle import Oracle

_ROUNDING = 1e-9


def residuals_at(loss: Loss, x: Tensor) -> Tensor:
    """Compute the residuals (n, N) of a least-squares loss at points (n, D)."""
    r = loss.residuals(x)
    assert r is not None
    return r


def residual_jacobian(loss: Loss, x: Tensor) -> Tensor:
    """Compute the Jacobian (N, D) of the residuals at a point (D,) by autograd.

    Row by row if N ≤ D, else column by column.

    Raises:
        SettingError: the Jacobian is not finite.
    """
    residuals = partial(residuals_at, loss)
    if residuals(x[None]).shape[1] <= len(x):
        jacobian = jacobian_by_rows(residuals, x)
    else:
        jacobian = Oracle(loss, x[None]).residuals(x[None])[1][0].detach()
    if not jacobian.isfinite().all():
        at = format_setting(x, "at")
        raise SettingError(f"{at}: the Jacobian of the residuals must be finite")
    return jacobian


def squares_factor(loss: Loss, x: Tensor) -> float:
    """Find the c for which a least-squares loss is ½ c Σ rᵢ²: 2 for a sum, 2/N for a mean.

    c is twice the loss over the sum of squares. Of four points the one with the largest sum
    decides: at a minimizer both may be 0, or only rounding error.

    Args:
        loss: the loss.
        x: a point (D,). The other points are the loss's start, and both shifted by 1.

    Raises:
        SettingError: the residuals are 0 at all four points.
    """
    start = loss.tensor(loss.start).expand(1, -1)
    tried = torch.cat((x[None], start, x[None] + 1, start + 1))
    with torch.no_grad():
        r = residuals_at(loss, tried)
        squares, value = r.square().sum(-1), loss(tried)
    usable = squares.isfinite() & value.isfinite() & (squares > 0)
    if not usable.any():
        at = format_setting(x, "at")
        raise SettingError(f"{at}: all residuals are 0 there, at the start and nearby")
    largest = torch.where(usable, squares, -1.0).argmax()
    ratio = 2 * float(value[largest] / squares[largest])
    known = (2.0, 2.0 / r.shape[-1])
    return next((c for c in known if math.isclose(ratio, c, rel_tol=_ROUNDING)), ratio)


def vector_jacobian_product(loss: Loss, x: Tensor, r: Tensor) -> Tensor:
    """Compute Jᵀr (D,) without J, in one backward pass."""
    return gradient(lambda x: (residuals_at(loss, x) * r).sum(-1), x)
