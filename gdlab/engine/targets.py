"""Targets: losses between that at the start and the minimum, and when a run reaches each.

Shapes: R runs, K records of a chunk, n rows of a chunk, J targets.
"""

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.chunk import Chunk
from gdlab.losses.base import Loss

EVALUATIONS_TO = "evaluations_to_"
"""How the names of the columns of targets begin; the relative accuracy follows."""


def target_losses(stop: Stop, loss: Loss, first: Tensor) -> Tensor | None:
    """Return the losses f* + τ (f(x₀) − f*) of the targets: (J, n); None if there are no targets.

    Args:
        stop: the stopping criteria.
        loss: the loss of the n rows.
        first: the losses f(x₀) at the start (n,).
    """
    if stop.targets is None:
        return None
    minimum = loss.minimum if stop.minimum is None else stop.minimum
    assert minimum is not None
    lowest, accuracy = loss.tensor(minimum), loss.tensor(stop.targets)
    return lowest + accuracy[:, None] * (first - lowest)


def column_name(accuracy: float) -> str:
    """Return what tables call the number of evaluations to a target."""
    return f"{EVALUATIONS_TO}{accuracy!r}"


class Reached:
    """The evaluations at which each run of a batch first reached each target.

    Attributes:
        columns: by the names in tables: (R,); NaN where a target was not reached.
    """

    def __init__(self, batch: Batch) -> None:
        names = map(column_name, batch.stop.targets or ())
        self.columns = {name: np.full(len(batch.lr), np.nan) for name in names}

    def add(self, chunk: Chunk) -> None:
        """Add the records of a chunk."""
        if chunk.targets is None:
            return
        rows, is_under = chunk.rows.cpu().numpy(), chunk.best_loss <= chunk.targets
        for column, level, under in zip(
            self.columns.values(), chunk.targets, is_under, strict=True
        ):
            unknown = torch.from_numpy(np.isnan(column[rows])).to(under.device)
            at = torch.nonzero(under & unknown)[:, 0]
            if len(at):
                record = (chunk.loss[:, at] <= level[at]).int().argmax(0)
                column[rows[at.cpu().numpy()]] = chunk.evaluations_at(record, at).cpu().numpy()
