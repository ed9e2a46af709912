"""Whether a point that no Hessian decides is a minimum or a maximum, from the values around it.

Shapes: D dimensions, n directions, m distances.
"""

import torch
from torch import Tensor

from gdlab.derivatives.methods.finite_differences import EPSILON, values_at
from gdlab.derivatives.point import LossAtPoint
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.terms import largest_terms

NEITHER = "neither"
"""What a point is with both higher and lower values around."""

WEAK = {"weak minimum": "minimum", "weak maximum": "maximum"}
"""What a point is with higher values around and equal ones, or lower and equal ones."""

_DISTANCES = (1e-3, 1e-4, 1e-5)  # of the point's largest coordinate, or of 1
_DISTANCES_IF_FLAT = (1e-2, 1e-3, 1e-4)  # since x⁴ of smaller ones is lost in rounding
_RANDOM = 256  # directions, besides the axes
_ROUNDINGS = 16  # of the largest term of the loss: smaller changes do not count
_SINGULAR = 1e-8  # of the largest eigenvalue: along the others a Hessian says nothing


def extremum_among_neighbors(at: LossAtPoint, *, is_flat: bool = False) -> str | None:
    """Return `minimum`, `maximum` or `neither` by the values around; None if all seem equal.

    The neighbors are those along the axes and along random directions, at several distances. At a
    minimum none is lower, and the farthest are all higher; at a weak one only some are. A few
    values prove neither.

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
    points, distances = _around(at, directions, is_flat)
    rises = _signs(at, points)
    if is_flat:
        rises = torch.cat((rises, _signs(at, _along_valleys(at, distances))), 1)
    is_higher, is_lower = bool((rises > 0).any()), bool((rises < 0).any())
    if is_higher and is_lower:
        return NEITHER
    if not is_higher and not is_lower:
        return None
    kind = "minimum" if is_higher else "maximum"
    return kind if bool((rises[0] != 0).all()) else f"weak {kind}"


def level_axes(at: LossAtPoint) -> tuple[str, ...]:
    """Return the names of the axes along which values around a flat point are equal."""
    axes = torch.eye(len(at.x))
    points, _ = _around(at, torch.cat((axes, -axes)), is_flat=True)
    is_level = (_signs(at, points) == 0).all(0).reshape(2, -1).all(0)
    return tuple(name for name, level in zip(at.names, is_level, strict=True) if level)


def _around(at: LossAtPoint, directions: Tensor, is_flat: bool) -> tuple[Tensor, Tensor]:
    """Return points (m, n, D) along directions (n, D), the farthest first, and distances (m,)."""
    size = max(1.0, float(at.x.abs().max()))
    distances = size * torch.tensor(_DISTANCES_IF_FLAT if is_flat else _DISTANCES).to(at.x)
    return at.x + distances[:, None, None] * directions.to(at.x), distances


def _signs(at: LossAtPoint, points: Tensor) -> Tensor:
    """Return the signs (m, n) of the changes of the loss to points (m, n, D); 0 within rounding."""
    changes = values_at(at.loss, points) - at.value
    terms = values_at(lambda part: largest_terms(at.loss, part), points)
    rounding = _ROUNDINGS * EPSILON * torch.maximum(terms, at.value.abs())
    return torch.where(changes.abs() > rounding, changes.sign(), 0.0)


def _along_valleys(at: LossAtPoint, distances: Tensor) -> Tensor:
    """Return points along the bottoms of valleys, at distances (m,): (m, k, D).

    Along an eigenvector with eigenvalue 0, one step of Newton's method in the other directions
    goes to the bottom, or to the ridge, of which a straight line misses the curve.
    """
    matrix = at.hessian
    if not bool(matrix.isfinite().all()):
        return at.x.new_zeros((len(distances), 0, len(at.x)))
    values, vectors = torch.linalg.eigh(matrix)
    is_zero = values.abs() <= _SINGULAR * values.abs().max()
    flat, steep = vectors[:, is_zero].T, vectors[:, ~is_zero]
    lines = torch.cat((flat, -flat))
    points = (at.x + distances[:, None] * lines[:, None, :]).reshape(-1, len(at.x))
    slopes = value_and_gradient(at.loss, points)[1] @ steep
    bottoms = points - (slopes / values[~is_zero]) @ steep.T
    return bottoms.reshape(len(lines), len(distances), len(at.x)).movedim(0, 1)
