"""Linear regression: what a prediction costs is a function of its distance from the target.

Shapes: R runs, D parameters, N examples.
"""

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import per_point
from gdlab.losses.models.data_loss import LinearModel
from gdlab.losses.models.least_squares import LeastSquares, Penalised

_MOST_SOLVED = 2048
"""Beyond so many parameters, exact answers would take longer than most runs."""


class Squares(LinearModel):
    """mean((A w − y)²) + p ‖weights‖²: what has an exact solution and a constant Hessian.

    They are computed for up to 2,048 parameters. Subclasses say p, `ridge`.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *LinearModel.kept_when_columns_change,
        "_least_squares",
    )

    @property
    def ridge(self) -> Number:
        """What the squared weights are multiplied with."""
        return 0.0

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The squared residuals."""
        return (scores - targets).square()

    @cached_property
    def _least_squares(self) -> LeastSquares:
        return LeastSquares.of(self.inputs.double().cpu(), self.targets.double().cpu())

    @property
    def _penalised(self) -> Penalised:
        """With the penalty on the diagonal of AᵀA: (D,), or (R, D) where it is a column."""
        ridge = torch.as_tensor(self.ridge, dtype=torch.float64, device="cpu")
        is_weight = torch.ones(self.dim, dtype=torch.float64)
        is_weight[self.dim - int(self.intercept) :] = 0
        return self._least_squares.penalised(self.examples * ridge[..., None] * is_weight)

    @cached_property
    def solution(self) -> Tensor | None:
        """The minimizer (D,) or (R, D), by QR; None where A has not full column rank."""
        if self.dim > _MOST_SOLVED or not self._penalised.is_unique:
            return None
        return self.tensor(self._penalised.solution)

    @property
    def minimizers(self) -> Tensor | None:
        """The solution."""
        return None if self.solution is None else self.solution[..., None, :]

    @cached_property
    def minimum(self) -> Number | None:  # type: ignore[override]  # cached: it is asked for often
        """The loss of the solution."""
        return None if self.solution is None else _plain(self(self.solution))

    @cached_property
    def curvature(self) -> tuple[Number, Number] | None:  # type: ignore[override]
        """The least and the greatest eigenvalue of the Hessian, 2 (AᵀA / n + p)."""
        if self.dim > _MOST_SOLVED:
            return None
        least, greatest = self._penalised.eigenvalues
        scale = 2.0 / self.examples
        return _plain(self.tensor(scale * least)), _plain(self.tensor(scale * greatest))


def _plain(value: Tensor) -> Number:
    """A column as it is, a single number as a float."""
    return value if value.ndim else float(value)


class MSE(Squares):
    """mean((A w − y)²): linear regression by the mean squared error.

    The Hessian 2 AᵀA / n is constant, so the solution and the curvature are known exactly.
    """

    def residuals(self, x: Tensor) -> Tensor:
        """A w − y: (..., N)."""
        return self.scores(x, self.inputs) - self.targets


class Ridge(Squares):
    """mean((A w − y)²) + penalty · ‖weights‖² (Hoerl and Kennard 1970).

    The intercept is free. scikit-learn's `alpha` is n · penalty; under sgd without an intercept,
    mse with `optimizer.weight_decay` = 2 · penalty takes the same steps.

    Attributes:
        penalty: what the squared weights are multiplied with.
    """

    data: str = "diabetes"
    standardize: bool = True
    penalty: Number = setting(default=0.1, ge=0)

    @property
    def ridge(self) -> Number:
        """`penalty`."""
        return self.penalty

    def penalty_at(self, x: Tensor) -> Tensor:
        """The multiple of the squared weights."""
        return self.penalty * self.weights(x).square().sum(-1)


class Lasso(LinearModel):
    """mean((A w − y)²) + penalty · Σ|weight| (Tibshirani 1996).

    A subgradient is used: the penalty's is 0 for a weight of 0. The intercept is free.
    scikit-learn's `alpha` is penalty / 2. Where the minimum has weights of 0 the gradient does not
    tend to 0, so that a run does not end as converged.

    Attributes:
        penalty: what the sum of the weights' absolute values is multiplied with.
    """

    data: str = "diabetes"
    standardize: bool = True
    penalty: Number = setting(default=1.0, ge=0)

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The squared residuals."""
        return (scores - targets).square()

    def penalty_at(self, x: Tensor) -> Tensor:
        """The multiple of the weights' absolute values."""
        return self.penalty * self.weights(x).abs().sum(-1)


class Huber(LinearModel):
    """mean(h(A w − y)) with h(r) = ½ r² for |r| ≤ δ and δ (|r| − ½ δ) beyond (Huber 1964).

    Outliers pull with the force δ at most.

    Attributes:
        delta: where squares turn into absolute values.
    """

    data: str = "stackloss"
    standardize: bool = True
    delta: Number = setting(default=1.0, gt=0)

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The function h of the residuals: m (|r| − ½ m) with m = min(|r|, δ)."""
        away = (scores - targets).abs()
        near = away.minimum(self.tensor(per_point(self.delta)))
        return near * (away - 0.5 * near)
