"""Losses that are means over the examples of a data set.

Shapes: R runs, D parameters, N examples, P inputs of a model, B examples of a minibatch,
C scores where a model gives an example more than one.
"""

import math
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.losses.base import Loss, PartialMetric
from gdlab.losses.datasets.features import prepare_examples
from gdlab.losses.datasets.tables import Data, Examples
from gdlab.losses.models.costs import ClassificationCost, Cost


class DataLoss(Loss):
    """The mean over examples of the cost of a model's scores, plus a penalty on its parameters.

    Subclasses define `scores` (the model), `cost` and, where there is one, `penalty_at`.

    Attributes:
        data: a named data set, or a CSV or Parquet file with a header; in Python also a data frame
            or a pair (features, targets).
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        standardize: scale each feature to mean 0 and (population) standard deviation 1.
        batch_size: examples in a minibatch, drawn without replacement each epoch; None for all.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = ("_examples", "inputs", "targets")

    max_scores: ClassVar[int] = 2**26
    """Maximum number of scores computed at once: half a GiB, and as much again for each step of
    the way to the mean."""

    data: Data = "line3"
    target: str | None = None
    features: tuple[str, ...] | None = None
    standardize: bool = False
    batch_size: int | None = setting(default=None, ge=1, problem=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        n = self.examples
        if self.batch_size is not None and self.batch_size > n:
            what = f"must be at most {n}, the number of examples"
            raise SettingError(f"batch_size={self.batch_size}: {what}")

    @property
    def standardized(self) -> Loss | None:
        """The same loss on standardized columns; None if they are."""
        return None if self.standardize else self.replace(standardize=True)

    def scores(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Return the scores of a model with parameters x (..., D): (..., N) or (..., N, C).

        Args:
            x: parameters.
            inputs: (N, P), shared by all points; or (R, B, P), one block for each row of x (R, D).
        """
        raise NotImplementedError(f"{type(self).__name__} must implement scores")

    @property
    def cost(self) -> Cost:
        """The cost of an example, a function of its scores and its target."""
        raise NotImplementedError(f"{type(self).__name__} must implement cost")

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the cost of each example (..., N), for targets (N,) or (R, B)."""
        return self.cost(scores, targets)

    def penalty_at(self, x: Tensor) -> Tensor | float:
        """Return what is added to the mean cost at parameters x (..., D): (...)."""
        return 0.0

    @cached_property
    def _examples(self) -> Examples:
        columns = self.data, self.target, self.features
        return prepare_examples(*columns, standardize=self.standardize)

    @cached_property
    def inputs(self) -> Tensor:
        """The inputs of the model: (N, P)."""
        return self.tensor(self._examples.features)

    @cached_property
    def targets(self) -> Tensor:
        """The values to predict: (N,)."""
        return self.tensor(self._examples.targets)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the mean cost over all examples, plus the penalty."""

        def costs(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return self.costs(self.scores(x, inputs), targets)

        return self.mean_of(costs, x) + self.penalty_at(x)

    def mean_of(self, function: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the mean (...) of a function over all examples at points x (..., D).

        Where all examples at once might not fit into memory, they are summed block by block. The
        backward pass recomputes each block, so that only one is in memory at a time.

        Args:
            function: maps points (..., D), inputs (N, P) and targets (N,) to numbers (..., N).
            x: the points.
        """
        size = max(1, self.max_scores // (math.prod(x.shape[:-1]) * self._scores_per_example))
        if self.examples <= size:
            return function(x, self.inputs, self.targets).mean(-1)

        def total(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return function(x, inputs, targets).sum(-1)

        if x.requires_grad and torch.is_grad_enabled():
            total = partial(checkpoint, total, use_reentrant=False, preserve_rng_state=False)
        blocks = zip(self.inputs.split(size), self.targets.split(size), strict=True)
        return torch.stack([total(x, *block) for block in blocks]).sum(0) / self.examples

    @property
    def _scores_per_example(self) -> int:
        return 1

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return the loss (R,) of points (R, D) on the chosen examples (R, B), with the penalty."""
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
        """False: a model's scores are matrix products."""
        return False

    @property
    def metrics(self) -> dict[str, Any]:
        """The accuracy of a classifier: the fraction of examples whose label is predicted."""
        return {"accuracy": self._accuracy} if isinstance(self.cost, ClassificationCost) else {}

    @property
    def partial_metrics(self) -> Mapping[str, PartialMetric]:
        """The accuracy, as the share of hits among chosen examples."""
        cost = self.cost

        def hits(x: Tensor, chosen: Tensor) -> Tensor:
            assert isinstance(cost, ClassificationCost)
            scores = self.scores(x, self.inputs[chosen])
            return cost.hits(scores, self.targets[chosen]).to(x.dtype).mean(-1)

        metric = PartialMetric(hits, self.examples)
        return {"accuracy": metric} if isinstance(cost, ClassificationCost) else {}

    def _accuracy(self, x: Tensor) -> Tensor:
        """Return the fraction (...) of all examples that points (..., D) classify correctly."""
        cost = self.cost
        assert isinstance(cost, ClassificationCost)

        def hits(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return cost.hits(self.scores(x, inputs), targets).to(x.dtype)

        with torch.no_grad():
            return self.mean_of(hits, x)
