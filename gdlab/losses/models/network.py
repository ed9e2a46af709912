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
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.fields.formatting import format_value
from gdlab.losses.datasets.features import prepared
from gdlab.losses.datasets.synthetic import GENERATED, generated
from gdlab.losses.datasets.tables import Examples, locate
from gdlab.losses.datasets.torch_dataset import own_examples
from gdlab.losses.models.classification import accuracy, class_costs, class_count, class_hits
from gdlab.losses.models.data_loss import DataLoss

_COUNT = 200
_LAYER_NUMBERS, _LAYER_NUMBERS_KEPT = 2**20, 2**23  # the former fits into a cache

MOST_PARAMETERS = 1_000_000

Blocks = Sequence[tuple[str, tuple[int, ...]]]
"""The named parts of the parameter vector, with their shapes."""


class Network(DataLoss):
    """A network on examples: the mean cross-entropy of classes, or the mean squared error.

    Subclasses say `scores` and `layout`, the blocks of the parameter vector.

    Attributes:
        data: a generated set (two_moons, spirals, circles, teacher_student), a named one, a CSV or
            Parquet file with a header, or `_target_`, a `torch.utils.data.Dataset` of one's own,
            with what it is called with.
        task: classification or regression; None for classes where the targets are 0, 1, …, C − 1.
        count: how many examples are generated; None for 200.
        noise: the standard deviation of a generated set's noise; None for what suits it.
        data_seed: of a generated set, or of torch's generator while a dataset of one's own is made.
    """

    kept_when_columns_change: ClassVar[tuple[str, ...]] = (
        *DataLoss.kept_when_columns_change,
        "classes",
        "layout",
        "names",
    )

    data: str | Mapping[str, Any] | Dataset[Any] = "two_moons"  # type: ignore[assignment]  # more
    task: Literal["classification", "regression"] | None = None
    count: int | None = setting(default=None, ge=2, le=1_000_000)
    noise: float | None = setting(default=None, ge=0, column=False)
    data_seed: int = setting(default=0, ge=0, lt=2**63)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.classes  # labels that cannot be used are refused here

    @cached_property
    def _examples(self) -> Examples:
        is_table = isinstance(self.data, str) and self.data not in GENERATED
        of_a_table = "target", "features", "standardize"
        self._refuse_given(("count", "noise") if is_table else of_a_table)
        if not isinstance(self.data, str):
            self._refuse_given(("count", "noise"))
            return own_examples(self.data, self.data_seed)
        if not is_table:
            return generated(self.data, self.count or _COUNT, self.noise, self.data_seed)
        locate(self.data, GENERATED)
        choice = self.data, self.target, self.features
        return prepared(*choice, standardize=self.standardize)

    def _refuse_given(self, names: Sequence[str]) -> None:
        """Refuse settings that say nothing to the data at hand."""
        for name in names:
            value = getattr(self, name)
            if value is not None and value is not False:
                kind = "a generated set" if name in ("count", "noise") else "a table"
                raise SettingError(
                    f"{name}={format_value(value)}: is for {kind}, not {self.source}"
                )

    @cached_property
    def classes(self) -> int | None:
        """The number of classes; None where the targets are numbers."""
        targets = self._examples.targets
        if self.task == "classification":
            if targets.ndim > 1:
                what = f"{self.source} has {targets.shape[1]} targets an example, not one label"
                raise SettingError(f"task=classification: {what}")
            return class_count(targets, self.source)
        if self.task == "regression" or targets.ndim > 1:
            return None
        found = np.unique(targets)
        is_few = 2 <= len(found) <= len(targets) / 2
        return len(found) if is_few and (found == np.arange(len(found))).all() else None

    @property
    def source(self) -> str:
        """Where the examples come from, in a word."""
        if isinstance(self.data, Mapping):
            return str(self.data.get("_target_"))
        return self.data if isinstance(self.data, str) else type(self.data).__name__

    @cached_property
    def targets(self) -> Tensor:
        """Labels (N,), or numbers (N, C)."""
        targets = self.tensor(self._examples.targets)
        return targets if self.classes is not None else targets.reshape(len(targets), -1)

    @property
    def outputs(self) -> int:
        """The number of scores C that an example must get."""
        return self.targets.shape[-1] if self.classes is None else self.classes

    def costs(self, scores: Tensor, targets: Tensor) -> Tensor:
        """−log of the probability that scores (..., N, C) give the label, or their mean square."""
        if self.classes is None:
            return (scores - targets).square().mean(-1)
        return class_costs(scores, targets)

    def residuals(self, x: Tensor) -> Tensor | None:
        """Scores less targets (..., N · C), where the targets are numbers."""
        if self.classes is not None:
            return None
        return (self.scores(x, self.inputs) - self.targets).flatten(-2)

    def __call__(self, x: Tensor) -> Tensor:
        """The mean over all examples, for points (..., D)."""
        return _in_blocks(super().__call__, x, self._layer_numbers)

    @property
    def _layer_numbers(self) -> int:
        """About how many numbers the widest layer of one point holds, for all examples."""
        widest = max(shape[0] if shape else 1 for _, shape in self.layout)
        return self.examples * max(widest, self.inputs[0].numel())

    @property
    def metrics(self) -> dict[str, Any]:
        """The share of examples whose label is the most probable one, where there are classes."""
        if self.classes is None:
            return {}
        share = accuracy(self, class_hits)
        return {"accuracy": partial(_in_blocks, share, layer=self._layer_numbers)}

    @property
    def dim(self) -> int:
        """The numbers of all blocks."""
        return sum(math.prod(shape) for _, shape in self.layout)

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]  # cached: there may be many
        """The block of each parameter, and its place there: `0.weight[1,2]`."""
        return tuple(
            f"{name}[{','.join(map(str, place))}]" if shape else name
            for name, shape in self.layout
            for place in itertools.product(*map(range, shape))
        )

    def blocks(self, x: Tensor) -> dict[str, Tensor]:
        """The blocks of parameters x (..., D), each (..., *its shape)."""
        parts = x.split([math.prod(shape) for _, shape in self.layout], -1)
        return {
            name: part.reshape(x.shape[:-1] + shape)
            for (name, shape), part in zip(self.layout, parts, strict=True)
        }

    @property
    def start(self) -> Tensor:
        """Where a run of seed 0 starts."""
        return self.starts(torch.zeros(1, dtype=torch.int64, device=self._home[1]))[0]


def _in_blocks(function: Callable[[Tensor], Tensor], x: Tensor, layer: int) -> Tensor:
    """A function (...) of points (..., D), as many of them at once as memory is allowed for.

    Where gradients are asked for, each block is computed again on the way back, so that memory
    holds the layers of one block alone.

    Args:
        function: maps points (n, D) to numbers (n,).
        x: the points.
        layer: how many numbers a layer of one point holds.
    """
    flat, keeps = x.reshape(-1, x.shape[-1]), x.requires_grad and torch.is_grad_enabled()
    size = max(1, (_LAYER_NUMBERS_KEPT if keeps else _LAYER_NUMBERS) // layer)
    if len(flat) <= size:
        return function(x)
    if keeps:
        function = partial(checkpoint, function, use_reentrant=False, preserve_rng_state=False)
    return torch.cat([function(part) for part in flat.split(size)]).reshape(x.shape[:-1])
