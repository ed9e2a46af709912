"""Losses that are means over the examples of a data set.

Shapes: R runs, D parameters, N examples, P inputs of a model, B examples of a minibatch,
C scores where a model gives an example more than one.
"""

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.losses.base import Loss
from gdlab.losses.datasets.features import prepared
from gdlab.losses.datasets.tables import Examples

_MOST_AT_ONCE = 2**26
"""So many scores are computed at once, of half a GiB; as much again for each step to the mean."""


class DataLoss(Loss):
    """The mean over examples of what a model's scores cost, plus a penalty on its parameters.

    Subclasses say `scores` (the model), `costs` and, where there is one, `penalty_at`.

    Attributes:
        data: a named data set, or a CSV or Parquet file with a header.
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        standardize: scale each feature to mean 0 and (population) standard deviation 1.
        batch_size: examples of a minibatch, drawn without replacement each epoch; None for all.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = ("_examples", "inputs", "targets")

    data: str = "line3"
    target: str | None = None
    features: tuple[str, ...] | None = None
    standardize: bool = False
    batch_size: int | None = setting(default=None, ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        n = self.examples
        if self.batch_size is not None and self.batch_size > n:
            raise SettingError(f"batch_size={self.batch_size}: must be at most {n}, all examples")

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """What the model with parameters x (..., D) makes of inputs: (..., N) or (..., N, C).

        Args:
            x: parameters.
            inputs: (N, P), the same for all; or (R, B, P), for each row of x (R, D) its own.
        """
        raise NotImplementedError(f"{type(self).__name__} has no model")

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """What each example's scores cost, beside targets (N,) or (R, B): (..., N)."""
        raise NotImplementedError(f"{type(self).__name__} does not say what scores cost")

    def penalty_at(self, x: Tensor) -> Tensor | float:
        """What is added to the mean at parameters x (..., D): (...)."""
        return 0.0

    @cached_property
    def _examples(self) -> Examples:
        choice = self.data, self.target, self.features
        return prepared(*choice, standardize=self.standardize)

    @cached_property
    def inputs(self) -> Tensor:
        """What the model is given: (N, P)."""
        return self.tensor(self._examples.features)

    @cached_property
    def targets(self) -> Tensor:
        """What it is to predict: (N,)."""
        return self.tensor(self._examples.targets)

    def __call__(self, x: Tensor) -> Tensor:
        """The mean over all examples, plus the penalty."""

        def costs(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return self.costs(self.scores(x, inputs), targets)

        return self.mean_of(costs, x) + self.penalty_at(x)

    def mean_of(self, function: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor) -> Tensor:
        """The mean (...) over all examples of what a function makes of each at points x (..., D).

        Where that may be more than fits into memory, it is summed block by block. On the way back
        each block is computed again, so that memory holds one alone.

        Args:
            function: from points (..., D), inputs (N, P) and targets (N,) to numbers (..., N).
            x: the points.
        """
        size = max(1, _MOST_AT_ONCE // (math.prod(x.shape[:-1]) * self._width))
        if self.examples <= size:
            return function(x, self.inputs, self.targets).mean(-1)

        def total(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return function(x, inputs, targets).sum(-1)

        if x.requires_grad and torch.is_grad_enabled():
            total = partial(checkpoint, total, use_reentrant=False, preserve_rng_state=False)
        blocks = zip(self.inputs.split(size), self.targets.split(size), strict=True)
        return torch.stack([total(x, *block) for block in blocks]).sum(0) / self.examples

    @property
    def _width(self) -> int:
        """How many scores an example gets."""
        return 1

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """The loss (R,) of points (R, D) on the examples chosen (R, B), the penalty included."""
        costs = self.costs(self.scores(x, self.inputs[chosen]), self.targets[chosen])
        return costs.mean(-1) + self.penalty_at(x)

    @property
    def examples(self) -> int:
        """The number of examples N."""
        return len(self._examples.targets)

    @property
    def minibatch(self) -> int | None:
        """`batch_size`."""
        return self.batch_size

    @property
    def elementwise(self) -> bool:
        """No: a model's scores are matrix products."""
        return False


class LinearModel(DataLoss):
    """A loss whose scores are A w: the features times weights, plus an intercept.

    A, the inputs, has a last column of ones for the intercept.

    The parameters are the weights in the order of the features, then the intercept. They start at
    zero. No penalty is ever laid on the intercept, so that adding a constant to the target does not
    change the weights.

    Attributes:
        degree: all products of at most so many columns are features (1: the columns themselves);
            `standardize` scales these products.
        intercept: whether a constant is added to the features.
    """

    degree: int = setting(default=1, ge=1, le=100)
    intercept: bool = True

    @cached_property
    def _examples(self) -> Examples:
        return prepared(
            self.data,
            self.target,
            self.features,
            standardize=self.standardize,
            degree=self.degree,
            intercept=self.intercept,
        )

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """A w: (..., N)."""
        return x @ inputs.T if inputs.ndim == 2 else torch.einsum("rbp,rp->rb", inputs, x)

    def weights(self, x: Tensor) -> Tensor:
        """The parameters without the intercept."""
        return x[..., :-1] if self.intercept else x

    @property
    def names(self) -> tuple[str, ...]:
        """The features, then the intercept."""
        return self._examples.names + (("intercept",) if self.intercept else ())

    @property
    def dim(self) -> int:
        """One weight a feature, and the intercept."""
        return len(self.names)

    @property
    def start(self) -> Tensor:
        """All parameters zero."""
        return self.tensor(torch.zeros(self.dim))
