"""Gradients, Jacobians and Hessians by automatic differentiation.

Shapes: D dimensions, n rows, N outputs of a map, K records.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from gdlab.fields.formatting import describe_type, format_shape
from gdlab.numerics.rowwise import by_rows, norm

Product = Callable[[Tensor], Tensor]
"""Multiplies vectors (n, D) by symmetric matrices, one per row: (n, D)."""

_NEARBY = 1e-6
_ENDS = {"Error", "NotImplemented"}
"""The names of the nodes at which autograd's graph of a gradient ends."""


def value_and_gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute values (n,) and gradients (n, D) at points (n, D) by autograd.

    Raises:
        TypeError: the loss does not return a tensor of real numbers.
        ValueError: the tensor has the wrong shape, or autograd cannot trace it to the points.
    """
    x = x.detach().requires_grad_()
    value = loss(x)
    if not isinstance(value, Tensor):
        raise TypeError(f"the loss must return a tensor, and gave {describe_type(value)}")
    if value.shape != x.shape[:-1]:
        _refuse_shape(value, x)
    if not value.is_floating_point():
        raise TypeError(f"the loss must return real numbers, and gave {value.dtype}")
    if not value.requires_grad:
        raise ValueError("the values of the loss do not depend on the points by torch operations")
    # Each value depends only on its own row, so the gradient of the sum contains every gradient.
    (grad,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), by_rows(grad)


def _refuse_shape(value: Tensor, x: Tensor) -> None:
    """Raise for the shape of values of points (n, D); n, which may be padded, is called R."""
    n, dim = x.shape
    must = f"the loss must return values of shape (R,) for points (R, {dim})"
    raise ValueError(f"{must}, and gave shape {format_shape(value.shape, n)}")


def gradient_with_graph(loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return points (n, D) and gradients (n, D) there that can be differentiated again."""
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x).sum(), x, create_graph=True)
    return x, grad


def derivative(value: Tensor, x: Tensor) -> Tensor:
    """Compute the gradient (n, D) of a sum over rows; zeros if it does not depend on x."""
    if not value.requires_grad:
        return torch.zeros_like(x)
    slope = torch.autograd.grad(
        value, x, retain_graph=True, allow_unused=True, materialize_grads=True
    )[0]
    return by_rows(slope)


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute the gradient (D,) at one point (D,); zeros for coordinates without effect.

    Args:
        function: maps points (n, D) to values (n,).
        x: the point.
    """
    rows = x.detach()[None].requires_grad_()
    return derivative(function(rows).sum(), rows)[0].detach()


def jacobian_by_rows(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute the Jacobian (N, D) at one point (D,), with one backward pass per output.

    Args:
        function: maps points (n, D) to values (n, N).
        x: the point.
    """
    rows = x.detach()[None].requires_grad_()
    values = function(rows)[0]
    return torch.cat([derivative(values[i], rows) for i in range(len(values))]).detach()


def hessian(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute the Hessians (n, D, D) at points (n, D): entry [i, j] is ∂/∂xⱼ of ∂f/∂xᵢ."""
    x, grad = gradient_with_graph(loss, x)
    # The derivative of `unbind` would make D gradients for each slope.
    slopes = (grad.select(1, i) for i in range(grad.shape[1]))
    return torch.stack([derivative(slope.sum(), x) for slope in slopes], 1)


def hessian_products(loss: Callable[[Tensor], Tensor], x: Tensor) -> Product:
    """Return a function that multiplies vectors by the Hessians at points x (n, D).

    The graph of the gradient is kept, so that a product costs one backward pass through it, about
    as much as two gradients (Pearlmutter, "Fast exact multiplication by the Hessian", Neural
    Computation 6, 1994).

    Args:
        loss: maps points (n, D) to values (n,), each depending only on its own point.
        x: the points.
    """
    x, grad = gradient_with_graph(loss, by_rows(x))
    return lambda vector: derivative((grad * vector).sum(), x)


def is_twice_differentiable(loss: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Return whether autograd can differentiate a loss twice at points (n, D).

    Torch does not always raise an error if it cannot: the second derivative of a function that is
    written in Python may silently be 0. Its slopes must depend, by torch operations, on the slopes
    that come in. If it is marked `once_differentiable`, torch leaves a node called Error among
    these operations, and one called NotImplemented for a function of its own that has no second
    derivative; if a function computes with numpy, there are none. Slopes that are 0 anyway lose
    nothing, but those of a lost x² at 0 are 0 too, so that points nearby are tried as well.
    """
    nearby = x + _NEARBY * (1 + x.abs())
    return _has_traced_slopes(loss, x) and _has_traced_slopes(loss, nearby)


def _has_traced_slopes(loss: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Return whether all slopes that are not 0 at points (n, D) can be differentiated again."""
    x = x.detach().requires_grad_()
    value = loss(x)
    lost: list[Tensor] = []

    def find_lost(slopes: Sequence[Tensor | None], _: Any) -> None:
        untraced = (s for s in slopes if s is not None and not s.requires_grad)
        lost.extend(slope for slope in untraced if bool(slope.any()))

    for node in _nodes(value):
        if isinstance(node, BackwardCFunction):
            node.register_hook(find_lost)
    # With weights as `grad_outputs`, torch would import sympy.
    weights = torch.ones_like(value).requires_grad_()
    (grad,) = torch.autograd.grad((value * weights).sum(), x, create_graph=True)
    return not lost and _ENDS.isdisjoint(type(node).__name__ for node in _nodes(grad))


def _nodes(value: Tensor) -> set[Any]:
    """Return the operations that a tensor was computed with, as nodes of autograd's graph."""
    to_visit: list[Any] = [value.grad_fn]
    visited: set[Any] = set()
    while to_visit:
        node = to_visit.pop()
        if node is not None and node not in visited:
            visited.add(node)
            to_visit += [parent for parent, _ in node.next_functions]
    return visited


def norms(grad: Tensor) -> tuple[Tensor, Tensor]:
    """Compute norms (K, n) of gradients (K, D, n), and whether each gradient is finite."""
    return norm(grad)[:, 0], grad.isfinite().all(1)
