"""Losses that are multiples of sums of squares: their residuals, the Jacobian, the multiple.

Shapes: N residuals, D dimensions, n points.
"""

import math
from functools import partial

import torch
from torch import Tensor

from gdlab.derivatives.arguments import typed
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import gradient, jacobian_by_rows
from gdlab.optimizers.oracle import Oracle

_ROUNDING = 1e-9


def residuals_at(loss: Loss, x: Tensor) -> Tensor:
    """The residuals (n, N) at points (n, D) of a loss that has some."""
    r = loss.residuals(x)
    assert r is not None
    return r


def residual_jacobian(loss: Loss, x: Tensor) -> Tensor:
    """The Jacobian (N, D) of the residuals of a least-squares loss at a point (D,), by autograd.

    Row by row where there are no more residuals than dimensions, else column by column.

    Raises:
        SettingError: it is not finite.
    """
    of = partial(residuals_at, loss)
    if of(x[None]).shape[1] <= len(x):
        jacobian = jacobian_by_rows(of, x)
    else:
        jacobian = Oracle(loss, x[None]).residuals(x[None])[1][0].detach()
    if not jacobian.isfinite().all():
        raise SettingError(f"{typed(x, 'at')}: the residuals' Jacobian is not finite there")
    return jacobian


def factor(loss: Loss, x: Tensor) -> float:
    """The c for which a least-squares loss is ½ c Σ rᵢ²: 2 for a sum, 2/N for a mean.

    It is twice the loss over the sum of squares, at the point of a few where that sum is largest:
    at a minimizer both may be 0, or rounding alone.

    Args:
        loss: the loss.
        x: a point (D,); the loss's start is another, and what lies one further from both.

    Raises:
        SettingError: the residuals are 0 at all of them.
    """
    start = loss.tensor(loss.start).expand(1, -1)
    tried = torch.cat((x[None], start, x[None] + 1, start + 1))
    with torch.no_grad():
        r = residuals_at(loss, tried)
        squares, value = r.square().sum(-1), loss(tried)
    usable = squares.isfinite() & value.isfinite() & (squares > 0)
    if not usable.any():
        raise SettingError(f"{typed(x, 'at')}: all residuals are 0 there, at the start and nearby")
    place = torch.where(usable, squares, -1.0).argmax()
    ratio = 2 * float(value[place] / squares[place])
    known = (2.0, 2.0 / r.shape[-1])
    return next((c for c in known if math.isclose(ratio, c, rel_tol=_ROUNDING)), ratio)


def pulled_back(loss: Loss, x: Tensor, r: Tensor) -> Tensor:
    """Jᵀr (D,) without J, in one pass back."""
    return gradient(lambda x: (residuals_at(loss, x) * r).sum(-1), x)
