"""Optimizers that search along a direction, and the plainest of them: along −g.

Shapes: R runs, D dimensions.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import norm
from gdlab.optimizers.base import State
from gdlab.optimizers.line_search import (
    Armijo,
    Exact,
    Ray,
    Search,
    StrongWolfe,
    Trial,
    chosen,
    settled,
)
from gdlab.optimizers.oracle import Oracle, OracleOptimizer, is_quadratic


class LineSearchOptimizer(OracleOptimizer):
    """An optimizer that searches along a direction.

    Where there is no better point along the direction, or it does not lead downhill, −g is searched
    instead; where there is none there either, the run ends as stalled.

    Attributes:
        line_search: wolfe (the strong Wolfe conditions), armijo (backtracking) or exact (on
            quadratics).
        c1: how much of the decrease that the slope promises must be there.
        c2: wolfe: how much of the slope may be left.
        contraction: armijo: what the step size is multiplied with.
        max_trials: a search ends after so many points.
    """

    default_lr: ClassVar[float] = 1.0

    line_search: Literal["wolfe", "armijo", "exact"] = "wolfe"
    c1: Number = setting(default=1e-4, gt=0, lt=0.5)
    c2: Number = setting(default=0.9, gt=0, lt=1)
    contraction: Number = setting(default=0.5, gt=0, lt=1)
    max_trials: int = setting(default=30, ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        is_one = not (isinstance(self.c1, Tensor) or isinstance(self.c2, Tensor))
        if is_one and self.line_search == "wolfe" and self.c1 >= self.c2:
            raise SettingError(f"c2={format_value(self.c2)}: must be > c1={format_value(self.c1)}")

    def check(self, loss: Loss, noise: Tensor) -> None:
        """An exact search needs a quadratic, too."""
        super().check(loss, noise)
        if self.line_search == "exact" and not is_quadratic(loss, len(noise)):
            what = f"must be wolfe or armijo: loss={type(loss).__name__} is not quadratic"
            raise SettingError(f"optimizer.line_search=exact: {what}")

    def search(self) -> Search:
        """The search, by name."""
        if self.line_search == "exact":
            return Exact()
        if self.line_search == "armijo":
            return Armijo(self.c1, self.contraction, self.max_trials)
        return StrongWolfe(self.c1, self.c2, self.max_trials)

    def along(self, ray: Ray, alpha: Tensor, lr: Tensor) -> tuple[Trial, Tensor]:
        """The points found along a ray from first trials α (R, 1), or along −g, and which way.

        Along −g the first trial is a step of length `lr`. Rows with neither stall.
        """
        search, d, oracle, grad = self.search(), ray.d, ray.oracle, ray.origin.grad
        found = search(ray, alpha)
        failed = oracle.awake & ~(found.alpha > 0)
        if failed.any():
            downhill = Ray.of(oracle, ray.origin.x, grad, -grad, failed)
            found = chosen(failed, search(downhill, unit_step(grad, lr)), found)
            d = torch.where(failed, -grad, d)
            oracle.stall(failed & ~(found.alpha > 0))
        return found, d


def unit_step(grad: Tensor, lr: Tensor) -> Tensor:
    """The step sizes (R, 1) that make steps along −g of length `lr`."""
    length = norm(grad)
    return torch.where(length > 0, lr / length, lr)


class LineSearchDescent(LineSearchOptimizer):
    """Gradient descent whose step sizes are searched anew at every step: x ← x − α g.

    `armijo` backtracks from α = lr (Armijo 1966); `wolfe` meets the strong Wolfe conditions,
    starting from lr too (Nocedal and Wright 2006, algorithm 3.5); `exact` is the minimizer along −g
    of a quadratic loss, α = gᵀg / gᵀHg (Cauchy 1847), with lr where gᵀHg is not positive. A run
    whose search finds no lower point ends as stalled. The optimizers armijo, wolfe and exact are
    presets.

    Attributes:
        line_search: wolfe, armijo or exact.
        c1: how much of the decrease that the slope promises must be there.
        c2: wolfe: how much of the slope may be left.
        contraction: armijo: what the step size is multiplied with.
        max_trials: a search ends after so many points.
    """

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        found = self.search()(Ray.of(oracle, x, grad, -grad, oracle.awake), lr)
        oracle.stall(~(found.alpha > 0))
        return settled(oracle, found), state
