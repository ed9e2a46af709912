"""Whether a point that no Hessian decides is a minimum or a maximum, from the values around it.

Shapes: D dimensions, n directions, m distances.
"""

import torch
from torch import Tensor

from gdlab.derivatives.methods.finite_differences import EPSILON, values_at
from gdlab.derivatives.point import LossAtPoint
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

NEITHER = "neither"
"""What a point is with both higher and lower values around."""

_DISTANCES = (1e-3, 1e-4, 1e-5)  # of the point's largest coordinate, or of 1
_DISTANCES_IF_FLAT = (1e-2, 1e-3, 1e-4)  # since x⁴ of smaller ones is lost in rounding
_RANDOM = 256  # directions, besides the axes
_ROUNDINGS = 16  # of the loss: smaller changes do not count
_SINGULAR = 1e-8  # of the largest eigenvalue: along the others a Hessian says nothing


def extremum_among_neighbors(at: LossAtPoint, *, is_flat: bool = False) -> str | None:
    """Return `minimum`, `maximum` or `neither` by the values around; None if all seem equal.

    The neighbors are those along the axes and along random directions, at several distances. At a
    minimum none is lower, and the farthest are all higher. A few values prove neither.

    Args:
        at: the loss at the point.
        is_flat: whether the gradient is zero. Values then change little, and the neighbors farther
            off are taken, with the lowest and highest ones near the directions of zero curvature.
    """
    dim = len(at.x)
    counters = torch.arange(_RANDOM)[:, None], torch.arange(dim)
    oblique = rng.normal(torch.tensor(0), rng.Stream.START, *counters)
    axes = torch.eye(dim)
    directions = torch.cat((axes, -axes, oblique / oblique.norm(dim=1, keepdim=True)))  # (n, D)
    size = max(1.0, float(at.x.abs().max()))
    distances = size * torch.tensor(_DISTANCES_IF_FLAT if is_flat else _DISTANCES).to(at.x)
    points = at.x + distances[:, None, None] * directions.to(at.x)  # (m, n, D)
    changes = values_at(at.loss, points) - at.value
    near = _along_valleys(at, distances) if is_flat else changes[:0]
    rounding = _ROUNDINGS * EPSILON * float(at.value.abs())
    is_higher, is_lower = (bool((sign * changes > rounding).any()) for sign in (1, -1))
    is_higher |= bool((near > rounding).any())
    is_lower |= bool((near < -rounding).any())
    if is_higher and is_lower:
        return NEITHER
    if bool((changes[0] > rounding).all()):
        return "minimum"
    return "maximum" if bool((changes[0] < -rounding).all()) else None


def _along_valleys(at: LossAtPoint, distances: Tensor) -> Tensor:
    """Return how the loss changes along the bottoms of valleys, at distances (m,): (k, m).

    Along an eigenvector with eigenvalue 0, one step of Newton's method in the other directions
    goes to the bottom, or to the ridge, of which a straight line misses the curve.
    """
    matrix = at.hessian
    if not bool(matrix.isfinite().all()):
        return torch.zeros(0, len(distances)).to(at.x)
    values, vectors = torch.linalg.eigh(matrix)
    is_zero = values.abs() <= _SINGULAR * values.abs().max()
    flat, steep = vectors[:, is_zero].T, vectors[:, ~is_zero]
    lines = torch.cat((flat, -flat))
    points = (at.x + distances[:, None] * lines[:, None, :]).reshape(-1, len(at.x))
    slopes = value_and_gradient(at.loss, points)[1] @ steep
    bottoms = points - (slopes / values[~is_zero]) @ steep.T
    return (values_at(at.loss, bottoms) - at.value).reshape(len(lines), len(distances))
