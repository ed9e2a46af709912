"""Nonlinear conjugate gradients.

Shapes: R runs, D dimensions.
"""

from typing import Literal

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Layout
from gdlab.numerics.rowwise import dot
from gdlab.optimizers.base import State, zero_column
from gdlab.optimizers.line_search import Ray, settled
from gdlab.optimizers.line_search_descent import LineSearchOptimizer, unit_step
from gdlab.optimizers.oracle import Oracle


class ConjugateGradient(LineSearchOptimizer):
    """Nonlinear conjugate gradients: d ← −g + β d, x ← x + α d with α by a line search.

    With g₋ and d₋ of the step before, and y = g − g₋,

        β = gᵀg / g₋ᵀg₋            fr (Fletcher and Reeves 1964)
        β = max(0, gᵀy / g₋ᵀg₋)    pr+ (Polak and Ribière 1969; Gilbert and Nocedal 1992)
        β = gᵀy / d₋ᵀy             hs (Hestenes and Stiefel 1952)

    Nocedal and Wright, "Numerical optimization", 2006, section 5.2. lr is the length of the first
    trial step; later α gᵀd is what it was in the last step (their section 3.5).
    Where d does not lead downhill, or no better point lies along it, d = −g. On quadratics with
    `line_search=exact` at most D steps are needed.

    Attributes:
        beta: fr, pr+ or hs.
        line_search: wolfe (the strong Wolfe conditions), armijo (backtracking) or exact (on
            quadratics).
        c1: how much of the decrease that the slope promises must be there.
        c2: wolfe: how much of the slope may be left; under ½ for fr to go downhill.
        contraction: armijo: what the step size is multiplied with.
        max_trials: a search ends after so many points.
    """

    beta: Literal["fr", "pr+", "hs"] = "pr+"
    c2: Number = setting(default=0.1, gt=0, lt=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """No direction yet."""
        vectors = {"grad": torch.zeros_like(x), "d": torch.zeros_like(x)}
        return {**vectors, "promise": zero_column(x)}

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        beta = self._beta(grad, state)
        d = torch.where(beta.isfinite(), beta, 0.0) * state["d"] - grad
        d = torch.where(dot(d, grad) < 0, d, -grad)
        alpha = state["promise"] / dot(d, grad)
        alpha = torch.where((alpha > 0) & alpha.isfinite(), alpha, unit_step(grad, lr))
        found, d = self.along(Ray.of(oracle, x, grad, d, oracle.awake), alpha, lr)
        promise = found.alpha * dot(grad, d)
        return settled(oracle, found), {"grad": grad, "d": d, "promise": promise}

    def _beta(self, grad: Tensor, state: State) -> Tensor:
        """By name (R, 1); not finite before the first step."""
        before = state["grad"]
        if self.beta == "fr":
            return dot(grad, grad) / dot(before, before)
        y = grad - before
        if self.beta == "hs":
            return dot(grad, y) / dot(state["d"], y)
        return (dot(grad, y) / dot(before, before)).clamp(min=0)
