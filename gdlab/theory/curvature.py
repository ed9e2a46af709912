"""The ends of the Hessian's spectrum at the points of many runs, each as if it were alone.

Shapes: n rows, D dimensions.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import (
    hessian,
    hessian_products,
    is_twice_differentiable,
    value_and_gradient,
)
from gdlab.numerics.lanczos import lanczos, numbers_per_row
from gdlab.numerics.rowwise import LANES, by_rows, norm
from gdlab.theory.jumps import hessian_jumps

DENSE = 64
"""The most dimensions for which Hessians are formed."""

_PRODUCTS = 16
"""Products with the Hessian for each end of a larger spectrum."""

_SHARE = 30
"""A product costs about three gradients; all together may cost a tenth of the run's steps."""

_CHEAP = 10**7
"""Coordinates times examples times products of a run whose cost nobody notices."""

_MOST_NUMBERS = 2**23
"""Numbers stored at once for the Hessians of some rows."""

_ROUNDING = 8
"""Units in the last place of the largest eigenvalue, for each dimension."""

_DISTANCE = 4
"""The distance of a critical point of multiplicity up to 5, in Newton's steps."""

_SURE = 1e-3
"""The share of the largest eigenvalue that a negative one must reach if Hessians are not formed."""

AT_LEAST_ONE, UNKNOWN = -1, -2
"""Numbers of negative eigenvalues that are not counted."""


@dataclass(frozen=True)
class Spectrum:
    """What is known of the eigenvalues of the Hessians at points (n, D).

    Attributes:
        least: the least eigenvalue (n,); NaN if unknown.
        largest: the largest eigenvalue (n,); NaN if unknown.
        downward: a unit vector (n, D) of the least eigenvalue, its largest entry positive.
        negative: the number of negative eigenvalues (n,), or `AT_LEAST_ONE`, or `UNKNOWN`.
        positive: the number of positive ones, likewise.
        doubtful: the number of eigenvalues (n,) that are zero up to rounding and to the distance
            from the critical point; 0 where they are not counted.
        zero: the number of those that are zero up to rounding alone (n,), likewise.
        remaining: the length of Newton's step from each point (n,); NaN if unknown.
        jumps: whether the Hessian is doubtful since it jumps at the point (n,), which has none.
    """

    least: Tensor
    largest: Tensor
    downward: Tensor
    negative: Tensor
    positive: Tensor
    doubtful: Tensor
    zero: Tensor
    remaining: Tensor
    jumps: Tensor


def is_affordable(loss: Loss, steps: int) -> bool:
    """Whether the spectrum at the end of a run of so many steps costs little beside the run.

    It depends on the settings of one run only: neither on a clock nor on the other runs.
    """
    products = loss.dim if loss.dim <= DENSE else 2 * _PRODUCTS
    work = products * loss.dim * (loss.examples or 1)
    return work <= _CHEAP or products * _SHARE <= steps


def has_curvature(loss: Loss, x: Tensor) -> bool:
    """Whether autograd can differentiate a loss twice at a point (1, D)."""
    try:
        return is_twice_differentiable(loss, x)
    except CUSTOM_ERRORS:  # of a loss of one's own, where autograd stops at first derivatives
        return False


