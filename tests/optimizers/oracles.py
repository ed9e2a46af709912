"""Independent answers: other libraries' optimizers, and papers' formulas in loops."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import pytorch_optimizer
import torch
from torch import Tensor

from gdlab.losses import Loss
from gdlab.numerics.threads import one_thread

Gradient = Callable[[np.ndarray], np.ndarray]
Path = Callable[..., Iterator[np.ndarray]]


class Stepper(Protocol):
    """An optimizer from another library."""

    def step(self) -> Any: ...


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Set torch's default dtype, which its optimizers' counters have, within a `with` block."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def stepped_path(
    make: Callable[..., Stepper], options: Mapping[str, Any], loss: Loss, lr: float, steps: int
) -> np.ndarray:
    """Compute the points (steps + 1, D) of another library's optimizer in a plain loop.

    Its parameters are the blocks of the loss's layout; the points are the parameters, unless the
    optimizer has a method `recorded`.
    """
    start = torch.as_tensor(loss.start)
    with default_dtype(start.dtype), one_thread():
        sizes = [math.prod(shape) for _, shape in loss.layout]
        shapes = [shape for _, shape in loss.layout]
        pieces = zip(start.split(sizes), shapes, strict=True)
        blocks = [piece.clone().reshape(shape).requires_grad_() for piece, shape in pieces]
        stepper = make(blocks, lr=lr, **options)
        recorded = getattr(stepper, "recorded", lambda: blocks)
        points = [start.numpy()]
        for _ in range(steps):
            x = torch.cat([block.reshape(-1) for block in blocks])
            gradient = torch.autograd.grad(loss(x[None])[0], blocks)
            for block, grad in zip(blocks, gradient, strict=True):
                block.grad = grad.clone()
            stepper.step()
            points.append(torch.cat([p.detach().reshape(-1) for p in recorded()]).numpy().copy())
    return np.array(points)


def written_path(
    make: Path, options: Mapping[str, Any], loss: Loss, lr: float, steps: int
) -> np.ndarray:
    """Compute the points (steps + 1, D) of an optimizer written as a generator of points."""

    def gradient(x: np.ndarray) -> np.ndarray:
        at = torch.tensor(x, requires_grad=True)
        return torch.autograd.grad(loss(at[None])[0], at)[0].numpy()

    start = torch.as_tensor(loss.start).numpy()
    points = make(gradient, start, lr, **options)
    with one_thread():
        return np.array([start, *(next(points) for _ in range(steps))])


# Other libraries' optimizers.


def plain(cls: Any) -> Callable[..., Stepper]:
    """Return an optimizer of torch, without its fused loops over tensors."""
    return lambda params, lr, **options: cls(params, lr=lr, foreach=False, **options)


class _Changed:
    """An optimizer whose gradients are changed in place before every step."""

    def __init__(self, inner: Stepper, change: Callable[[], Any]) -> None:
        self._inner, self._change = inner, change

    def step(self) -> None:
        self._change()
        self._inner.step()


def norm_clipped(params: Sequence[Tensor], lr: float, max_norm: float) -> Stepper:
    inner = torch.optim.SGD(params, lr=lr, momentum=0.9, foreach=False)
    return _Changed(inner, lambda: torch.nn.utils.clip_grad_norm_(params, max_norm, foreach=False))


def value_clipped(params: Sequence[Tensor], lr: float, max_value: float) -> Stepper:
    inner = torch.optim.SGD(params, lr=lr, momentum=0.9, foreach=False)
    change = torch.nn.utils.clip_grad_value_
    return _Changed(inner, lambda: change(params, max_value, foreach=False))


class AveragedASGD(torch.optim.ASGD):
    """ASGD whose points are the mean that torch keeps besides the parameters."""

    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        super().__init__(params, lr=lr, foreach=False, **options)

    def recorded(self) -> list[Tensor]:
        return [self.state[p]["ax"] for p in self.param_groups[0]["params"]]


class Lookahead(pytorch_optimizer.Lookahead):
    """Lookahead around torch's SGD, whose points are the slow weights."""

    def __init__(self, params: Any, lr: float, k: int, alpha: float) -> None:
        super().__init__(torch.optim.SGD(params, lr=lr, momentum=0.9), k=k, alpha=alpha)

    def recorded(self) -> list[Tensor]:
        return [self.state[p]["slow_params"] for p in self.param_groups[0]["params"]]


class ScheduleFree(pytorch_optimizer.ScheduleFreeWrapper):
    """Schedule-free around torch's RMSprop, whose points are the averages."""

    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        super().__init__(torch.optim.RMSprop(params, lr=lr, foreach=False), **options)
        self.train()

    def recorded(self) -> list[Tensor]:
        self.eval()
        points = [p.detach().clone() for p in self.param_groups[0]["params"]]
        self.train()
        return points


def lion_from_library(params: Any, lr: float, **options: Any) -> Stepper:
    return pytorch_optimizer.Lion(params, lr=lr, weight_decouple=True, foreach=False, **options)


def adan_from_library(params: Any, lr: float, **options: Any) -> Stepper:
    return pytorch_optimizer.Adan(params, lr=lr, weight_decouple=False, foreach=False, **options)


