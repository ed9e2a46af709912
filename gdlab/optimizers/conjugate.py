"""Nonlinear conjugate gradients.

Shapes: R runs, D dimensions.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.numerics.rowwise import dot, normalize, quotient
from gdlab.optimizers.base import State, zero_column
from gdlab.optimizers.line_search import Ray, accept_trial, search_or_descend
from gdlab.optimizers.line_search_settings import LineSearchSettings
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class ConjugateGradient(LineSearchSettings, OracleOptimizer):
    """Nonlinear conjugate gradients: d ← −g + β d, x ← x + α d with α by a line search.

    With g₋ and d₋ from the previous step, and y = g − g₋,

        β = gᵀg / g₋ᵀg₋            fr (Fletcher and Reeves 1964)
        β = max(0, gᵀy / g₋ᵀg₋)    pr+ (Polak and Ribière 1969; Gilbert and Nocedal 1992)
        β = gᵀy / d₋ᵀy             hs (Hestenes and Stiefel 1952)

    Nocedal and Wright, "Numerical optimization", 2006, section 5.2. lr is the length of the first
    trial step; later, α gᵀd of the first trial equals that of the last step (their section 3.5).
    Where d is not a descent direction, or the search along it fails, d = −g; where that fails too,
    the run ends as stalled. On quadratics in exact arithmetic, `line_search=exact` needs at most D
    steps; rounding adds some where the condition number is large.

    Attributes:
        c2: wolfe: curvature condition: |slope| must shrink to at most c2 times its value at α = 0;
            fr needs c2 < ½ for descent directions.
        beta: fr, pr+ or hs.
    """

    default_lr: ClassVar[float] = 1.0

    beta: Literal["fr", "pr+", "hs"] = "pr+"
    c2: Number = setting(default=0.1, gt=0, lt=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the state without a direction."""
        vectors = {"grad": torch.zeros_like(x), "d": torch.zeros_like(x)}
        return {**vectors, "promise": zero_column(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        beta = self._compute_beta(grad, state)
        d = torch.where(beta.isfinite(), beta, 0.0) * state["d"] - grad
        d = torch.where(dot(normalize(d)[0], grad) < 0, d, -grad)
        ray = Ray.of(oracle, x, grad, d, oracle.awake)
        alpha = state["promise"] / ray.origin.slope
        alpha = torch.where((alpha > 0) & alpha.isfinite(), alpha, ray.unit_step(lr))
        trial, ray = search_or_descend(self.search(), ray, alpha, lr)
        new = {"grad": grad, "d": ray.d * ray.unit, "promise": trial.alpha * ray.origin.slope}
        return accept_trial(oracle, trial), new

    def _compute_beta(self, grad: Tensor, state: State) -> Tensor:
        """Return β (R, 1); not finite before the first step."""
        before = state["grad"]
        if self.beta == "fr":
            return quotient(grad, grad, before, before)
        y = grad - before
        if self.beta == "hs":
            return quotient(grad, y, state["d"], y)
        return quotient(grad, y, before, before).clamp(min=0)
