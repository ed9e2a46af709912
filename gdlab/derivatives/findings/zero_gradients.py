"""Points where a gradient is zero, by Newton's method from many starts in one batch.

Shapes: D dimensions, n points.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.numerics import rng
from gdlab.numerics.autodiff import hessian, value_and_gradient
from gdlab.numerics.rowwise import norm, rescale

GRID_SIZE = 33
"""Starts per axis, in one and two dimensions."""

_STARTS = 1_000  # random starts, in more dimensions
_STEPS, _UNDAMPED_STEPS = 150, 4


def draw_starts(window: Tensor, seed: int) -> Tensor:
    """Return starts (n, D): the centers of a grid's cells, or random points."""
    low, high = window.unbind(1)
    dim = len(window)
    if dim <= 2:
        side = (torch.arange(GRID_SIZE, dtype=window.dtype) + 0.5) / GRID_SIZE
        unit = torch.cartesian_prod(*[side] * dim).reshape(-1, dim)
    else:
        counters = torch.arange(_STARTS)[:, None], torch.arange(dim)
        unit = rng.uniform(torch.tensor(seed), rng.Stream.START, *counters)
    return low + (high - low) * unit


def solve(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Solve ∇f = 0 by Newton's method from starts (n, D); return the last iterates (n, D)."""
    damping = x.new_full((len(x), 1), 1e-2)
    gradient = value_and_gradient(loss, x)[1]
    for _ in range(_STEPS):
        trial = x + newton_step(loss, x, gradient, damping)
        trial_gradient = value_and_gradient(loss, trial)[1]
        is_less = norm(trial_gradient) < norm(gradient)
        x, gradient = torch.where(is_less, trial, x), torch.where(is_less, trial_gradient, gradient)
        next_damping = torch.where(is_less, damping / 8, damping * 4).clamp(1e-30, 1e8)
        if not is_less.any() and torch.equal(next_damping, damping):
            break  # all further steps are these
        damping = next_damping
    for _ in range(_UNDAMPED_STEPS):
        trial = x + newton_step(loss, x, gradient, torch.zeros_like(damping))
        trial_gradient = value_and_gradient(loss, trial)[1]
        is_less = norm(trial_gradient) < norm(gradient)
        x, gradient = torch.where(is_less, trial, x), torch.where(is_less, trial_gradient, gradient)
    return x


def newton_step(
    loss: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor, damping: Tensor
) -> Tensor:
    """Compute the steps d (n, D) that minimize ‖g + H d‖² + damping λ_max² ‖d‖²."""
    matrix = hessian(loss, x)
    finite = matrix.isfinite().all(2).all(1)[:, None, None]
    values, vectors = torch.linalg.eigh(torch.where(finite, matrix, 0.0).contiguous())
    values, unit = rescale(values)  # they are squared
    scale = values.abs().amax(1, keepdim=True)
    along = (vectors * gradient[:, :, None]).sum(1) * unit
    factor = values / (values.square() + damping * scale.square())
    return -(vectors * (factor * along).nan_to_num(0.0, 0.0, 0.0)[:, None]).sum(2)
