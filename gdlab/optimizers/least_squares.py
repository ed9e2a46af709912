"""Optimizers for least squares, from the residuals r and their Jacobian J.

The steps do not depend on a constant factor of the sum of squares.

Shapes: R runs, D dimensions, N residuals.
"""

from collections.abc import Set
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout, Loss
from gdlab.numerics.rowwise import by_rows, dot, norm
from gdlab.optimizers.base import State, zero_column
from gdlab.optimizers.line_search import Trial, accept_trial, rounding_of, where
from gdlab.optimizers.line_search_settings import DampedStepSettings
from gdlab.optimizers.oracle import Obstacle, Oracle, OracleOptimizer

_LEAST_DAMPING = 2.0**-750
"""The least λ: zero could not grow, and from here λ · 2 · 4 · 8 … passes 1 within 40 trials."""


class GaussNewton(DampedStepSettings, OracleOptimizer):
    """Gauss-Newton: x ← x − α J⁺ r, Newton's step without the curvature of the residuals.

    J⁺ is the pseudoinverse: of all d that minimize ‖J d + r‖ it gives the shortest; singular
    values below `rcond` times the largest count as zero. Nocedal and Wright, "Numerical
    optimization", 2006, section 10.3. By `line_search`, α is lr (none: lr=1 is the full step), or
    the first of lr, contraction · lr, … that meets Armijo's condition (armijo); a run whose search
    finds no lower point ends as stalled.

    Attributes:
        rcond: cutoff for singular values, relative to the largest.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"residuals", "evaluate"})

    rcond: Number = setting(default=1e-12, ge=0, lt=1)

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return N × D."""
        return _count_residuals(loss), loss.dim

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        d = self._compute_direction(*oracle.residuals(x))
        return self.step_along(oracle, x, grad, d, lr), state

    def _compute_direction(self, r: Tensor, jacobian: Tensor) -> Tensor:
        """Return −J⁺ r (R, D); NaN where J is not finite."""
        is_finite = jacobian.isfinite().all(2).all(1)[:, None, None]
        u, s, vt = torch.linalg.svd(
            torch.where(is_finite, jacobian, 0.0).contiguous(), full_matrices=False
        )
        is_zero = s <= self.rcond * s.amax(1, keepdim=True)
        coefficients = torch.where(is_zero, 0.0, (u * r[:, :, None]).sum(1) / s)
        d = -(vt * coefficients[:, :, None]).sum(1)
        return by_rows(torch.where(is_finite[:, :, 0], d, torch.nan))


class LevenbergMarquardt(OracleOptimizer):
    """Levenberg-Marquardt: x ← x + lr · d, Gauss-Newton's step damped by λ.

        (JᵀJ + λ S²) d = −Jᵀ r

    S holds the largest norms so far of the columns of J (1 for columns of zeros), so that
    units do not matter (Moré, "The Levenberg-Marquardt algorithm: implementation and theory",
    1978). A step is accepted if the loss falls by at least 1e-4 of the decrease that the model
    predicts; λ is then multiplied by max(1/3, 1 − (2 ρ − 1)³), with ρ the ratio of actual to
    predicted decrease. Otherwise λ is multiplied by 2, 4, 8, … and d is recomputed (Nielsen,
    "Damping parameter in Marquardt's method", 1999, who starts with λ = damping too). λ stays
    above 2⁻⁷⁵⁰ (2⁻¹²⁶ in float32), so that it can grow again after any number of good steps. It
    does not follow Moré's trust region. lr multiplies the step: lr=1 is the full one. A run stalls
    if no λ helps.

    Attributes:
        damping: the initial λ.
        max_trials: maximum number of λ tried in a step.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"residuals", "evaluate"})

    damping: Number = setting(default=1e-3, gt=0)
    max_trials: int = setting(default=40, ge=1)

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return (N + D) × D: J with a diagonal matrix below."""
        return _count_residuals(loss) + loss.dim, loss.dim

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the initial λ, and zeros for the norms."""
        return {"damping": zero_column(x) + self.damping, "norms": torch.zeros_like(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        r, jacobian = oracle.residuals(x)
        zero = torch.zeros_like(lr)
        here = accepted = trial = Trial(zero, x, oracle.value, grad, zero)
        is_finite = jacobian.isfinite().all(2).all(1)
        active = oracle.awake & is_finite[:, None]
        jacobian = torch.where(is_finite[:, None, None], jacobian, 0.0)
        norms = torch.maximum(state["norms"], norm(jacobian)[:, 0])
        scale = torch.where(norms > 0, norms, 1.0)
        damping = state["damping"].clamp(min=max(_LEAST_DAMPING, torch.finfo(lr.dtype).tiny))
        factor = torch.full_like(lr, 2.0)
        for _ in range(self.max_trials):
            if not active.any():
                break
            d, share = _solve_damped(jacobian, r, damping.sqrt() * scale)
            trial = _evaluate_step(oracle, here, lr * d, active)
            predicted = -dot(grad, d) * (lr - 0.5 * lr * lr * share)
            ratio = (here.value - trial.value) / predicted
            ratio = torch.where((predicted > 0) & ratio.isfinite(), ratio, -1.0)
            is_good = ratio > 1e-4
            accepted = where(active & is_good, trial, accepted)
            eased = damping * (1 - (2 * ratio - 1) ** 3).clamp(min=1 / 3)
            damping = torch.where(active, torch.where(is_good, eased, damping * factor), damping)
            active, factor = active & ~is_good, 2 * factor
        is_spent = active & ((trial.value - here.value).abs() > rounding_of(here.value))
        oracle.obstacle = is_spent * Obstacle.OUT_OF_TRIALS
        oracle.stall(~(accepted.alpha > 0))
        return accept_trial(oracle, accepted), {"damping": damping, "norms": norms}


def _count_residuals(loss: Loss) -> int:
    """Return N; 0 for a loss that has no residuals, which is refused."""
    r = loss.residuals(torch.atleast_2d(loss.tensor(loss.start)))
    return 0 if r is None else r.shape[-1]


def _evaluate_step(oracle: Oracle, here: Trial, step: Tensor, which: Tensor) -> Trial:
    """Return the trial after a step (R, D)."""
    x = here.x + step
    return Trial(torch.ones_like(here.alpha), x, *oracle.evaluate(x, which), here.slope)


def _solve_damped(jacobian: Tensor, r: Tensor, diagonal: Tensor) -> tuple[Tensor, Tensor]:
    """Minimize ‖J d + r‖² + ‖diagonal · d‖² by QR; return d (R, D) and a share (R, 1).

    The share is that of ‖J d‖² in the sum of ‖J d‖² and ‖diagonal · d‖²: with g a multiple of Jᵀr,
    the loss's quadratic model falls by −gᵀd (t − ½ t² share) along t d.
    """
    stacked = torch.cat((jacobian, torch.diag_embed(diagonal)), 1).contiguous()
    q, upper = torch.linalg.qr(stacked)
    right = -(q[:, : r.shape[1]] * r[:, :, None]).sum(1)
    d = torch.linalg.solve_triangular(upper, right[:, :, None], upper=True)[:, :, 0]
    model, penalty = (jacobian * d[:, None, :]).sum(2), diagonal * d
    squares = dot(model, model)
    return by_rows(d), squares / (squares + dot(penalty, penalty))
