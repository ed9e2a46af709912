"""Gradients by automatic differentiation.

Shapes: D dimensions, n rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.rowwise import by_rows


def value_and_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Values (n,) and gradients (n, D) at points (n, D), by torch autograd."""
    x = x.detach().requires_grad_()
    value = loss(x)
    if value.shape != x.shape[:-1]:
        shapes = f"{tuple(value.shape)} for points {tuple(x.shape)}"
        raise ValueError(f"the loss returned values of shape {shapes}, not {tuple(x.shape[:-1])}")
    # Each value depends on its own row alone, so the gradient of the sum holds every gradient.
    (grad,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), by_rows(grad)


def differentiable_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The points (n, D), and gradients (n, D) there that can be differentiated by them again."""
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x).sum(), x, create_graph=True)
    return x, grad


def derivative(value: Tensor, x: Tensor) -> Tensor:
    """The gradients (n, D) of a sum over rows; zeros where it does not depend on x at all.

    What is kept for differentiating stays, so that another value can be differentiated after it.
    """
    if not value.requires_grad:
        return torch.zeros_like(x)
    found = torch.autograd.grad(
        value, x, retain_graph=True, allow_unused=True, materialize_grads=True
    )[0]
    return by_rows(found)
