"""Gradients by automatic differentiation.

Shapes: D dimensions, n rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.rowwise import by_rows


def value_and_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Values (n,) and gradients (n, D) at points (n, D), by torch autograd.

    Raises:
        TypeError: the loss gives no tensor.
        ValueError: it gives one of another shape, or one that autograd cannot trace to the points.
    """
    x = x.detach().requires_grad_()
    value = loss(x)
    if not isinstance(value, Tensor):
        raise TypeError(f"the loss returned a {type(value).__name__}, not a tensor")
    if value.shape != x.shape[:-1]:
        shapes = f"{tuple(value.shape)} for points {tuple(x.shape)}"
        raise ValueError(f"the loss returned values of shape {shapes}, not {tuple(x.shape[:-1])}")
    if not value.requires_grad:
        raise ValueError("the values of the loss do not depend on the points by torch's operations")
    # Each value depends on its own row alone, so the gradient of the sum holds every gradient.
    (grad,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), by_rows(grad)
