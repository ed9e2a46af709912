"""The history of a run: arrays by step, cut from the engine's chunks.

Shapes: n records, D dimensions (or the first C coordinates of them).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.chunk import Chunk
from gdlab.engine.status import Status

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class History:
    """The records of one run: record k holds the point after k steps and its values.

    >>> import gdlab
    >>> history = gdlab.run("sphere", lr=0.25, start=[4, 0], steps=2).history
    >>> history.step.tolist(), history.x[:, 0].tolist(), len(history)
    ([0, 1, 2], [4.0, 2.0, 1.0], 3)

    Attributes:
        step: step numbers (n,), int64.
        loss: the loss at the points (n,); NaN where not computed.
        grad_norm: the norm of the full gradient at the points (n,), likewise.
        lr: the learning rate of the step that leaves each point (n,); NaN in a run's last record.
        x: the points (n, D).
        distance: the distance to the nearest known minimizer (n,); None where none is known.
        suboptimality: the loss above the known minimum (n,); None where it is unknown.
        metrics: metrics (n,) by name, such as accuracy or sharpness; NaN where not computed.
    """

    __module__ = "gdlab"

    step: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    lr: np.ndarray
    x: np.ndarray
    distance: np.ndarray | None = None
    suboptimality: np.ndarray | None = None
    metrics: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.step)

    def __repr__(self) -> str:
        dim = self.x.shape[1] if self.x.ndim == 2 else 0
        steps = f"steps {self.step[0]} to {self.step[-1]}" if len(self) else "no step"
        return f"History({len(self)} records, {steps}, {dim} coordinates)"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the records, each as a row of `to_frame`; pandas.DataFrame(history) needs it."""
        columns = self._table()
        lists = [column.tolist() for column in columns.values()]
        for row in zip(*lists, strict=True):
            yield dict(zip(columns, row, strict=True))

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with a row per record: step, loss, grad_norm, lr, and the points.

        The distance, the suboptimality and the metrics follow where they are known.

        >>> import gdlab
        >>> gdlab.run("sphere", lr=0.1, steps=2).history.to_frame().columns.tolist()[:6]
        ['step', 'loss', 'grad_norm', 'lr', 'x0', 'x1']
        """
        import pandas as pd

        return pd.DataFrame(self._table())

    def _table(self) -> dict[str, np.ndarray]:
        """Return the columns (n,) by name."""
        columns = self._columns()
        x = columns.pop("x")
        first = {name: columns.pop(name) for name in ("step", "loss", "grad_norm", "lr")}
        return first | {f"x{i}": x[:, i] for i in range(x.shape[1])} | columns | dict(self.metrics)

    def take(self, index: np.ndarray | slice) -> "History":
        """Select records by a mask, by indices or by a slice (whose records share memory)."""
        columns = {name: column[index] for name, column in self._columns().items()}
        metrics = {name: values[index] for name, values in self.metrics.items()}
        return History(**columns, metrics=metrics)

    @classmethod
    def join(cls, pieces: Sequence["History"]) -> "History":
        """Concatenate the pieces of one run, in order."""
        if len(pieces) == 1:
            return pieces[0]
        columns = pieces[0]._columns()
        joined = {k: np.concatenate([vars(piece)[k] for piece in pieces]) for k in columns}
        names = pieces[0].metrics
        metrics = {k: np.concatenate([piece.metrics[k] for piece in pieces]) for k in names}
        return History(**joined, metrics=metrics)

    def _columns(self) -> dict[str, np.ndarray]:
        return {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}


def split_by_run(chunk: Chunk, every: int = 1) -> Iterator[tuple[int, History]]:
    """Split a chunk into its runs: yield for each its row in the batch and its records.

    The chunk is copied once; the pieces share the copy.

    Args:
        chunk: what the engine yielded.
        every: keep the records of steps 0, every, 2·every, … and the last one of a run.
    """
    names = ("loss", "grad_norm", "lr", "x", "distance", "suboptimality")
    arrays = _copy_by_rows({name: getattr(chunk, name) for name in names})
    metrics = {name: values.T.copy() for name, values in _compute_metrics(chunk, every).items()}
    steps = np.arange(chunk.first, chunk.first + len(chunk.loss))
    counts, statuses = chunk.count.tolist(), chunk.status.tolist()
    for i, row in enumerate(chunk.rows.tolist()):
        count, ended = counts[i], statuses[i] != Status.RUNNING
        columns = {k: None if v is None else v[i, ..., :count].T for k, v in arrays.items()}
        of_run = {name: values[i, :count] for name, values in metrics.items()}
        piece = History(steps[:count], **columns, metrics=of_run)  # type: ignore[arg-type]  # only two may be None
        if ended and count:
            piece.lr[-1] = np.nan
        if every > 1:
            keep = piece.step % every == 0
            keep[count - 1 :] |= ended
            piece = piece.take(keep)
        yield row, piece


def _compute_metrics(chunk: Chunk, every: int) -> dict[str, np.ndarray]:
    """Compute metrics (K, n) by name at the kept records that need them; NaN elsewhere."""
    arrays = {name: np.full(chunk.loss.shape, np.nan) for name in chunk.metrics}
    if not arrays or len(chunk.loss) == 0:
        return arrays
    ended = (chunk.status != Status.RUNNING).cpu().numpy()
    last = chunk.last.cpu().numpy()[ended]
    for name, metric in chunk.metrics.items():
        period = math.lcm(every, metric.every)
        count = int(chunk.count.max())
        # A step beyond the last record would overflow as a stride.
        records = range(-chunk.first % period, count, min(period, max(count, 1)))
        if records:
            arrays[name][records] = chunk.compute_metric(name, records).cpu().numpy()
        if ended.any():
            arrays[name][last, ended] = chunk.last_metrics[name].cpu().numpy()[ended]
    return arrays


def _copy_by_rows(columns: Mapping[str, Tensor | None]) -> dict[str, np.ndarray | None]:
    """Copy values (K, n) or (K, n, D) to (n, K) or (n, D, K), contiguous within a row."""
    copies = {
        name: None if values is None else _copy_of(values.movedim(0, -1))
        for name, values in columns.items()
    }
    if any(values is not None and values.is_cuda for values in columns.values()):
        torch.cuda.current_stream().synchronize()
    return copies


def _copy_of(values: Tensor) -> np.ndarray:
    """Return a contiguous copy on the host, that of a GPU's values after a synchronization.

    A GPU writes to pinned memory by itself, while it takes the steps of the next chunk. Torch keeps
    that memory for later copies.
    """
    if not values.is_cuda:
        return values.numpy().copy()
    pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return pinned.copy_(values.contiguous(), non_blocking=True).numpy()
