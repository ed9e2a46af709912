"""Networks: losses whose parameters are the weights of layers, flattened into one vector.

Shapes: R runs, D parameters, N examples, P inputs, B examples of a minibatch, C scores.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.fields.formatting import format_value
from gdlab.fields.validation import FromPython
from gdlab.losses.datasets.features import prepare_examples
from gdlab.losses.datasets.files import locate
from gdlab.losses.datasets.labels import are_labels, count_classes
from gdlab.losses.datasets.memory_table import MemoryTable
from gdlab.losses.datasets.synthetic import GENERATED, generate_examples
from gdlab.losses.datasets.tables import Examples
from gdlab.losses.datasets.torch_dataset import ExamplesInMemory, examples_from_dataset
from gdlab.losses.models.costs import (
    ClassificationCost,
    Cost,
    CrossEntropy,
    MeanSquaredError,
    OfOneScore,
)
from gdlab.losses.models.criteria import CRITERIA, CriterionName, OwnCriterion, own_cost
from gdlab.losses.models.data_loss import DataLoss

_COUNT = 200

MAX_PARAMETERS = 1_000_000

Blocks = Sequence[tuple[str, tuple[int, ...]]]
"""The named blocks of the parameter vector, with their shapes."""


class Network(DataLoss):
    """A network on examples: the mean over them of a criterion of its scores.

    Subclasses define `scores` and `layout`, the blocks of the parameter vector.

    Attributes:
        data: a generated set (two_moons, spirals, circles, teacher_student), a named one, a CSV or
            Parquet file with a header, or `_target_`, a custom `torch.utils.data.Dataset` with its
            arguments; in Python also a data frame, a pair (features, targets) or a dataset.
        task: classification or regression; None for that of the criterion, without one for
            classification if the targets are texts, or 0, 1, …, C − 1, unless there are more than
            two and all differ.
        criterion: the cost of an example: cross_entropy; binary_cross_entropy, of two classes with
            one score, the log-odds of label 1; mse, l1 or huber (δ = 1), of numbers. Or `_target_`,
            the dotted name of a function (scores, targets) → costs or of a loss module, with its
            arguments; in Python also these themselves. They get scores (N, C), and labels (N,) or
            numbers (N, C), and give each example its cost. None for cross_entropy of classes, mse
            of numbers.
        count: the number of generated examples; None for 200.
        noise: the standard deviation of a generated set's noise; None for the set's default.
        data_seed: of a generated set, of torch's generator while a custom dataset is created, and
            of the split.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *DataLoss.kept_when_columns_change,
        "classes",
        "layout",
        "names",
    )

    max_layer: ClassVar[int] = 2**20
    """Maximum number of a layer's activations computed at once, which fit into a cache."""

    max_layer_kept: ClassVar[int] = 2**23
    """The same where activations are kept for the backward pass."""

    data: str | Dataset[Any] | ExamplesInMemory | MemoryTable | Mapping[str, Any] = "two_moons"  # type: ignore[assignment]  # more
    task: Literal["classification", "regression"] | None = None
    criterion: CriterionName | OwnCriterion | Mapping[str, Any] | None = None
    count: int | None = setting(default=None, ge=2, le=1_000_000)
    noise: float | None = setting(default=None, ge=0, column=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.classes, self.cost  # refuse unusable labels and criteria here

    @cached_property
    def _examples(self) -> Examples:
        is_file = isinstance(self.data, str) and self.data not in GENERATED
        is_table = is_file or isinstance(self.data, MemoryTable)
        of_a_table = "target", "features", "standardize"
        self._refuse_given(("count", "noise") if is_table else of_a_table)
        if not isinstance(self.data, (str, MemoryTable)):
            self._refuse_given(("count", "noise"))
            return self._hold_out(examples_from_dataset(self.data, self.data_seed))
        if isinstance(self.data, str) and not is_table:
            count = self.count or _COUNT
            examples = generate_examples(self.data, count, self.noise, self.data_seed)
            return self._hold_out(examples)
        if isinstance(self.data, str):
            locate(self.data, GENERATED)
        columns = self.data, self.target, self.features
        given = {"standardize": self.standardize, "split": self._split, "task": self._task}
        return prepare_examples(*columns, **given)

    def _hold_out(self, examples: Examples) -> Examples:
        """Return the examples, with those for validation held out."""
        return examples if self._split is None else self._split.of(examples)

    def _refuse_given(self, names: Sequence[str]) -> None:
        """Refuse settings that do not apply to the data."""
        for name in names:
            value = getattr(self, name)
            if value is not None and value is not False:
                kind = "a generated set" if name in ("count", "noise") else "a table"
                what = f"is for {kind}, not {self.source}"
                raise SettingError(f"{name}={format_value(value)}: {what}")

    @cached_property
    def classes(self) -> int | None:
        """The number of classes; None where the targets are numbers."""
        targets, task = self._examples.all_targets, self._task
        if task == "classification":
            if targets.ndim > 1:
                what = f"{self.source} has {targets.shape[1]} targets per example, not one label"
                raise SettingError(f"task=classification: {what}")
            return count_classes(targets, self.source)
        if task == "regression" or targets.ndim > 1:
            return None
        return len(np.unique(targets)) if are_labels(targets) else None

    @property
    def _task(self) -> str | None:
        """The task that was asked for, or that of the criterion; None if the targets tell it.

        Raises:
            SettingError: the criterion is for another task.
        """
        if not isinstance(self.criterion, str):
            return self.task
        is_of_classes = isinstance(CRITERIA[self.criterion], ClassificationCost)
        task = "classification" if is_of_classes else "regression"
        if self.task not in (None, task):
            what = f"is for task={task}, not task={self.task}"
            raise SettingError(f"criterion={self.criterion}: {what}")
        return task

    @property
    def source(self) -> str:
        """The name of the data set."""
        if isinstance(self.data, Mapping):
            return str(self.data.get("_target_"))
        is_dataset = isinstance(self.data, Dataset) and not isinstance(self.data, FromPython)
        return type(self.data).__name__ if is_dataset else str(self.data)

    def _to_targets(self, targets: np.ndarray) -> Tensor:
        """Return labels (N,), or numbers (N, C)."""
        numbers = super()._to_targets(targets)
        return numbers if self.classes is not None else numbers.reshape(len(numbers), -1)

    @property
    def outputs(self) -> int:
        """The number of scores C that an example must get."""
        if isinstance(self.cost, OfOneScore):
            return 1
        return self.targets.shape[-1] if self.classes is None else self.classes

    @cached_property
    def cost(self) -> Cost:  # type: ignore[override]  # cached: a criterion is tried first
        """The criterion; by default the cross-entropy of classes, or the mean squared residual.

        Raises:
            SettingError: the criterion does not fit the targets.
        """
        if self.criterion is None:
            return MeanSquaredError() if self.classes is None else CrossEntropy()
        if not isinstance(self.criterion, str):
            own = self.criterion
            own = own if isinstance(own, OwnCriterion) else OwnCriterion.named(own)
            return own_cost(own.to(*self._home), self.targets, self.classes)
        cost = CRITERIA[self.criterion]
        if isinstance(cost, OfOneScore) and self.classes != 2:
            what = f"is for two classes, but {self.source} has {self.classes}"
            raise SettingError(f"criterion={self.criterion}: {what}")
        return cost

    def residuals(self, x: Tensor) -> Tensor | None:
        """Return scores minus targets (..., N · C), where the mean of their squares is the loss."""
        if not isinstance(self.cost, MeanSquaredError):
            return None
        return (self.scores(x, self.inputs) - self.targets).flatten(-2)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the mean over all examples, for points (..., D)."""
        return self._in_blocks(super().__call__, x)

    @property
    def metrics(self) -> dict[str, Any]:
        """The accuracy, where there are classes."""
        return {name: partial(self._in_blocks, metric) for name, metric in super().metrics.items()}

    def _in_blocks(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return a function (...) of points (..., D), as many at once as fit into memory.

        Where gradients are needed the backward pass recomputes each block, so that only the layers
        of one block are in memory at a time.

        Args:
            function: maps points (n, D) to numbers (n,).
            x: the points.
        """
        flat, keeps = x.reshape(-1, x.shape[-1]), x.requires_grad and torch.is_grad_enabled()
        size = max(1, (self.max_layer_kept if keeps else self.max_layer) // self._layer_numbers)
        if len(flat) <= size:
            return function(x)
        if keeps:
            function = partial(checkpoint, function, use_reentrant=False, preserve_rng_state=False)
        return torch.cat([function(part) for part in flat.split(size)]).reshape(x.shape[:-1])

    @property
    def _layer_numbers(self) -> int:
        """About how many activations the widest layer of one point has, for all examples."""
        widest = max(shape[0] if shape else 1 for _, shape in self.layout)
        return self.examples * max(widest, self.inputs[0].numel())

    @property
    def dim(self) -> int:
        """The total size of all blocks."""
        return sum(math.prod(shape) for _, shape in self.layout)

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]  # cached: there may be many
        """The block of each parameter, and its index in it: `0.weight[1,2]`."""
        return tuple(
            f"{name}[{','.join(map(str, index))}]" if shape else name
            for name, shape in self.layout
            for index in itertools.product(*map(range, shape))
        )

    def network_at(self, x: Tensor) -> nn.Module:
        """Return a module of its own with the parameters x (D,), of their dtype."""
        raise NotImplementedError(f"{type(self).__name__} must implement network_at")

    def blocks(self, x: Tensor) -> dict[str, Tensor]:
        """Return the blocks of parameters x (..., D), each (..., *its shape)."""
        parts = x.split([math.prod(shape) for _, shape in self.layout], -1)
        return {
            name: part.reshape(x.shape[:-1] + shape)
            for (name, shape), part in zip(self.layout, parts, strict=True)
        }

    @property
    def start(self) -> Tensor:
        """The start of a run with seed 0."""
        return self.starts(torch.zeros(1, dtype=torch.int64, device=self._home[1]))[0]