class MuonAndAdamW:
    """torch's Muon for the matrices and its AdamW for all other blocks."""

    def __init__(
        self, params: Sequence[Tensor], lr: float, inner_scale: float, **options: Any
    ) -> None:
        matrices = [p for p in params if p.ndim == 2]
        others = [p for p in params if p.ndim != 2]
        self._muon = torch.optim.Muon(matrices, lr=lr, **options)
        self._rest = torch.optim.AdamW(
            others, lr=lr * inner_scale, weight_decay=0.01, foreach=False
        )

    def step(self) -> None:
        self._muon.step()
        self._rest.step()


# The papers' formulas.


def heavy_ball(f: Gradient, x: np.ndarray, lr: float, momentum: float) -> Iterator[np.ndarray]:
    before = x
    while True:
        x, before = x - lr * f(x) + momentum * (x - before), x
        yield x


def signum(f: Gradient, x: np.ndarray, lr: float, momentum: float) -> Iterator[np.ndarray]:
    m = np.zeros_like(x)
    while True:
        m = momentum * m + (1 - momentum) * f(x)
        x = x - lr * np.sign(m)
        yield x


def lion(
    f: Gradient, x: np.ndarray, lr: float, betas: tuple[float, float], weight_decay: float
) -> Iterator[np.ndarray]:
    m = np.zeros_like(x)
    while True:
        g = f(x)
        x = x - lr * (np.sign(betas[0] * m + (1 - betas[0]) * g) + weight_decay * x)
        m = betas[1] * m + (1 - betas[1]) * g
        yield x


def adabelief(
    f: Gradient, x: np.ndarray, lr: float, betas: tuple[float, float], eps: float
) -> Iterator[np.ndarray]:
    m, s, k = np.zeros_like(x), np.zeros_like(x), 0
    while True:
        g, k = f(x), k + 1
        m = betas[0] * m + (1 - betas[0]) * g
        s = betas[1] * s + (1 - betas[1]) * (g - m) ** 2 + eps
        m_hat, s_hat = m / (1 - betas[0] ** k), s / (1 - betas[1] ** k)
        x = x - lr * m_hat / (np.sqrt(s_hat) + eps)
        yield x


def adan(
    f: Gradient,
    x: np.ndarray,
    lr: float,
    betas: tuple[float, float, float],
    eps: float,
    weight_decay: float,
) -> Iterator[np.ndarray]:
    m, v, n, k, before = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x), 0, None
    b1, b2, b3 = betas
    while True:
        g, k = f(x), k + 1
        d = g - (g if before is None else before)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * d
        n = b3 * n + (1 - b3) * (g + b2 * d) ** 2
        eta = lr / (np.sqrt(n / (1 - b3**k)) + eps)
        x = (x - eta * (m / (1 - b1**k) + b2 * v / (1 - b2**k))) / (1 + lr * weight_decay)
        before = g
        yield x


def lookahead(f: Gradient, x: np.ndarray, lr: float, k: int, alpha: float) -> Iterator[np.ndarray]:
    while True:
        y = x
        for i in range(k):
            y = y - lr * f(y)
            x = x + alpha * (y - x) if i == k - 1 else x
            yield x


def schedule_free(
    f: Gradient, x: np.ndarray, lr: float, momentum: float, r: float, weight_lr_power: float
) -> Iterator[np.ndarray]:
    z, k, total = x, 0, 0.0
    while True:
        k += 1
        z = z - lr * f((1 - momentum) * z + momentum * x)
        weight = k**r * lr**weight_lr_power
        total += weight
        x = (1 - weight / total) * x + weight / total * z
        yield x


def radam(
    f: Gradient,
    x: np.ndarray,
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> Iterator[np.ndarray]:
    """Compute ρ in exact fractions."""
    m, v, k = np.zeros_like(x), np.zeros_like(x), 0
    b = Fraction(betas[1])
    last = 2 / (1 - b) - 1
    while True:
        g, k = f(x), k + 1
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
        rho = last - 2 * k * b**k / (1 - b**k)
        step = lr * m / (1 - betas[0] ** k)
        if rho > 5:
            ratio = (rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho)
            step = step * math.sqrt(ratio * (1 - b**k)) / (np.sqrt(v) + eps)
        x = x - step
        yield x


def orthogonal(n: np.ndarray, coefficients: Sequence[float], steps: int, eps: float) -> np.ndarray:
    """Apply Muon's polynomial to the singular values of a matrix."""
    a, b, c = coefficients
    u, s, v = np.linalg.svd(n, full_matrices=False)
    s = s / max(np.sqrt((s**2).sum()), eps)
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return (u * s) @ v


def muon(shape: tuple[int, int]) -> Path:
    """Return Muon for a vector that is one matrix."""

    def points(
        f: Gradient,
        x: np.ndarray,
        lr: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        ns_coefficients: Sequence[float],
        ns_steps: int,
        eps: float,
        adjust_lr_fn: str,
    ) -> Iterator[np.ndarray]:
        p, q = shape
        original = adjust_lr_fn == "original"
        scale = math.sqrt(max(1, p / q)) if original else 0.2 * math.sqrt(max(p, q))
        b = np.zeros(shape)
        while True:
            g = f(x).reshape(shape)
            b = momentum * b + (1 - momentum) * g
            n = (1 - momentum) * g + momentum * b if nesterov else b
            step = lr * scale * orthogonal(n, ns_coefficients, ns_steps, eps)
            x = x * (1 - lr * weight_decay) - step.reshape(-1)
            yield x

    return points
