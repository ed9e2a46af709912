"""Optimizers whose direction has a length of its own: the full step, or backtracking from it.

Shapes: R runs, D dimensions.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.optimizers.line_search import Armijo, Ray, settled
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class DampedStep(OracleOptimizer):
    """x ← x + α d with a direction d of which α = 1 is the full step.

    Attributes:
        line_search: none (α is lr) or armijo.
        c1: armijo: how much of the decrease that the slope promises must be there.
        contraction: armijo: what the step size is multiplied with.
        max_trials: armijo: the search ends after so many points.
    """

    default_lr: ClassVar[float] = 1.0

    line_search: Literal["none", "armijo"] = "none"
    c1: Number = setting(default=1e-4, gt=0, lt=0.5)
    contraction: Number = setting(default=0.5, gt=0, lt=1)
    max_trials: int = setting(default=30, ge=1)

    def along(self, oracle: Oracle, x: Tensor, grad: Tensor, d: Tensor, lr: Tensor) -> Tensor:
        """The next points (R, D) along d; rows whose search finds no lower point stall."""
        if self.line_search == "none":
            return straight(oracle, x, d, lr)
        search = Armijo(self.c1, self.contraction, self.max_trials)
        found = search(Ray.of(oracle, x, grad, d, oracle.awake), lr)
        oracle.stall(~(found.alpha > 0))
        return settled(oracle, found)


def straight(oracle: Oracle, x: Tensor, d: Tensor, lr: Tensor) -> Tensor:
    """The points x + lr · d; rows whose d is not finite stay where they are and stall."""
    goes = d.isfinite().all(1, keepdim=True)
    oracle.stall(~goes)
    return torch.where(goes, x + lr * d, x)
