"""Gradients, Jacobians and Hessians by automatic differentiation.

Shapes: D dimensions, n rows, N values of a map, K records.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.numerics.rowwise import by_rows

Product = Callable[[Tensor], Tensor]
"""Multiplies vectors (n, D) by symmetric matrices, one a row: (n, D)."""

_NEARBY = 1e-6


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


def differentiable(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The points (n, D), and gradients (n, D) there that can be differentiated once more."""
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x).sum(), x, create_graph=True)
    return x, grad


def derivative(value: Tensor, x: Tensor) -> Tensor:
    """The gradient (n, D) of a sum over rows; zeros where it does not depend on x at all."""
    if not value.requires_grad:
        return torch.zeros_like(x)
    slope = torch.autograd.grad(
        value, x, retain_graph=True, allow_unused=True, materialize_grads=True
    )[0]
    return by_rows(slope)


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient (D,) at one point (D,); zeros where nothing depends on it.

    Args:
        function: maps points (n, D) to values (n,).
        x: the point.
    """
    rows = x.detach()[None].requires_grad_()
    return derivative(function(rows).sum(), rows)[0].detach()


def jacobian_by_rows(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian (N, D) at one point (D,), one pass back for each row.

    Args:
        function: maps points (n, D) to values (n, N).
        x: the point.
    """
    rows = x.detach()[None].requires_grad_()
    return torch.cat([derivative(value, rows) for value in function(rows)[0]]).detach()


def hessian(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Hessians (n, D, D) at points (n, D): entry [i, j] is ∂/∂xⱼ of the partial ∂f/∂xᵢ."""
    x, grad = differentiable(loss, x)
    return torch.stack([derivative(slope.sum(), x) for slope in grad.unbind(1)], 1)


def hessian_products(loss: Callable[[Tensor], Tensor], x: Tensor) -> Product:
    """The products of the Hessians at points x (n, D) with vectors, by differentiating twice.

    The graph of the gradient is kept, so that a product costs one backward pass through it, about
    as much as two gradients (Pearlmutter, "Fast exact multiplication by the Hessian", Neural
    Computation 6, 1994).

    Args:
        loss: maps points (n, D) to values (n,), each of its own point alone.
        x: the points.
    """
    x, grad = differentiable(loss, by_rows(x))
    return lambda vector: derivative((grad * vector).sum(), x)


def is_twice_differentiable(loss: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether autograd can differentiate a loss twice at points (n, D).

    It does not always say so. What torch's `once_differentiable` marks may leave a node called
    Error behind that has no way on to the points, and torch goes round it; or it leaves nothing,
    and the gradient looks constant. What depends on it would count as zero.
    """
    grad = differentiable(loss, x)[1]
    if not grad.requires_grad:
        nearby = differentiable(loss, x + _NEARBY * (1 + x.abs()))[1]
        return torch.equal(grad, nearby)
    to_see, seen = [grad.grad_fn], set()
    while to_see:
        node = to_see.pop()
        if node is None or node in seen:
            continue
        if type(node).__name__ == "Error":
            return False
        seen.add(node)
        to_see += [following for following, _ in node.next_functions]
    return True


def norms(grad: Tensor) -> tuple[Tensor, Tensor]:
    """Norms (K, n) of gradients (K, D, n), and whether each gradient is finite.

    Squares of numbers past 1e154 overflow and those of numbers under 1e-162 vanish; the gradients
    where that may be are scaled first.
    """
    norm = grad.square().sum(1).sqrt()
    is_exact = torch.isfinite(norm) & (norm > 0)
    if bool(is_exact.all()):
        return norm, is_exact
    largest = grad.abs().amax(1)
    scaled = largest * (grad / largest[:, None]).square().sum(1).sqrt()
    norm = torch.where(is_exact, norm, torch.where(largest == 0, largest, scaled))
    return norm, torch.isfinite(largest)
