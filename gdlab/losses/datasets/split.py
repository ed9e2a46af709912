"""The split of examples into those for training and those for validation.

Shapes: N examples.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import torch

from gdlab.errors import SettingError
from gdlab.losses.datasets.labels import are_labels
from gdlab.losses.datasets.tables import Examples
from gdlab.numerics import rng


@dataclass(frozen=True)
class Split:
    """Which examples are held out for validation.

    Each example draws a uniform number; those with the smallest are held out. The number of example
    i depends on the seed and on i only. Of each class the same fraction is held out, rounded, and
    at least one example stays; if the targets are numbers, of all examples.

    Attributes:
        fraction: of the examples.
        seed: of the numbers drawn.
        task: classification or regression; None for classification if the targets are labels.
    """

    fraction: float
    seed: int
    task: str | None

    def indices(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the examples for training and those for validation, both in order.

        Args:
            targets: (N,) or (N, C).

        Raises:
            SettingError: one of the two is empty.
        """
        n = len(targets)
        is_held_out = np.zeros(n, dtype=bool)
        for group in self._groups(targets):
            count = math.floor(len(group) * self.fraction + 0.5)
            if self._stratifies(targets):
                count = min(count, len(group) - 1)
            is_held_out[group[:count]] = True
        held_out = int(is_held_out.sum())
        if held_out in (0, n):
            what = f"holds out {held_out} of {n:,} examples; must leave some on both sides"
            raise SettingError(f"validation={self.fraction:g}: {what}")
        return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

    def _groups(self, targets: np.ndarray) -> list[np.ndarray]:
        """Return the examples of each class, or all, in the order of their numbers."""
        example = torch.arange(len(targets))
        drawn = rng.uniform(
            torch.tensor(self.seed), rng.Stream.SPLIT, torch.zeros_like(example), example
        )
        order = drawn.argsort(stable=True).numpy()
        if not self._stratifies(targets):
            return [order]
        labels = targets[order]
        return [order[labels == label] for label in np.unique(labels)]

    def _stratifies(self, targets: np.ndarray) -> bool:
        """Whether the targets are classes."""
        if targets.ndim > 1 or self.task == "regression":
            return False
        return self.task == "classification" or are_labels(targets)

    def of(self, examples: Examples) -> Examples:
        """Return the examples for training, with those for validation beside them."""
        training, held_out = self.indices(examples.targets)
        features, targets = examples.features, examples.targets
        kept, other = (
            dataclasses.replace(examples, features=features[part], targets=targets[part])
            for part in (training, held_out)
        )
        return dataclasses.replace(kept, validation=other)
