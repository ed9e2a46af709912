"""Independent answers: torch.optim, symbolic derivatives, finite differences and plain loops."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
import torch

from gdlab.losses import Loss


def torch_path(
    optimizer: type[torch.optim.Optimizer],
    options: Mapping[str, Any],
    loss: Loss,
    lr: float,
    steps: int,
) -> np.ndarray:
    """The points (steps + 1, D) of a torch optimizer's plain loop from the loss's start."""
    x = torch.as_tensor(loss.start).clone().requires_grad_()
    stepper: Any = optimizer([x], lr=lr, foreach=False, **options)  # type: ignore[call-arg]
    points = [x.detach().numpy().copy()]
    for _ in range(steps):
        stepper.zero_grad()
        loss(x[None])[0].backward()
        stepper.step()
        points.append(x.detach().numpy().copy())
    return np.array(points)


def plain_descent(
    gradient: Callable[[np.ndarray], np.ndarray], x: np.ndarray, lr: float, steps: int
) -> np.ndarray:
    """The points (steps + 1, D) of gradient descent with a gradient written by hand."""
    points = [np.asarray(x, dtype=np.float64)]
    for _ in range(steps):
        points.append(points[-1] - lr * gradient(points[-1]))
    return np.array(points)


def rosenbrock(x: np.ndarray) -> float:
    return float(100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    inner = x[1] - x[0] ** 2
    return np.array([-400 * x[0] * inner - 2 * (1 - x[0]), 200 * inner])


def gradient_by_sympy(
    loss: Loss, x: list[float], coordinates: Sequence[int] | None = None
) -> np.ndarray:
    """The gradient of the loss's formula in some or all coordinates, from 40 digits.

    The formula is a sum; the base of each power is differentiated on its own, which is faster.
    """
    symbols = sympy.symbols(f"x1:{loss.dim + 1}", real=True)
    formula = loss.symbolic(symbols)
    assert formula is not None
    at = {symbol: sympy.Float(value, 40) for symbol, value in zip(symbols, x, strict=True)}
    along = list(symbols) if coordinates is None else [symbols[i] for i in coordinates]
    gradient: list[Any] = [sympy.Float(0, 40)] * len(along)
    for term in sympy.Add.make_args(formula):
        base, power = term.as_base_exp()
        base, power = (base, power) if power.is_Number else (term, sympy.Integer(1))
        outer = power * base.xreplace(at) ** (power - 1)
        for i, symbol in enumerate(along):
            if symbol in base.free_symbols:
                gradient[i] += outer * sympy.diff(base, symbol).xreplace(at)
    return np.array([float(partial) for partial in gradient])


def central_differences(loss: Loss, x: torch.Tensor, h: float) -> np.ndarray:
    """(f(x + h eᵢ) − f(x − h eᵢ)) / 2h for each coordinate."""
    away = h * torch.eye(len(x), dtype=x.dtype)
    return ((loss(x + away) - loss(x - away)) / (2 * h)).numpy()


def gradient_by_autograd(loss: Loss, x: torch.Tensor) -> np.ndarray:
    """The gradients at points (..., D)."""
    x = x.detach().clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x).sum(), x)
    return grad.numpy()


def relative(ours: Any, theirs: Any) -> float:
    """‖ours − theirs‖ / ‖theirs‖."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
