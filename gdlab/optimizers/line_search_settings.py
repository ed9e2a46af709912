"""Settings of line searches, declared once for all optimizers that have one.

Shapes: R runs, D dimensions.
"""

from typing import Literal

from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Number, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.optimizers.line_search import Ray, Search, accept_trial, full_step
from gdlab.optimizers.oracle import Oracle, is_quadratic
from gdlab.optimizers.searches import Armijo, Exact, StrongWolfe


class BacktrackingSettings(Configured):
    """The settings that all line searches share.

    Attributes:
        line_search: the kind of search.
        c1: sufficient decrease: the loss must fall by at least c1 · α · |slope|.
        contraction: armijo: factor by which the step size shrinks after each failed trial.
        max_trials: maximum number of trial points in a search.
    """

    line_search: str = "armijo"
    c1: Number = setting(default=1e-4, gt=0, lt=0.5)
    contraction: Number = setting(default=0.5, gt=0, lt=1)
    max_trials: int = setting(default=30, ge=1)

    def _armijo(self) -> Armijo:
        return Armijo(self.c1, self.contraction, self.max_trials)


class DampedStepSettings(BacktrackingSettings):
    """The settings of an optimizer whose direction d comes with a natural step size α = 1.

    Attributes:
        line_search: none (α = lr) or armijo (backtracking from α = lr).
    """

    line_search: Literal["none", "armijo"] = "none"

    def step_along(self, oracle: Oracle, x: Tensor, grad: Tensor, d: Tensor, lr: Tensor) -> Tensor:
        """Return the next points (R, D) along d; rows whose search finds no lower point stall."""
        if self.line_search == "none":
            return full_step(oracle, x, d, lr)
        ray = Ray.of(oracle, x, grad, d, oracle.awake)
        trial = self._armijo()(ray, lr * ray.unit)
        oracle.stall(~(trial.alpha > 0))
        return accept_trial(oracle, trial)


class LineSearchSettings(BacktrackingSettings):
    """The settings of an optimizer that searches along a direction of arbitrary length.

    Attributes:
        line_search: wolfe (strong Wolfe conditions), armijo (backtracking) or exact (quadratics
            only).
        c2: wolfe: curvature condition: |slope| must shrink to at most c2 times its value at α = 0.
    """

    line_search: Literal["wolfe", "armijo", "exact"] = "wolfe"
    c2: Number = setting(default=0.9, gt=0, lt=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        is_scalar = not (isinstance(self.c1, Tensor) or isinstance(self.c2, Tensor))
        if is_scalar and self.line_search == "wolfe" and self.c1 >= self.c2:
            raise SettingError(f"c2={format_value(self.c2)}: must be > c1={format_value(self.c1)}")

    def check_loss(self, loss: Loss, runs: int) -> None:
        """Refuse an exact search on a loss that is not known to be quadratic.

        Raises:
            SettingError: neither the loss nor its operations say that it is quadratic.
        """
        if self.line_search == "exact" and not is_quadratic(loss, runs):
            name = type(loss).__name__
            what = f"must be wolfe or armijo: loss={name} is not known to be quadratic"
            raise SettingError(f"optimizer.line_search=exact: {what}")

    def search(self) -> Search:
        """Return the search with these settings, made anew because columns change with the rows."""
        if self.line_search == "exact":
            return Exact()
        if self.line_search == "armijo":
            return self._armijo()
        return StrongWolfe(self.c1, self.c2, self.max_trials)
