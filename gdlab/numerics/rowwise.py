"""Tensors with one entry per row, and sums within each row.

Shapes: n rows, D dimensions.
"""

import torch
from torch import Tensor

LANES = 32
"""Rows are padded to a multiple of this where the bits of a result depend on their number."""


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


def norm(a: Tensor) -> Tensor:
    """Compute the Euclidean norms (n, 1) of rows (n, D)."""
    return torch.sqrt(dot(a, a))
