"""Regression on data: losses that are means over examples.

Shapes: R runs, D parameters, N examples, P features, B examples of a minibatch.
"""

from functools import cached_property

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields import setting
from gdlab.losses.base import Loss
from gdlab.losses.data import Examples, read_examples


class MSE(Loss):
    """mean((A w − y)²): linear regression by the mean squared error.

    The parameters are the weights in the order of the features, then the intercept. The Hessian
    2 AᵀA / n is constant, so the solution and the curvature are known exactly.

    Attributes:
        data: a named data set (line3, diabetes), or a CSV or Parquet file with a header.
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        standardize: scale each feature to mean 0 and (population) standard deviation 1.
        intercept: whether a constant is added to the features.
        batch_size: examples of a minibatch, drawn without replacement each epoch; None for all.
    """

    data: str = "line3"
    target: str | None = None
    features: tuple[str, ...] | None = None
    standardize: bool = False
    intercept: bool = True
    batch_size: int | None = setting(default=None, ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        n = len(self._examples.targets)
        if self.batch_size is not None and self.batch_size > n:
            raise SettingError(f"batch_size={self.batch_size}: must be at most {n}, the examples")

    @cached_property
    def _examples(self) -> Examples:
        examples = read_examples(self.data, self.target, self.features)
        if not self.standardize:
            return examples
        for name, values in zip(examples.names, examples.features.T, strict=True):
            if (values == values[0]).all():
                raise SettingError(
                    f"standardize=true: the column {name} of {self.data} is constant"
                )
        spread = examples.features.std(axis=0)
        scaled = (examples.features - examples.features.mean(axis=0)) / spread
        return Examples(scaled, examples.targets, examples.names)

    @cached_property
    def design(self) -> Tensor:
        """The matrix A: (N, D), with a last column of ones for the intercept."""
        features = self.tensor(self._examples.features)
        ones = torch.ones_like(features[:, :1])
        return torch.cat((features, ones), 1) if self.intercept else features

    @cached_property
    def targets(self) -> Tensor:
        """The vector y: (N,)."""
        return self.tensor(self._examples.targets)

    @property
    def names(self) -> tuple[str, ...]:
        """The features, then the intercept."""
        return self._examples.names + (("intercept",) if self.intercept else ())

    @property
    def dim(self) -> int:
        """One weight a feature, and the intercept."""
        return len(self.names)

    def residuals(self, x: Tensor) -> Tensor:
        """A w − y: (..., N)."""
        return x @ self.design.T - self.targets

    def __call__(self, x: Tensor) -> Tensor:
        """The mean of the squared residuals over all examples."""
        return self.residuals(x).square().mean(-1)

    @property
    def examples(self) -> int:
        """The number of examples N."""
        return len(self._examples.targets)

    @property
    def elementwise(self) -> bool:
        """No: the residuals are a matrix product."""
        return False

    @property
    def minibatch(self) -> int | None:
        """`batch_size`."""
        return self.batch_size

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """The mean squared residual (R,) of points (R, D) on the examples chosen (R, B)."""
        predicted = torch.einsum("rbd,rd->rb", self.design[chosen], x)
        return (predicted - self.targets[chosen]).square().mean(-1)

    @property
    def start(self) -> Tensor:
        """All parameters zero."""
        return self.tensor(torch.zeros(self.dim))

    @cached_property
    def solution(self) -> Tensor | None:
        """The least-squares solution (D,), by QR; None where A has not full column rank."""
        a, y = self.design.double().cpu(), self.targets.double().cpu()
        scale = a.square().sum(0).sqrt()
        if len(a) < self.dim or int(torch.linalg.matrix_rank(a / scale)) < self.dim:
            return None
        q, r = torch.linalg.qr(a / scale)
        scaled = torch.linalg.solve_triangular(r, (q.T @ y)[:, None], upper=True)
        return self.tensor(scaled[:, 0] / scale)

    @property
    def minimizers(self) -> Tensor | None:
        """The least-squares solution."""
        return None if self.solution is None else self.solution[None]

    @cached_property
    def minimum(self) -> float | None:  # type: ignore[override]  # cached: it is asked for often
        """The loss of the least-squares solution."""
        return None if self.solution is None else float(self(self.solution))

    @cached_property
    def curvature(self) -> tuple[float, float]:  # type: ignore[override]
        """The least and the greatest eigenvalue of 2 AᵀA / n, by the singular values of A."""
        singular = torch.linalg.svdvals(self.design.double())
        least = float(singular[-1]) if len(self.design) >= self.dim else 0.0
        scale = 2.0 / len(self.design)
        return scale * least**2, scale * float(singular[0]) ** 2
