"""Linear models: a cost of each example's score A w, and a penalty on the weights.

Shapes: R runs, D parameters, N examples, P inputs of a model, B examples of a minibatch.
"""

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import per_point
from gdlab.losses.datasets.features import prepare_examples
from gdlab.losses.datasets.labels import count_classes
from gdlab.losses.datasets.tables import Examples
from gdlab.losses.models.costs import ClassificationCost, Penalty
from gdlab.losses.models.data_loss import DataLoss
from gdlab.losses.models.least_squares import LeastSquares, PenalizedLeastSquares

_INTERCEPT = "intercept"
_MOST_SOLVED = 2048
"""With more parameters than this, direct solutions would take longer than most runs."""


class LinearModel(DataLoss):
    """A loss whose scores are A w: the features times weights, plus an intercept.

    A, the inputs, has a last column of ones for the intercept.

    The parameters are the weights in the order of the features, then the intercept. They start at
    zero. The intercept is never penalized, so that adding a constant to the target does not change
    the weights.

    A subclass says what it is made of: its `cost` and its `penalty_term`. Where both are quadratic
    the Hessian is constant. With at most 2,048 parameters, the minimizer, the minimum and the
    curvature are then known from a QR factorization, up to rounding that the condition number of A
    magnifies.

    Attributes:
        degree: features are all products of at most this many columns (1: the columns themselves);
            `standardize` scales these products.
        intercept: whether a constant is added to the features.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *DataLoss.kept_when_columns_change,
        "classes",
        "_least_squares",
    )

    degree: int = setting(default=1, ge=1, le=100)
    intercept: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.classes  # refuse unusable labels here

    @property
    def penalty_term(self) -> Penalty | None:
        """The penalty on the weights; None for none."""
        return None

    def penalty_at(self, x: Tensor) -> Tensor | float:
        """Return the penalty on the weights of x (..., D): (...)."""
        return 0.0 if self.penalty_term is None else self.penalty_term(self.weights(x))

    @cached_property
    def _examples(self) -> Examples:
        return prepare_examples(
            self.data,
            self.target,
            self.features,
            standardize=self.standardize,
            degree=self.degree,
            intercept=self.intercept,
            split=self._split,
            task=self._task,
        )

    @cached_property
    def classes(self) -> int | None:
        """The number of classes C; None where the targets are numbers."""
        if not isinstance(self.cost, ClassificationCost):
            return None
        return count_classes(self._examples.all_targets, self.data)

    @property
    def _task(self) -> str:
        """The task that the cost is for."""
        return "classification" if isinstance(self.cost, ClassificationCost) else "regression"

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Return A w: (..., N)."""
        return x @ inputs.T if inputs.ndim == 2 else torch.einsum("rbp,rp->rb", inputs, x)

    def weights(self, x: Tensor) -> Tensor:
        """Return the parameters without the intercept."""
        return x[..., :-1] if self.intercept else x

    @property
    def names(self) -> tuple[str, ...]:
        """The features, then the intercept."""
        names = self._examples.names
        ones = f"({_INTERCEPT})" if _INTERCEPT in names else _INTERCEPT
        return (*names, ones) if self.intercept else names

    @property
    def dim(self) -> int:
        """One weight per feature, and the intercept."""
        return len(self.names)

    @property
    def start(self) -> Tensor:
        """All parameters zero."""
        return self.tensor(torch.zeros(self.dim))

    # What is known where cost and penalty are quadratic.

    @property
    def _ridge(self) -> Number | None:
        """The factor of the squared weights; None where the loss is not quadratic."""
        penalty = self.penalty_term
        if not self.cost.is_quadratic or not (penalty is None or penalty.is_quadratic):
            return None
        return 0.0 if penalty is None else penalty.strength

    @cached_property
    def _least_squares(self) -> LeastSquares:
        return LeastSquares.factorize(self.inputs.double().cpu(), self.targets.double().cpu())

    @property
    def _penalized(self) -> PenalizedLeastSquares | None:
        """The least-squares problem with its penalty, for one factor or a column of them.

        None where the loss is not quadratic, has too many parameters or data that are too large.
        """
        if self._ridge is None or self.dim > _MOST_SOLVED:
            return None
        if not self._least_squares.is_finite:
            return None
        ridge = torch.as_tensor(self._ridge, dtype=torch.float64, device="cpu")
        is_weight = torch.ones(self.dim, dtype=torch.float64)
        is_weight[self.dim - int(self.intercept) :] = 0
        return self._least_squares.penalize(self.examples * ridge[..., None] * is_weight)

    @cached_property
    def solution(self) -> Tensor | None:
        """The unique minimizer (D,) or (R, D) of a quadratic loss, by QR; None if there is none."""
        penalized = self._penalized
        if penalized is None or not penalized.is_unique:
            return None
        return self.tensor(penalized.solution)

    @property
    def minimizers(self) -> Tensor | None:
        """The solution."""
        return None if self.solution is None else self.solution[..., None, :]

    @cached_property
    def minimum(self) -> Number | None:  # type: ignore[override]  # cached: it is read often
        """The loss at the solution."""
        return None if self.solution is None else _number(self(self.solution))

    @cached_property
    def curvature(self) -> tuple[Number, Number] | None:  # type: ignore[override]
        """The least and the greatest eigenvalue of a constant Hessian, 2 (AᵀA / n + penalty)."""
        penalized = self._penalized
        if penalized is None:
            return None
        least, greatest = penalized.eigenvalues
        if not bool(greatest.isfinite().all()):
            return None
        scale = 2.0 / self.examples
        return _number(self.tensor(scale * least)), _number(self.tensor(scale * greatest))

    def _penalty_hessian(self, strength: Number) -> Tensor:
        """Return the Hessian of strength · ‖weights‖²: (D, D), or (R, D, D) for a column."""
        diagonal = self.tensor(torch.zeros(self.dim))
        diagonal[self.weights(torch.arange(self.dim))] = 2.0
        return torch.diag_embed(per_point(self.tensor(strength)) * diagonal)


def _number(value: Tensor) -> Number:
    """Return a column as it is, a single number as a float."""
    return value if value.ndim else float(value)
