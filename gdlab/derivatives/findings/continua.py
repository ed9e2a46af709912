"""Whether critical points are isolated, or samples of a curve or an area of critical points.

Shapes: D dimensions, n points.
"""

import torch
from torch import Tensor

from gdlab.derivatives.findings.zero_gradients import solve
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian

_ASIDE = 1e-3  # of the window: how far from a point another one is sought
_RETURNED = 0.5  # of that distance: Newton's method came back


def are_in_continua(loss: Loss, x: Tensor, width: Tensor) -> Tensor:
    """Return which critical points (n, D) have another one next to them: (n,).

    From a point a little aside, along the flattest direction, Newton's method returns to a point
    that is isolated. On a curve it finds another one.

    Args:
        loss: the loss.
        x: points where the gradient is zero.
        width: of the window (D,).
    """
    matrix = hessian(loss, x).nan_to_num(0.0, 0.0, 0.0).contiguous()
    values, vectors = torch.linalg.eigh(matrix)
    flattest = values.abs().argmin(1)
    along = vectors[torch.arange(len(x)), :, flattest]
    distance = _ASIDE * width.min()
    is_other = torch.ones(len(x), dtype=torch.bool)
    for sign in (1, -1):
        moved = solve(loss, x + sign * distance * along) - x
        is_other &= (moved.norm(dim=1) > _RETURNED * distance) & moved.isfinite().all(1)
    return is_other
