"""Optimizers for losses that are sums or means of squares of residuals r, by their Jacobian J.

The steps do not depend on what the squares are multiplied with.

Shapes: R runs, D dimensions, N residuals.
"""

from collections.abc import Set
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.numerics.rowwise import by_rows, dot
from gdlab.optimizers.base import State, zero_column
from gdlab.optimizers.damped_step import DampedStep
from gdlab.optimizers.line_search import Trial, chosen, settled
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class GaussNewton(DampedStep):
    """Gauss-Newton: x ← x − α J⁺ r, Newton's step without the residuals' own curvature.

    J⁺ is the pseudoinverse: of all d that minimise ‖J d + r‖ it gives the shortest; singular
    values below `rcond` of the greatest count as zero. Nocedal and Wright, "Numerical
    optimization", 2006, section 10.3. By `line_search`, α is lr (none: lr=1 is the full step), or
    the first of lr, contraction · lr, … that meets Armijo's condition (armijo); a run whose search
    finds no lower point ends as stalled.

    Attributes:
        line_search: none or armijo.
        c1: armijo: how much of the decrease that the slope promises must be there.
        contraction: armijo: what the step size is multiplied with.
        max_trials: armijo: the search ends after so many points.
        rcond: which singular values count as zero.
    """

    needs: ClassVar[Set[str]] = frozenset({"residuals", "evaluate"})

    rcond: Number = setting(default=1e-12, ge=0, lt=1)

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        return self.along(oracle, x, grad, self._step(*oracle.residuals(x)), lr), state

    def _step(self, r: Tensor, jacobian: Tensor) -> Tensor:
        """−J⁺ r (R, D); NaN where J is not finite."""
        known = jacobian.isfinite().all(2).all(1)[:, None, None]
        u, s, vt = torch.linalg.svd(
            torch.where(known, jacobian, 0.0).contiguous(), full_matrices=False
        )
        is_zero = s <= self.rcond * s.amax(1, keepdim=True)
        shares = torch.where(is_zero, 0.0, (u * r[:, :, None]).sum(1) / s)
        d = -(vt * shares[:, :, None]).sum(1)
        return by_rows(torch.where(known[:, :, 0], d, torch.nan))


class LevenbergMarquardt(OracleOptimizer):
    """Levenberg-Marquardt: x ← x + lr · d, Gauss-Newton's step held back by λ.

        (JᵀJ + λ S²) d = −Jᵀ r

    S holds the greatest norms so far of the columns of J (1 for columns of zeros), so that
    units do not matter (Moré, "The Levenberg-Marquardt algorithm: implementation and theory",
    1978). A step is made if the loss falls by 1e-4 of what the model promises; λ is then multiplied
    with max(1/3, 1 − (2 ρ − 1)³), ρ being the share of the promise that was kept. Otherwise λ is
    multiplied with 2, 4, 8, … and d computed anew (Nielsen, "Damping parameter in Marquardt's
    method", 1999, who begins with λ = damping too). λ does not follow Moré's trust region. lr
    multiplies the step: lr=1 is the full one. A run stalls where no λ helps.

    Attributes:
        damping: the first λ.
        max_trials: so many λ are tried in a step.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"residuals", "evaluate"})

    damping: Number = setting(default=1e-3, gt=0)
    max_trials: int = setting(default=40, ge=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """The first λ, and no norms yet."""
        return {"damping": zero_column(x) + self.damping, "norms": torch.zeros_like(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        r, jacobian = oracle.residuals(x)
        zero = torch.zeros_like(lr)
        here = found = Trial(zero, x, oracle.value, grad, zero)
        known = jacobian.isfinite().all(2).all(1)
        looking = oracle.awake & known[:, None]
        jacobian = torch.where(known[:, None, None], jacobian, 0.0)
        norms = torch.maximum(state["norms"], jacobian.square().sum(1).sqrt())
        scale = torch.where(norms > 0, norms, 1.0)
        damping, factor = state["damping"], torch.full_like(lr, 2.0)
        for _ in range(self.max_trials):
            if not looking.any():
                break
            d, share = _held_back(jacobian, r, damping.sqrt() * scale)
            trial = _trial(oracle, here, lr * d, looking)
            promised = -dot(grad, d) * (lr - 0.5 * lr * lr * share)
            kept = (here.value - trial.value) / promised
            kept = torch.where((promised > 0) & kept.isfinite(), kept, -1.0)
            is_good = kept > 1e-4
            found = chosen(looking & is_good, trial, found)
            eased = damping * (1 - (2 * kept - 1) ** 3).clamp(min=1 / 3)
            damping = torch.where(looking, torch.where(is_good, eased, damping * factor), damping)
            looking, factor = looking & ~is_good, 2 * factor
        oracle.stall(~(found.alpha > 0))
        return settled(oracle, found), {"damping": damping, "norms": norms}


def _trial(oracle: Oracle, here: Trial, step: Tensor, which: Tensor) -> Trial:
    """The points after a step (R, D)."""
    x = here.x + step
    return Trial(torch.ones_like(here.alpha), x, *oracle.evaluate(x, which), here.slope)


def _held_back(jacobian: Tensor, r: Tensor, diagonal: Tensor) -> tuple[Tensor, Tensor]:
    """The d (R, D) that minimise ‖J d + r‖² + ‖diagonal · d‖², by QR, and a share (R, 1).

    The share is that of ‖J d‖² in the sum of ‖J d‖² and ‖diagonal · d‖²: with g a multiple of Jᵀr,
    the loss's quadratic model falls by −gᵀd (t − ½ t² share) along t d.
    """
    whole = torch.cat((jacobian, torch.diag_embed(diagonal)), 1).contiguous()
    q, upper = torch.linalg.qr(whole)
    right = -(q[:, : r.shape[1]] * r[:, :, None]).sum(1)
    d = torch.linalg.solve_triangular(upper, right[:, :, None], upper=True)[:, :, 0]
    bent, held = (jacobian * d[:, None, :]).sum(2), diagonal * d
    bend = dot(bent, bent)
    return by_rows(d), bend / (bend + dot(held, held))
