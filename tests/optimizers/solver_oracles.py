"""Independent answers for optimizers with line searches and curvature: papers in plain loops."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy import ndarray

from gdlab.losses import Loss, Softmax
from gdlab.numerics.threads import one_thread


class Problem:
    """A loss with its derivatives at one point, by torch's own functionals."""

    def __init__(self, loss: Loss) -> None:
        self.loss, self.start = loss, np.asarray(loss.tensor(loss.start))

    def f(self, x: ndarray) -> float:
        return float(self.loss(torch.tensor(x)[None])[0])

    def gradient(self, x: ndarray) -> ndarray:
        return self._derivative(torch.autograd.functional.jacobian, self.loss, x)

    def hessian(self, x: ndarray) -> ndarray:
        return self._derivative(torch.autograd.functional.hessian, self.loss, x)

    def residuals(self, x: ndarray) -> ndarray:
        residuals = self.loss.residuals(torch.tensor(x))
        assert residuals is not None
        return residuals.numpy()

    def jacobian(self, x: ndarray) -> ndarray:
        return self._derivative(torch.autograd.functional.jacobian, self.loss.residuals, x)

    @staticmethod
    def _derivative(kind: Callable, function: Callable, x: ndarray) -> ndarray:
        return kind(lambda at: function(at[None])[0], torch.tensor(x)).numpy()


Path = Callable[..., Iterator[ndarray]]
"""Maps a problem, lr and options to the points after the start."""


def path_of(make: Path, loss: Loss, lr: float, steps: int, **options: float) -> ndarray:
    """Compute the points (steps + 1, D) from the loss's start."""
    problem = Problem(loss)
    points = make(problem, lr, **options)
    with one_thread():
        return np.array([problem.start, *(next(points) for _ in range(steps))])


# Step sizes.


def normalized(p: Problem, lr: float) -> Iterator[ndarray]:
    x = p.start
    while True:
        g = p.gradient(x)
        x = x - lr * g / np.linalg.norm(g)
        yield x


def polyak(p: Problem, lr: float, minimum: float) -> Iterator[ndarray]:
    x = p.start
    while True:
        g = p.gradient(x)
        x = x - lr * (p.f(x) - minimum) / (g @ g) * g
        yield x


def barzilai_borwein(p: Problem, lr: float, variant: int) -> Iterator[ndarray]:
    before, x = p.start, p.start - lr * p.gradient(p.start)
    while True:
        yield x
        s, y = x - before, p.gradient(x) - p.gradient(before)
        size = s @ s / (s @ y) if variant == 1 else s @ y / (y @ y)
        before, x = x, x - (size if s @ y > 0 else lr) * p.gradient(x)


def adgd(p: Problem, lr: float) -> Iterator[ndarray]:
    before, x = p.start, p.start - lr * p.gradient(p.start)
    size, theta = lr, np.inf
    while True:
        yield x
        change = np.linalg.norm(p.gradient(x) - p.gradient(before))
        new = min(np.sqrt(1 + theta) * size, np.linalg.norm(x - before) / (2 * change))
        theta, size = new / size, new
        before, x = x, x - size * p.gradient(x)


# Searches.


def backtrack(p: Problem, x: ndarray, d: ndarray, alpha: float) -> float:
    while p.f(x + alpha * d) > p.f(x) + 1e-4 * alpha * (p.gradient(x) @ d):
        alpha *= 0.5
    return alpha


def exact(p: Problem, x: ndarray, d: ndarray) -> float:
    return float(-(p.gradient(x) @ d) / (d @ p.hessian(x) @ d))


def descent(p: Problem, lr: float, search: str) -> Iterator[ndarray]:
    x = p.start
    while True:
        d = -p.gradient(x)
        alpha = exact(p, x, d) if search == "exact" else backtrack(p, x, d, lr)
        x = x + alpha * d
        yield x


def linear_cg(p: Problem, lr: float) -> Iterator[ndarray]:
    """Hestenes and Stiefel's method for the linear system of a quadratic."""
    x, h = p.start, p.hessian(p.start)
    r = -p.gradient(x)
    d = r
    while True:
        alpha = r @ r / (d @ h @ d)
        x, after = x + alpha * d, r - alpha * h @ d
        d, r = after + (after @ after) / (r @ r) * d, after
        yield x


