"""Tensors with one entry a row, and sums within each row.

Shapes: n rows, D dimensions.
"""

import torch
from torch import Tensor

LANES = 32
"""Rows are padded to a multiple of so many where bits hang on it."""


def by_rows(x: Tensor) -> Tensor:
    """The same (n, ...) tensor with the row axis innermost in memory."""
    if x.stride(0) == 1:
        return x
    return x.movedim(0, -1).contiguous().movedim(-1, 0)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner products (n, 1) of rows (n, D).

    Not a matrix product, whose bits would depend on the number of rows.
    """
    return (a * b).sum(1, keepdim=True)


def times(matrix: Tensor, vector: Tensor) -> Tensor:
    """The products (n, D) of matrices (n, D, D) and vectors (n, D), likewise."""
    return (matrix * vector[:, None, :]).sum(2)


def norm(a: Tensor) -> Tensor:
    """The Euclidean norms (n, 1) of rows (n, D)."""
    return torch.sqrt(dot(a, a))
