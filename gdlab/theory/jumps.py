"""Whether Hessians jump at points, as that of x |x| does at 0, where the gradient is continuous.

Shapes: n rows, D dimensions.
"""

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian
from gdlab.numerics.rowwise import by_rows, norm

_LINES = 4
"""Lines through a point, on both sides of which Hessians are compared."""

_CLOSER = 64
"""How much closer the second look is."""

_LASTS = 0.5
"""The share of the difference that lasts at a jump: 1 there, 1/64 where the Hessian is smooth."""

_VISIBLE = 1e-3
"""The share of the Hessian by which it must jump."""

_NEAR = 1e-2
"""The largest distance of the neighbors, relative to the point: farther off all Hessians differ."""

_OUTSIDE = 8
"""Times the uncertainty of a point: the neighbors lie on all sides of where it should be."""


def hessian_jumps(loss: Loss, x: Tensor, step: Tensor) -> Tensor:
    """Return whether Hessians change by the order of themselves near points (n, D), as (n,).

    Hessians of neighbors differ in proportion to their distance where the loss is smooth. At a
    jump they differ as much however near they are, so that the point itself has none. Where
    Newton's step is long, nothing is known of one.

    Args:
        loss: its columns have one number per row.
        x: the points.
        step: Newton's steps (n, D), at whose ends the critical points should be.
    """
    size = x.abs().amax(1).clamp(min=1.0)
    closest = torch.finfo(x.dtype).eps ** (1 / 3) / _CLOSER * size
    length = norm(step)
    nearest = torch.maximum(_OUTSIDE * length[:, 0], closest)
    back = -step / torch.where(length > 0, length, 1.0)
    try:
        near, scale = _spread(loss, x + step, nearest, back)
        far, _ = _spread(loss, x + step, _CLOSER * nearest, back)
    except CUSTOM_ERRORS:  # of a loss of one's own that refuses some points
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    return (nearest <= _NEAR * size) & (near > _VISIBLE * scale) & (near > _LASTS * far)


def _spread(loss: Loss, x: Tensor, distance: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    """Return how much Hessians differ at distances (n,) around points (n, D), and their size.

    Both are Frobenius norms (n,). The neighbors lie back where the run came from, along `back`
    (n, D), and on both sides along lines that no symmetry of a loss singles out.
    """
    axes = torch.arange(x.shape[1], dtype=x.dtype, device=x.device)
    lines = torch.stack([torch.cos((k + 1) * (axes + 1) ** 2) for k in range(_LINES)])
    lines = lines / lines.norm(dim=1, keepdim=True)
    directions = [back, *lines, *-lines]
    matrices = torch.stack([hessian(loss, by_rows(x + distance[:, None] * u)) for u in directions])
    differences = (matrices - matrices[:1]).square().sum((2, 3)).sqrt()
    return differences.amax(0), matrices.square().sum((2, 3)).sqrt().amax(0)
