"""Losses that are means over the examples of a data set.

Shapes: R runs, D parameters, N examples, P inputs of a model, B examples of a minibatch,
C scores where a model gives an example more than one.
"""

import math
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.losses.base import Loss, PartialMetric
from gdlab.losses.datasets.features import prepare_examples
from gdlab.losses.datasets.split import Split
from gdlab.losses.datasets.tables import Data, Examples
from gdlab.losses.models.costs import ClassificationCost, Cost

VALIDATION_LOSS = "validation_loss"
"""The metric that patience watches: the loss on examples held out for validation."""


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
        validation: the fraction of the examples that is held out, of each class alike; the loss is
            the mean over the others. None for none.
        data_seed: of the split.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = ("_examples", "inputs", "targets")

    minimized_metrics: ClassVar[frozenset[str]] = frozenset({VALIDATION_LOSS})

    max_scores: ClassVar[int] = 2**26
    """Maximum number of scores computed at once: half a GiB, and as much again for each step of
    the way to the mean."""

    data: Data = "line3"
    target: str | None = None
    features: tuple[str, ...] | None = None
    standardize: bool = False
    batch_size: int | None = setting(default=None, ge=1, problem=False)
    validation: float | None = setting(default=None, gt=0, lt=1, column=False)
    data_seed: int = setting(default=0, ge=0, lt=2**63)

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
        given = {"standardize": self.standardize, "split": self._split, "task": self._task}
        return prepare_examples(*columns, **given)

    @property
    def _task(self) -> str | None:
        """Classification or regression; None if the targets tell it."""
        return None

    @property
    def _split(self) -> Split | None:
        """Which examples are held out for validation; None for none."""
        if self.validation is None:
            return None
        return Split(self.validation, self.data_seed, self._task)

    def _to_inputs(self, features: np.ndarray) -> Tensor:
        """Return the inputs of the model for features (N, P): (N, P)."""
        return self.tensor(features)

    def _to_targets(self, targets: np.ndarray) -> Tensor:
        """Return the values to predict (N,)."""
        return self.tensor(targets)

    @cached_property
    def inputs(self) -> Tensor:
        """The inputs of the model, of the training examples: (N, P)."""
        return self._to_inputs(self._examples.features)

    @cached_property
    def targets(self) -> Tensor:
        """The values to predict, of the training examples: (N,)."""
        return self._to_targets(self._examples.targets)

    @cached_property
    def held_out(self) -> tuple[Tensor, Tensor] | None:
        """Inputs and targets of the examples that are held out for validation; None for none."""
        examples = self._examples.validation
        if examples is None:
            return None
        return self._to_inputs(examples.features), self._to_targets(examples.targets)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the mean cost over all training examples, plus the penalty."""
        return self._mean_cost(x, self.inputs, self.targets) + self.penalty_at(x)

    def _mean_cost(self, x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cost (...) over examples at points (..., D)."""

        def costs(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return self.costs(self.scores(x, inputs), targets)

        return self._mean_of(costs, x, inputs, targets)

    def _mean_of(
        self,
        function: Callable[[Tensor, Tensor, Tensor], Tensor],
        x: Tensor,
        inputs: Tensor,
        targets: Tensor,
    ) -> Tensor:
        """Return the mean (...) of a function over N examples at points x (..., D).

        Where all examples at once might not fit into memory, they are summed block by block. The
        backward pass recomputes each block, so that only one is in memory at a time.

        Args:
            function: maps points (..., D), inputs (N, P) and targets (N,) to numbers (..., N).
            x: the points.
            inputs: of the examples.
            targets: of the examples.
        """
        size = max(1, self.max_scores // (math.prod(x.shape[:-1]) * self._scores_per_example))
        if len(targets) <= size:
            return function(x, inputs, targets).mean(-1)

        def total(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return function(x, inputs, targets).sum(-1)

        if x.requires_grad and torch.is_grad_enabled():
            total = partial(checkpoint, total, use_reentrant=False, preserve_rng_state=False)
        blocks = zip(inputs.split(size), targets.split(size), strict=True)
        return torch.stack([total(x, *block) for block in blocks]).sum(0) / len(targets)

    @property
    def _scores_per_example(self) -> int:
        return 1

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return the loss (R,) of points (R, D) on the chosen examples (R, B), with the penalty."""
        costs = self.costs(self.scores(x, self.inputs[chosen]), self.targets[chosen])
        return costs.mean(-1) + self.penalty_at(x)

    @property
    def source(self) -> str:
        """The name of the data set."""
        return str(self.data)

    @property
    def examples(self) -> int:
        """The number of training examples N."""
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
        """The accuracy of a classifier, and the loss and accuracy of the examples held out.

        An accuracy is the fraction of examples whose label is predicted. The loss of those held out
        has no penalty.
        """
        classifies = isinstance(self.cost, ClassificationCost)
        metrics: dict[str, Any] = {"accuracy": self._accuracy} if classifies else {}
        if self.held_out is not None:
            metrics[VALIDATION_LOSS] = self._validation_loss
        if self.held_out is not None and classifies:
            metrics["validation_accuracy"] = self._validation_accuracy
        return metrics

    @property
    def partial_metrics(self) -> Mapping[str, PartialMetric]:
        """The metrics on chosen examples, of those for training or of those held out."""
        training = self.inputs, self.targets
        metrics = {}
        for prefix, examples in (("", training), ("validation_", self.held_out)):
            if examples is None:
                continue
            count = len(examples[1])
            if isinstance(self.cost, ClassificationCost):
                metrics[f"{prefix}accuracy"] = PartialMetric(self._hits_of(*examples), count)
            if prefix:
                metrics[VALIDATION_LOSS] = PartialMetric(self._costs_of(*examples), count)
        return metrics

    def _hits_of(self, inputs: Tensor, targets: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the function of points and chosen examples that gives the share of hits."""
        cost = self.cost
        assert isinstance(cost, ClassificationCost)

        def hits(x: Tensor, chosen: Tensor) -> Tensor:
            scores = self.scores(x, inputs[chosen])
            return cost.hits(scores, targets[chosen]).to(x.dtype).mean(-1)

        return hits

    def _costs_of(self, inputs: Tensor, targets: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the function of points and chosen examples that gives their mean cost."""

        def costs(x: Tensor, chosen: Tensor) -> Tensor:
            return self.costs(self.scores(x, inputs[chosen]), targets[chosen]).mean(-1)

        return costs

    def _accuracy(self, x: Tensor) -> Tensor:
        """Return the fraction (...) of the training examples that points (..., D) get right."""
        return self._share_of_hits(x, self.inputs, self.targets)

    def _validation_accuracy(self, x: Tensor) -> Tensor:
        """Return the fraction (...) of the examples held out that points (..., D) get right."""
        assert self.held_out is not None
        return self._share_of_hits(x, *self.held_out)

    def _validation_loss(self, x: Tensor) -> Tensor:
        """Return the mean cost (...) of the examples held out at points (..., D)."""
        assert self.held_out is not None
        with torch.no_grad():
            return self._mean_cost(x, *self.held_out)

    def _share_of_hits(self, x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        cost = self.cost
        assert isinstance(cost, ClassificationCost)

        def hits(x: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
            return cost.hits(self.scores(x, inputs), targets).to(x.dtype)

        with torch.no_grad():
            return self._mean_of(hits, x, inputs, targets)

    @property
    def _described_examples(self) -> str:
        """The number of examples, in words."""
        shown = f"{self.examples:,} examples of {self.source}"
        if self.held_out is None:
            return shown
        return f"{shown} and {len(self.held_out[1]):,} for validation"
