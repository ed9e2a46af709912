"""What theory says of a constant learning rate on a quadratic loss.

Each claim is a function of a loss and an optimizer that gives None where a premise fails;
`claim.of(settings)` also tests the premises about the run.
"""

import math
from dataclasses import dataclass

import numpy as np

from gdlab.config.settings import Settings
from gdlab.fields.declared import Number
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Component, Optimizer, Optimum
from gdlab.theory.premises import Premise, claim, eigenvalues


@claim(Premise.STEEP, Premise.SEMIDEFINITE)
def stability_limit(loss: Loss, optimizer: Optimizer) -> float | None:
    """Return the lr above which a run diverges from almost every start; None if unknown.

    It follows from the largest eigenvalue L of the Hessian: 2/L for gradient descent, more with
    momentum. Below it, a run converges if all eigenvalues are positive.
    """
    return _as_float(optimizer.max_stable_lr(eigenvalues(loss)[1]))


@claim(Premise.INDEFINITE)
def growth(loss: Loss, optimizer: Optimizer) -> float | None:
    """Return the negative eigenvalue λ along which a run grows at every lr; None if unknown.

    The polynomial of the recurrence tends to infinity with z, and is lr λ at z = 1 (with dampening
    τ lr λ (1 − τ)). With λ < 0 it thus has a root above 1. λ includes coupled weight decay.
    """
    is_linear = optimizer.max_stable_lr(1.0) is not None
    return eigenvalues(loss)[0] + float(optimizer.coupled_decay) if is_linear else None


@claim(Premise.DEFINITE)
def optimal_lr(loss: Loss, optimizer: Optimizer) -> float | None:
    """Return the lr with the fastest rate; None if unknown.

    For gradient descent 2/(μ + L), with the smallest and the largest eigenvalue of the Hessian.
    """
    return _as_float(optimizer.optimal_lr(*eigenvalues(loss)))


@claim(Premise.DEFINITE)
def optimum(loss: Loss, optimizer: Optimizer) -> Optimum | None:
    """Return the lr and the momentum with the fastest rate; None if unknown.

    They depend on the kind of momentum (none, Polyak's or Nesterov's) and on the smallest and the
    largest eigenvalue μ > 0 and L of the Hessian; each optimizer gives its formula and source.
    """
    return optimizer.optimum(*eigenvalues(loss))


@dataclass(frozen=True)
class Rate:
    """The convergence rate of a run on a quadratic.

    Attributes:
        per_step: ρ, the asymptotic factor of the distance to the minimizer per step from almost
            every start; the run diverges from these if ρ > 1.
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
        Equality holds for gradient descent and optimal heavy ball from the worst start. It holds
        from every start, but for rounding.
        """
        k = np.asarray(steps, dtype=np.float64)
        with np.errstate(over="ignore", under="ignore"):
            return (1 + self.growth * k) ** 2 * self.per_step ** (2 * k) * float(start)


@claim(Premise.DEFINITE)
def rate(loss: Loss, optimizer: Optimizer, lr: float) -> Rate | None:
    """Return the rate with a constant lr; None if unknown.

    ρ is the largest modulus of the roots of z² − trace · z + determinant at μ and L (Polyak 1964;
    Lessard, Recht and Packard 2016): for gradient descent max(|1 − lr μ|, |1 − lr L|). It is no
    larger at the eigenvalues in between.
    """
    extremes = [optimizer.component(lr, end) for end in eigenvalues(loss)]
    components = [component for component in extremes if component is not None]
    if not components:
        return None
    rho = max(map(spectral_radius, components))
    excess = max(abs(float(p * (p - t) + d)) for p, t, d in components)
    if rho == 0:
        return Rate(0.0, 0.0) if excess == 0 else None
    return Rate(rho, math.sqrt(excess) / rho)


def predicted_rate(settings: Settings) -> Rate | None:
    """Return the rate of a run whose suboptimality is known; None if theory has none."""
    is_measurable = settings.objective.minimum is not None
    return rate.of(settings, settings.lr) if is_measurable else None


def _as_float(number: Number | None) -> float | None:
    return None if number is None else float(number)


def spectral_radius(component: Component) -> float:
    """Return the largest modulus of the roots of z² − t z + d, the factor per step of many."""
    _, t, d = map(float, component)
    discriminant = t * t - 4 * d
    return math.sqrt(d) if discriminant < 0 else (abs(t) + math.sqrt(discriminant)) / 2