def bfgs(p: Problem, lr: float, search: str, last: int = 10**9) -> Iterator[ndarray]:
    """BFGS with full matrices, recomputed at every step from the last pairs.

    If `last` exceeds the number of steps, the first pair scales the initial matrix; else the newest
    pair does.
    """
    x, pairs = p.start, []
    while True:
        g, unit = p.gradient(x), np.eye(len(x))
        inverse, alpha = unit, 1.0 if pairs else lr / float(np.linalg.norm(g))
        if pairs:
            s, y = pairs[0 if last == 10**9 else -1]
            inverse = (s @ y) / (y @ y) * unit
        for s, y in pairs[-last:]:
            left = unit - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        d = -inverse @ g
        x_new = x + (exact(p, x, d) if search == "exact" else backtrack(p, x, d, alpha)) * d
        s, y = x_new - x, p.gradient(x_new) - g
        if s @ y > 0:
            pairs.append((s, y))
        x = x_new
        yield x


# Curvature.


def newton(p: Problem, lr: float, search: str = "none", modified: bool = False, damping: float = 0):
    x = p.start
    while True:
        g, h = p.gradient(x), p.hessian(x) + damping * np.eye(len(x))
        if modified:
            values, vectors = np.linalg.eigh(h)
            h = vectors @ np.diag(np.abs(values)) @ vectors.T
        d = -np.linalg.solve(h, g)
        x = x + (lr if search == "none" else backtrack(p, x, d, lr)) * d
        yield x


def gauss_newton(p: Problem, lr: float, search: str = "none") -> Iterator[ndarray]:
    x = p.start
    while True:
        d = np.linalg.lstsq(p.jacobian(x), -p.residuals(x))[0]
        x = x + (lr if search == "none" else backtrack(p, x, d, lr)) * d
        yield x


def levenberg_marquardt(p: Problem, lr: float, damping: float) -> Iterator[ndarray]:
    """By the normal equations, for a loss that is the sum of the squares."""
    x, norms = p.start, np.zeros(len(p.start))
    while True:
        r, j = p.residuals(x), p.jacobian(x)
        norms, factor, kept = np.maximum(norms, np.linalg.norm(j, axis=0)), 2.0, -1.0
        step = np.zeros_like(x)
        while kept <= 1e-4:
            scale = np.where(norms > 0, norms, 1)
            d = np.linalg.solve(j.T @ j + damping * np.diag(scale**2), -j.T @ r)
            step = lr * d
            promised = r @ r - np.sum((r + j @ step) ** 2)
            kept = (r @ r - np.sum(p.residuals(x + step) ** 2)) / promised
            if kept > 1e-4:
                damping *= max(1 / 3, 1 - (2 * kept - 1) ** 3)
            else:
                damping, factor = damping * factor, factor * 2
        x = x + step
        yield x


def natural_gradient(p: Problem, lr: float) -> Iterator[ndarray]:
    """With the Fisher matrix from its definition: the mean of E[∇log p(y) ∇log p(y)ᵀ] over y."""
    loss, x = p.loss, p.start
    assert isinstance(loss, Softmax)
    a, n, classes = loss.inputs.numpy(), loss.examples, loss.classes
    assert classes is not None
    weights = np.zeros(loss.dim)
    weights[np.asarray(loss.weights(torch.arange(loss.dim)))] = 1
    while True:
        scores = x.reshape(classes, -1) @ a.T
        probability = np.exp(scores) / np.exp(scores).sum(0)
        fisher = 2 * float(loss.penalty) * np.diag(weights)
        for i in range(n):
            for y in range(classes):
                score = np.kron((np.arange(classes) == y) - probability[:, i], a[i])
                fisher = fisher + probability[y, i] * np.outer(score, score) / n
        x = x - lr * np.linalg.pinv(fisher, rcond=1e-12) @ p.gradient(x)
        yield x