def spectrum(loss: Loss, x: Tensor, critical: bool) -> Spectrum:
    """Compute the ends of the spectra of Hessians at points (n, D).

    The bits of a row do not depend on the other rows where the loss is elementwise.

    Args:
        loss: its columns have one number per row.
        x: the points.
        critical: whether to compute what decides between minima, saddles and maxima; without it,
            only the largest eigenvalues of large Hessians.
    """
    n, dim = x.shape
    each = dim * (dim + -dim % 8) if dim <= DENSE else numbers_per_row(dim)
    rows = max(LANES, _MOST_NUMBERS // max(1, each) // LANES * LANES)
    of_rows = _dense if dim <= DENSE else _extreme
    parts = []
    for index in torch.arange(n, device=x.device).split(rows):
        found = of_rows(*_rows_of(loss, x, index), critical)
        parts.append([values[: len(index)] for values in vars(found).values()])
    return Spectrum(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _rows_of(loss: Loss, x: Tensor, index: Tensor) -> tuple[Loss, Tensor]:
    """Return the loss of some rows, and their points, padded so that bits depend on no others."""
    padding = -len(index) % LANES if loss.elementwise else 0
    padded = torch.cat((index, index[-1:].expand(padding)))
    return loss.with_columns(lambda column: by_rows(column[padded])), by_rows(x[padded])


def _dense(loss: Loss, x: Tensor, critical: bool) -> Spectrum:
    """Compute the spectra of Hessians that are formed."""
    dim = x.shape[1]
    matrix = hessian(loss, x)
    is_known = matrix.isfinite().all(2).all(1)
    values, vectors = _eigh(torch.where(is_known[:, None, None], matrix, 0.0))
    values = torch.where(is_known[:, None], values, torch.nan)
    scale = values.abs().amax(1)
    rounding = zero = _ROUNDING * dim * torch.finfo(x.dtype).eps * scale
    remaining, step = torch.full_like(scale, torch.nan), torch.zeros_like(x)
    if critical:
        grad = value_and_gradient(loss, x)[1]
        along = (vectors * grad[:, :, None]).sum(1)
        is_flat = values.abs() <= zero[:, None]
        step = -torch.where(is_flat, 0.0, along / torch.where(is_flat, 1.0, values.abs()))
        step = (vectors * step[:, None, :]).sum(2)
        remaining = norm(step)[:, 0]
        # An eigenvalue counts as zero if Newton's step changes the Hessian by as much.
        change = hessian(loss, by_rows(x + step)) - matrix
        size = norm(change.nan_to_num(torch.inf).flatten(1))[:, 0]
        zero = torch.maximum(zero, _DISTANCE * size)
    doubtful = (values.abs() <= zero[:, None]).sum(1)
    return Spectrum(
        least=values[:, 0],
        largest=values[:, -1],
        downward=_oriented(vectors[:, :, 0]),
        negative=(values < -zero[:, None]).sum(1),
        positive=(values > zero[:, None]).sum(1),
        doubtful=doubtful,
        zero=(values.abs() <= rounding[:, None]).sum(1),
        remaining=remaining,
        jumps=_jumps(loss, x, step, doubtful > 0) if critical else doubtful < 0,
    )


def _jumps(loss: Loss, x: Tensor, step: Tensor, is_asked: Tensor) -> Tensor:
    """Return where Hessians jump among the points (n, D) that are asked for (n,).

    Newton's steps (n, D) lead from the points to the critical ones.
    """
    found = torch.zeros_like(is_asked)
    index = torch.nonzero(is_asked)[:, 0]
    if len(index):
        part, points = _rows_of(loss, x, index)
        _, steps = _rows_of(loss, step, index)
        found[index] = hessian_jumps(part, points, steps)[: len(index)]
    return found


def _eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues (n, D), ascending, and eigenvectors (n, D, D) of Hessians (n, D, D).

    LAPACK's bits depend on the alignment of a matrix in memory, so matrices are padded to a
    multiple of eight rows, with eigenvalues above all others.
    """
    n, dim, _ = matrix.shape
    if dim == 1:
        return matrix[:, 0], torch.ones_like(matrix)
    if dim == 2:
        return _eigh_of_two(matrix)
    size = dim + -dim % 8
    padded = matrix.new_zeros((n, size, size))
    padded[:, :dim, :dim] = matrix / 2 + matrix.mT / 2
    bound = matrix.abs().sum(2).amax(1, keepdim=True)
    padded.diagonal(dim1=1, dim2=2)[:, dim:] = torch.where(bound > 0, 2 * bound, 1.0)
    values, vectors = torch.linalg.eigh(padded)
    return values[:, :dim], vectors[:, :dim, :dim]


def _eigh_of_two(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Do the same for matrices (n, 2, 2), in closed form: a million of them take no time."""
    (a, b), (_, c) = (row.unbind(1) for row in (matrix / 2 + matrix.mT / 2).unbind(1))
    half, radius = (a - c) / 2, torch.hypot((a - c) / 2, b)
    mean = (a + c) / 2
    outer = mean + torch.where(mean < 0, -radius, radius)
    # The product of the eigenvalues is the determinant; their difference would lose digits.
    inner = torch.where(outer == 0, 0.0, a * (c / outer) - b * (b / outer))
    values = torch.stack((torch.minimum(inner, outer), torch.maximum(inner, outer)), 1)
    angle = torch.atan2(b, half + radius)  # of the larger one; half of atan2(b, half)
    angle = torch.where((b == 0) & (half < 0), math.pi / 2, angle)
    cos, sin = angle.cos(), angle.sin()
    return values, torch.stack((torch.stack((-sin, cos), 1), torch.stack((cos, sin), 1)), 2)


def _extreme(loss: Loss, x: Tensor, critical: bool) -> Spectrum:
    """Compute the ends of the spectra of Hessians that are too large to be formed."""
    product = hessian_products(loss, x)
    top = lanczos(product, x, max_products=_PRODUCTS)
    largest = top.values[:, 0]
    least, downward = torch.full_like(largest, torch.nan), torch.zeros_like(x)
    if critical:
        bottom = lanczos(product, x, end="smallest", max_products=_PRODUCTS)
        least, downward = bottom.values[:, 0], _oriented(bottom.vectors[:, 0])
    # A Ritz value is no less than the least eigenvalue: a negative one proves that this is too.
    sure = _SURE * torch.maximum(largest.abs(), least.abs())
    return Spectrum(
        least=least,
        largest=largest,
        downward=downward,
        negative=torch.where(least < -sure, AT_LEAST_ONE, UNKNOWN),
        positive=torch.where(largest > sure, AT_LEAST_ONE, UNKNOWN),
        doubtful=torch.zeros_like(least, dtype=torch.int64),
        zero=torch.zeros_like(least, dtype=torch.int64),
        remaining=torch.full_like(largest, torch.nan),
        jumps=torch.zeros_like(least, dtype=torch.bool),
    )


def _oriented(vector: Tensor) -> Tensor:
    """Return vectors (n, D) with the sign that makes the largest entry positive."""
    largest = vector.gather(1, vector.abs().argmax(1, keepdim=True))
    return torch.where(largest < 0, -vector, vector)
