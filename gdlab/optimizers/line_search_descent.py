"""Gradient descent with a line search.

Shapes: R runs, D dimensions.
"""

from typing import ClassVar

from torch import Tensor

from gdlab.optimizers.base import State
from gdlab.optimizers.line_search import Ray, accept_trial
from gdlab.optimizers.line_search_settings import LineSearchSettings
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class LineSearchDescent(LineSearchSettings, OracleOptimizer):
    """Gradient descent with a line search for α at every step: x ← x − α g.

    `armijo` backtracks from α = lr (Armijo 1966); `wolfe` meets the strong Wolfe conditions,
    starting from lr too (Nocedal and Wright 2006, algorithm 3.5); `exact` is the minimizer along −g
    of a quadratic loss, α = gᵀg / gᵀHg (Cauchy 1847), or lr where gᵀHg is not positive. A loss is
    quadratic if its operations make it a polynomial of degree 2 at most, or if it says so
    (`is_quadratic`); others are refused. A run whose search finds no lower point ends as stalled.
    The optimizers armijo, wolfe and exact are presets.
    """

    default_lr: ClassVar[float] = 1.0

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        ray = Ray.of(oracle, x, grad, -grad, oracle.awake)
        trial = self.search()(ray, lr * ray.unit)
        oracle.stall(~(trial.alpha > 0))
        return accept_trial(oracle, trial), state
