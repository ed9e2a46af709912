"""Linear regression: the cost of a prediction depends on its distance from the target.

Shapes: N examples.
"""

from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import per_point
from gdlab.losses.datasets.tables import Data
from gdlab.losses.models.costs import AbsoluteWeights, HuberCost, SquaredError, SquaredWeights
from gdlab.losses.models.linear import LinearModel


class MSE(LinearModel):
    """mean((A w − y)²): linear regression by the mean squared error.

    The Hessian 2 AᵀA / n is constant, so the solution and the curvature are known, up to rounding
    that the condition number of A magnifies.
    """

    @property
    def cost(self) -> SquaredError:
        """The squared residual."""
        return SquaredError()

    def residuals(self, x: Tensor) -> Tensor:
        """Return A w − y: (..., N)."""
        return self.scores(x, self.inputs) - self.targets


class Ridge(LinearModel):
    """mean((A w − y)²) + penalty · ‖weights‖² (Hoerl and Kennard 1970).

    The intercept is not penalized. scikit-learn's `alpha` is n · penalty; under sgd without an
    intercept, mse with `optimizer.weight_decay` = 2 · penalty takes the same steps.

    Attributes:
        penalty: the factor of the squared weights.
    """

    data: Data = "diabetes"
    standardize: bool = True
    penalty: Number = setting(default=0.1, ge=0)

    @property
    def cost(self) -> SquaredError:
        """The squared residual."""
        return SquaredError()

    @property
    def penalty_term(self) -> SquaredWeights:
        """The multiple of the squared weights."""
        return SquaredWeights(self.penalty)


class Lasso(LinearModel):
    """mean((A w − y)²) + penalty · Σ|weight| (Tibshirani 1996).

    A subgradient is used: the penalty's is 0 at a weight of 0. The intercept is not penalized.
    scikit-learn's `alpha` is penalty / 2. Where the minimum has weights of 0 the gradient does not
    tend to 0, so a run does not end as converged.

    Attributes:
        penalty: the factor of the sum of absolute weights.
    """

    data: Data = "diabetes"
    standardize: bool = True
    penalty: Number = setting(default=1.0, ge=0)

    @property
    def cost(self) -> SquaredError:
        """The squared residual."""
        return SquaredError()

    @property
    def penalty_term(self) -> AbsoluteWeights:
        """The multiple of the absolute weights."""
        return AbsoluteWeights(self.penalty)


class Huber(LinearModel):
    """mean(h(A w − y)) with h(r) = ½ r² for |r| ≤ δ and δ (|r| − ½ δ) beyond (Huber 1964).

    The pull of an outlier is at most δ.

    Attributes:
        delta: the residual at which the cost turns from quadratic to linear.
    """

    data: Data = "stackloss"
    standardize: bool = True
    delta: Number = setting(default=1.0, gt=0)

    @property
    def cost(self) -> HuberCost:
        """The function h of the residual."""
        return HuberCost(self.tensor(per_point(self.delta)))
