"""What mathematics predicts about a loss and an optimizer."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdlab.config.settings import Settings
from gdlab.fields.declared import Number
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products
from gdlab.numerics.lanczos import lanczos
from gdlab.optimizers.base import Component, Optimizer, Optimum, any_nonzero
from gdlab.schedules import Constant

_LARGEST_HESSIAN, _LARGEST_BASIS = 1000, 10**6
_NEAR = 1e-4  # relative: what is said of it has three digits


def stability_limit(loss: Loss, optimizer: Optimizer) -> Number | None:
    """The constant lr above which the optimizer must diverge on a quadratic loss; None if unknown.

    From the greatest eigenvalue L of the constant Hessian, by the optimizer's own formula: 2/L for
    gradient descent, more for its momentum forms.
    """
    if loss.curvature is None:
        return None
    largest = loss.curvature[1]
    if not isinstance(largest, Tensor) and largest <= 0:
        return None
    return optimizer.max_stable_lr(largest)


def optimal_lr(loss: Loss, optimizer: Optimizer) -> Number | None:
    """The constant lr of the fastest rate on a quadratic loss; None if unknown.

    2/(μ + L) for gradient descent, from the least and the greatest eigenvalue of the Hessian.
    """
    if loss.curvature is None:
        return None
    return optimizer.optimal_lr(*loss.curvature)


def optimum(loss: Loss, optimizer: Optimizer) -> Optimum | None:
    """The constant lr and the momentum of the fastest rate on a quadratic loss; None if unknown.

    Of the optimizer's form (plain, Polyak's or Nesterov's momentum), from the least and the
    greatest eigenvalue μ > 0 and L of the Hessian; each optimizer names its formula and its source.
    """
    ends = _definite(loss)
    return None if ends is None else optimizer.optimum(*ends)


@dataclass(frozen=True)
class Rate:
    """How fast a run nears the minimum of a quadratic.

    Attributes:
        per_step: ρ, by which the distance to the minimizer shrinks in a step in the long run; it
            grows where ρ > 1.
        growth: c, how much a double root or a pair of roots can delay that.
    """

    per_step: float
    growth: float

    def bound(self, steps: np.ndarray, start: float) -> np.ndarray:
        """What the suboptimality is at most after steps k (n,), `start` being that at k = 0: (n,).

            f_k − f* ≤ (1 + c k)² ρ²ᵏ (f_0 − f*)

        With p_k as in `Component` and z a root, p_k = zᵏ + (p_1 − z) U_{k−1} with |U_{k−1}| ≤
        k ρᵏ⁻¹, and the nearer root has |p_1 − z|² ≤ |p_1 (p_1 − trace) + determinant|, which is
        largest at L (0 for gradient descent, lr β L for heavy ball, lr β² L for Nesterov's).
        Equality holds for gradient descent and for heavy ball at its best, from the worst start.
        """
        k = np.asarray(steps, dtype=np.float64)
        with np.errstate(over="ignore", under="ignore"):
            return (1 + self.growth * k) ** 2 * self.per_step ** (2 * k) * start


def rate(loss: Loss, optimizer: Optimizer, lr: float) -> Rate | None:
    """The rate with a constant lr on a quadratic loss; None if unknown.

    ρ is the greatest modulus of the roots of z² − trace · z + determinant at μ and at L (Polyak
    1964; Lessard, Recht and Packard 2016): for gradient descent max(|1 − lr μ|, |1 − lr L|). At
    the eigenvalues between it is no greater.
    """
    ends = _definite(loss)
    found = [optimizer.component(lr, end) for end in ends or ()]
    components = [component for component in found if component is not None]
    if not components:
        return None
    rho = max(map(_radius, components))
    excess = max(abs(float(p * (p - t) + d)) for p, t, d in components)
    if rho == 0:
        return Rate(0.0, 0.0) if excess == 0 else None
    return Rate(rho, math.sqrt(excess) / rho)


def _definite(loss: Loss) -> tuple[float, float] | None:
    """Least and greatest eigenvalue of a constant, positive definite Hessian."""
    if loss.curvature is None:
        return None
    least, largest = (float(end) for end in loss.curvature)
    return (least, largest) if least > 0 else None


def _radius(component: Component) -> float:
    """The greatest modulus of the roots of z² − t z + d."""
    _, t, d = map(float, component)
    under = t * t - 4 * d
    return math.sqrt(d) if under < 0 else (abs(t) + math.sqrt(under)) / 2


def sharpness(loss: Loss, x: Tensor) -> float | None:
    """λ_max, the Hessian's greatest eigenvalue at a point (D,), by torch autograd.

    Beyond 1,000 dimensions, where the Hessian is too large to write down, by Lanczos's method to
    1e-4 of it. None where it is not finite or not found so, and beyond 1,000,000 dimensions.
    """
    if len(x) > _LARGEST_HESSIAN:
        return _by_lanczos(loss, x)
    # A batch of one row, as in a run: a column of the loss has one number then. Not torch.func,
    # whose wrapped tensors would stay behind in what a loss caches.
    hessian: Any = torch.autograd.functional.hessian(lambda point: loss(point[None])[0], x)
    if not bool(torch.isfinite(hessian).all()):
        return None
    return float(torch.linalg.eigvalsh(hessian)[-1])


def _by_lanczos(loss: Loss, x: Tensor) -> float | None:
    """λ_max at a point (D,), where 64 vectors like it are not too large."""
    if len(x) > _LARGEST_BASIS:
        return None
    found = lanczos(hessian_products(loss, x[None]), x[None], tolerance=_NEAR)
    value, error = float(found.values), float(found.errors)
    return value if error <= _NEAR * abs(value) else None


def local_stability_limit(loss: Loss, optimizer: Optimizer, x: Tensor) -> float | None:
    """The lr above which steps grow near a point (D,); None where theory does not say."""
    largest = sharpness(loss, x)
    if largest is None or largest <= 0:
        return None
    limit = optimizer.max_stable_lr(largest)
    return None if limit is None else float(limit)


def round_down(value: float) -> float:
    """The greatest number of one significant digit that is at most `value` > 0."""
    digits = f"{value:.0e}"
    rounded = float(digits)
    if rounded <= value:
        return rounded
    mantissa, exponent = digits.split("e")
    lower = f"{int(mantissa) - 1}e{exponent}" if mantissa != "1" else f"9e{int(exponent) - 1}"
    return float(lower)


def predicted_rate(settings: Settings) -> Rate | None:
    """The rate of a run, where a theorem says it: a quadratic, a constant lr, exact gradients."""
    loss = settings.objective
    is_exact = not any_nonzero(settings.noise.scale) and loss.minibatch is None
    if not isinstance(settings.schedule, Constant) or not is_exact or loss.minimum is None:
        return None
    return rate(loss, settings.optimizer, settings.lr)
