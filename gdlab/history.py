"""What runs recorded: arrays by step, cut out of the engine's chunks.

Shapes: n records, D dimensions (or the first C coordinates of them).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from gdlab.batch import Chunk
from gdlab.status import Status


@dataclass(frozen=True)
class History:
    """Records of one run: record k holds the point after k steps and what belongs to it.

    Attributes:
        step: step numbers (n,), int64.
        loss: the loss at the points (n,).
        grad_norm: the norm of the full gradient at the points (n,).
        lr: the learning rate of the step that leaves each point (n,); NaN in a run's last record.
        x: the points (n, D).
        distance: the distance to the nearest known minimizer (n,), where there is one.
        suboptimality: how far the loss lies above the known minimum (n,), where there is one.
    """

    step: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    lr: np.ndarray
    x: np.ndarray
    distance: np.ndarray | None = None
    suboptimality: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.step)

    def take(self, which: np.ndarray) -> "History":
        """The records chosen by a mask or by indices."""
        return dataclasses.replace(self, **{k: v[which] for k, v in self._columns().items()})

    @classmethod
    def join(cls, pieces: Sequence["History"]) -> "History":
        """Pieces of one run, in order, as one."""
        columns = [piece._columns() for piece in pieces]
        joined = {k: np.concatenate([column[k] for column in columns]) for k in columns[0]}
        return dataclasses.replace(pieces[0], **joined)

    def _columns(self) -> dict[str, np.ndarray]:
        return {name: column for name, column in vars(self).items() if column is not None}


def pieces(chunk: Chunk, every: int = 1) -> Iterator[tuple[int, History]]:
    """Cut a chunk into its runs: for each the number of its row in the batch and its records.

    Args:
        chunk: what the engine yielded.
        every: keep the records of steps 0, every, 2·every, … and always a run's last.
    """
    names = ("loss", "grad_norm", "lr", "x", "distance", "suboptimality")
    arrays = {name: _array(getattr(chunk, name)) for name in names}
    counts, statuses = chunk.count.tolist(), chunk.status.tolist()
    for i, row in enumerate(chunk.rows.tolist()):
        count, ended = counts[i], statuses[i] != Status.RUNNING
        step = np.arange(chunk.first, chunk.first + count)
        columns = {k: None if v is None else v[:count, i].copy() for k, v in arrays.items()}
        piece = History(step=step, **columns)  # type: ignore[arg-type]  # only two may be None
        if ended and count:
            piece.lr[-1] = np.nan
        if every > 1:
            keep = step % every == 0
            keep[count - 1 :] |= ended
            piece = piece.take(keep)
        yield row, piece


def _array(values: Tensor | None) -> np.ndarray | None:
    return None if values is None else values.cpu().numpy()
