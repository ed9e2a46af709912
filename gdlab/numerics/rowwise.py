"""Tensors with one entry per row, and sums within each row.

Shapes: n rows, D dimensions.
"""

import torch
from torch import Tensor

LANES = 32
"""Rows are padded to a multiple of this where the bits of a result depend on their number."""

VECTOR_BYTES = 64
"""The size of the vectors in which compiled steps compute: 8 numbers of float64."""

FEW = 2
"""At most so many rows are computed one after the other in compiled steps, others in vectors."""

LARGE = 1024
"""Rows of at least so many dimensions are computed in small parts instead: see `part_size`."""

_PART = 8192  # numbers; more of them cost an operation more than its overhead

_LIMITS = {torch.float32: 2.0**48, torch.float64: 2.0**384}
"""Between its inverse and this limit, sums of squares keep their digits."""


def part_size(dim: int) -> int:
    """Return how many rows of D ≥ `LARGE` dimensions are computed together: 8, 4, 2 or 1.

    A part always has as many, so that the bits of a row do not depend on how many others there are.
    """
    return 1 << max(1, _PART // dim).bit_length() - 1


def as_slice(index: Tensor) -> Tensor | slice:
    """Return increasing numbers (m,) as a slice if none is left out, which copies nothing."""
    if len(index) and int(index[-1]) - int(index[0]) == len(index) - 1:
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def by_rows(x: Tensor) -> Tensor:
    """Return the same (n, ...) tensor with the row axis innermost in memory."""
    if x.stride(0) == 1:
        return x
    return x.movedim(0, -1).contiguous().movedim(-1, 0)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Compute the inner products (n, 1) of rows (n, D).

    This is not a matrix product, whose bits would depend on the number of rows.
    """
    return (a * b).sum(1, keepdim=True)


def matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    """Compute the products (n, D) of matrices (n, D, D) and vectors (n, D), as in `dot`."""
    return (matrix * vector[:, None, :]).sum(2)


def rescale(a: Tensor, dims: tuple[int, ...] = (1,)) -> tuple[Tensor, Tensor]:
    """Multiply rows by powers of two so that sums of their squares neither overflow nor underflow.

    Rows of moderate size keep their numbers, and no row loses a digit. Blue, "A portable Fortran
    program to find the Euclidean norm of a vector", 1978.

    Args:
        a: the rows (n, …).
        dims: the axes of a row.

    Returns:
        The scaled rows (n, …), and the powers of two as a column (n, 1, …).
    """
    limit = _LIMITS[a.dtype]
    largest = a.abs().amax(dims, keepdim=True)
    raised = torch.where(largest < 1 / limit, limit * limit, torch.ones_like(largest))
    factor = torch.where(largest > limit, 1 / (limit * limit), raised)
    return a * factor, factor


def norm(a: Tensor, dims: tuple[int, ...] = (1,)) -> Tensor:
    """Compute the Euclidean norms (n, 1, …) of rows (n, …) of any size, over the axes `dims`."""
    scaled, factor = rescale(a, dims)
    return scaled.square().sum(dims, keepdim=True).sqrt() / factor


def length(a: Tensor) -> float:
    """Compute the Euclidean norm of all numbers (…) of a tensor, of any size."""
    scaled, factor = rescale(a[None], tuple(range(1, a.ndim + 1)))
    return float(scaled.norm() / factor)


def normalize(a: Tensor) -> tuple[Tensor, Tensor]:
    """Divide rows by powers of two so that their norms lie from 1 to 2.

    Dot products of such rows cannot overflow, and no digit is lost. Rows that are zero, or not
    finite, are divided by 1.

    Returns:
        The scaled rows (n, D), and the powers of two as a column (n, 1).
    """
    scaled, factor = rescale(a)
    length = norm(scaled)
    unit = length / (2 * torch.frexp(length).mantissa) / factor
    unit = torch.where(unit.isfinite() & (unit > 0), unit, 1.0)
    return a / unit, unit


def quotient(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Compute aᵀb / cᵀd (n, 1) for rows (n, D) of any size, if ‖a‖ / ‖c‖ and ‖b‖ / ‖d‖ fit."""
    (a, size_a), (b, size_b), (c, size_c), (d, size_d) = map(normalize, (a, b, c, d))
    return dot(a, b) / dot(c, d) * (size_a / size_c) * (size_b / size_d)
