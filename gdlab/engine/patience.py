"""Early stopping: runs whose loss on held-out examples no longer improves.

Shapes: k records at which it is computed, K records of a chunk, D dimensions, n rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.metrics import Metric
from gdlab.losses.base import Loss


@dataclass(frozen=True)
class Patience:
    """How long each row has waited for a lower validation loss (Prechelt 1998).

    Attributes:
        limit: the number of values without improvement that ends a run.
        metric: the validation loss, computed at every n-th step.
        best: the lowest value of each row so far: (n,).
        waited: the number of values since then: (n,).
    """

    limit: int
    metric: Metric
    best: Tensor
    waited: Tensor

    @classmethod
    def begin(cls, limit: int, metric: Metric, rows: int, like: Tensor) -> "Patience":
        """Return the patience of a number of rows before their first value."""
        waited = torch.zeros(rows, dtype=torch.int64, device=like.device)
        return cls(limit, metric, like.new_full((rows,), torch.inf), waited)

    def keep(self, rows: Tensor) -> "Patience":
        """Return the patience of some of the rows."""
        return Patience(self.limit, self.metric, self.best[rows], self.waited[rows])

    def after(self, loss: Loss, x: Tensor, first: int, new: int) -> "tuple[Patience, Tensor]":
        """Return the patience after a chunk, and the records at which it ran out: boolean (K, n).

        Args:
            loss: of the rows.
            x: the points (K, n, D).
            first: the step number of the first record.
            new: the first record that no earlier chunk had.
        """
        ran_out = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
        every = self.metric.every
        records = torch.arange(new + -(first + new) % every, len(x), every, device=x.device)
        if len(records) == 0:
            return self, ran_out
        values = self.metric.function(loss, x[records]).nan_to_num(nan=torch.inf)
        lowest = torch.cat((self.best[None], values)).cummin(0).values
        number = torch.arange(1, len(values) + 1, device=x.device)[:, None]
        improved = torch.where(values < lowest[:-1], number, 0).cummax(0).values
        waited = torch.where(improved > 0, number - improved, self.waited + number)
        ran_out[records] = waited >= self.limit
        return Patience(self.limit, self.metric, lowest[-1], waited[-1]), ran_out
