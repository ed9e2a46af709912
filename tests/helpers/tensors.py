"""Points and Hessians."""

from typing import Any

import torch
from torch import Tensor


def point(values: Any) -> Tensor:
    """Numbers as a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64)


def hessian(loss: Any, x: Tensor) -> Tensor:
    """The whole Hessian (D, D) at a point (D,)."""
    matrix = torch.autograd.functional.hessian(lambda at: loss(at[None])[0], x)
    assert isinstance(matrix, Tensor)
    return matrix
