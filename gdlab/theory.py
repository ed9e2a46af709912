"""Stability limits and convergence rates from theory."""

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

_MAX_DENSE_DIM, _MAX_LANCZOS_DIM = 1000, 10**6
_TOLERANCE = 1e-4  # relative; the sharpness is reported with three digits


def stability_limit(loss: Loss, optimizer: Optimizer) -> Number | None:
    """Return the constant lr above which an optimizer diverges on a quadratic; None if unknown.

    It follows from the largest eigenvalue L of the constant Hessian: 2/L for gradient descent, more
    with momentum.
    """
    if loss.curvature is None:
        return None
    largest = loss.curvature[1]
    if not isinstance(largest, Tensor) and largest <= 0:
        return None
    return optimizer.max_stable_lr(largest)


def optimal_lr(loss: Loss, optimizer: Optimizer) -> Number | None:
    """Return the constant lr with the fastest rate on a quadratic loss; None if unknown.

    For gradient descent 2/(μ + L), with the smallest and the largest eigenvalue of the Hessian.
    """
    if loss.curvature is None:
        return None
    return optimizer.optimal_lr(*loss.curvature)


def optimum(loss: Loss, optimizer: Optimizer) -> Optimum | None:
    """Return the constant lr and momentum with the fastest rate on a quadratic; None if unknown.

    They depend on the kind of momentum (none, Polyak's or Nesterov's) and on the smallest and the
    largest eigenvalue μ > 0 and L of the Hessian; each optimizer gives its formula and source.
    """
    spectrum = _positive_spectrum(loss)
    return None if spectrum is None else optimizer.optimum(*spectrum)


@dataclass(frozen=True)
class Rate:
    """The convergence rate of a run on a quadratic.

    Attributes:
        per_step: ρ, the asymptotic factor of the distance to the minimizer per step; the run
            diverges if ρ > 1.
        growth: c, how much a double root or a pair of roots can delay convergence.
    """

    per_step: float
    growth: float

    def bound(self, steps: np.ndarray, start: float) -> np.ndarray:
        """Bound the suboptimality after steps k (n,), given the one at k = 0, `start`: (n,).

            f_k − f* ≤ (1 + c k)² ρ²ᵏ (f_0 − f*)

        With p_k as in `Component` and z a root, p_k = zᵏ + (p_1 − z) U_{k−1} with |U_{k−1}| ≤
        k ρᵏ⁻¹, and the closer root has |p_1 − z|² ≤ |p_1 (p_1 − trace) + determinant|, which is
        largest at L (0 for gradient descent, lr β L for heavy ball, lr β² L for Nesterov's).
        Equality holds for gradient descent and optimal heavy ball from the worst start.
        """
        k = np.asarray(steps, dtype=np.float64)
        with np.errstate(over="ignore", under="ignore"):
            return (1 + self.growth * k) ** 2 * self.per_step ** (2 * k) * start


def rate(loss: Loss, optimizer: Optimizer, lr: float) -> Rate | None:
    """Return the rate with a constant lr on a quadratic loss; None if unknown.

    ρ is the largest modulus of the roots of z² − trace · z + determinant at μ and L (Polyak 1964;
    Lessard, Recht and Packard 2016): for gradient descent max(|1 − lr μ|, |1 − lr L|). It is no
    larger at the eigenvalues in between.
    """
    extremes = [optimizer.component(lr, end) for end in _positive_spectrum(loss) or ()]
    components = [component for component in extremes if component is not None]
    if not components:
        return None
    rho = max(map(_spectral_radius, components))
    excess = max(abs(float(p * (p - t) + d)) for p, t, d in components)
    if rho == 0:
        return Rate(0.0, 0.0) if excess == 0 else None
    return Rate(rho, math.sqrt(excess) / rho)


def _positive_spectrum(loss: Loss) -> tuple[float, float] | None:
    """The smallest and the largest eigenvalue of a constant, positive definite Hessian."""
    if loss.curvature is None:
        return None
    least, largest = (float(end) for end in loss.curvature)
    return (least, largest) if least > 0 else None


def _spectral_radius(component: Component) -> float:
    """The largest modulus of the roots of z² − t z + d."""
    _, t, d = map(float, component)
    discriminant = t * t - 4 * d
    return math.sqrt(d) if discriminant < 0 else (abs(t) + math.sqrt(discriminant)) / 2


def sharpness(loss: Loss, x: Tensor) -> float | None:
    """Compute λ_max, the largest eigenvalue of the Hessian at a point (D,), by torch autograd.

    Above 1,000 dimensions the Hessian is not formed: the Lanczos method gives λ_max to a relative
    error of 1e-4. None if it is not finite or does not converge, and above 1,000,000 dimensions.
    """
    if len(x) > _MAX_DENSE_DIM:
        return _lanczos_sharpness(loss, x)
    # A batch of one row, as in a run, since the loss may have columns of one number. torch.func
    # would leave wrapped tensors in the caches of the loss.
    hessian: Any = torch.autograd.functional.hessian(lambda point: loss(point[None])[0], x)
    if not bool(torch.isfinite(hessian).all()):
        return None
    return float(torch.linalg.eigvalsh(hessian)[-1])


def _lanczos_sharpness(loss: Loss, x: Tensor) -> float | None:
    """Compute λ_max at a point (D,), unless a basis of 64 vectors would be too large."""
    if len(x) > _MAX_LANCZOS_DIM:
        return None
    result = lanczos(hessian_products(loss, x[None]), x[None], tolerance=_TOLERANCE)
    value, error = float(result.values), float(result.errors)
    return value if error <= _TOLERANCE * abs(value) else None


def local_stability_limit(loss: Loss, optimizer: Optimizer, x: Tensor) -> float | None:
    """Return the lr above which steps grow near a point (D,); None if theory has no limit."""
    largest = sharpness(loss, x)
    if largest is None or largest <= 0:
        return None
    limit = optimizer.max_stable_lr(largest)
    return None if limit is None else float(limit)


def round_down(value: float) -> float:
    """Round `value` > 0 down to one significant digit."""
    digits = f"{value:.0e}"
    rounded = float(digits)
    if rounded <= value:
        return rounded
    mantissa, exponent = digits.split("e")
    lower = f"{int(mantissa) - 1}e{exponent}" if mantissa != "1" else f"9e{int(exponent) - 1}"
    return float(lower)


def predicted_rate(settings: Settings) -> Rate | None:
    """Return the rate of a run on a quadratic with constant lr and exact gradients, else None."""
    loss = settings.objective
    is_exact = not any_nonzero(settings.noise.scale) and loss.minibatch is None
    if not isinstance(settings.schedule, Constant) or not is_exact or loss.minimum is None:
        return None
    return rate(loss, settings.optimizer, settings.lr)
