"""Steps without records, for runs of which only the end is wanted.

Such steps write no points. Their summary tells which rows may have ended; these take the same steps
again, with records. The others go on with their best point, and with the last losses and gradient
norms that a diagnosis looks at.

Shapes: K new records, D dimensions, n rows, W = `KEPT` records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from gdlab.engine.chunk import Chunk, Mode
from gdlab.engine.evidence import TAIL
from gdlab.engine.points import PointMemory
from gdlab.engine.records import ChunkSummary
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.engine.stopping import may_have_ended, padded_records
from gdlab.optimizers.base import State

KEPT = TAIL + 2
"""W, the last records, which keep their loss; the very last one waits for the next chunk."""


@dataclass(frozen=True)
class Skipped:
    """What K steps leave that write no points.

    Attributes:
        last: the point of the last record (D, n).
        after: the point after it (n, D).
        state: the optimizer's state there.
        loss: the losses at the last W records (W, n).
        norm: the gradient norms there (W, n).
        best: the point with the smallest loss (D, n).
        summary: of all K records.
    """

    last: Tensor
    after: Tensor
    state: State
    loss: Tensor
    norm: Tensor
    best: Tensor
    summary: ChunkSummary


Skip: TypeAlias = Callable[[Rows, Tensor], Skipped]
"""Takes steps of rows with rates (K, n), K ≥ W, without records; the rows stay as they are."""


def find_skippable(rows: Rows, most: int) -> Tensor | None:
    """Return the rates (K, n), K ≥ W, of steps that rows can take without records.

    Args:
        rows: the rows.
        most: the most steps.

    Returns:
        The rates, or None where records are needed: of the first steps and the last ones, where
        targets, a patience or a schedule look at each, and where a schedule raises.
    """
    batch = rows.batch
    if rows.pending_record is None or batch.stop.targets is not None or rows.patience is not None:
        return None
    count = min(most, batch.last_step - rows.first - KEPT)
    if count < KEPT:
        return None
    count, rates, error = rows.find_rates(count)
    return None if rates is None or error is not None or count < KEPT else rates[1:]


def find_ended(rows: Rows, skipped: Skipped) -> Tensor:
    """Return whether each live row may have ended in steps without records: (live,)."""
    return may_have_ended(skipped.summary, rows)[: rows.live]


def go_on(rows: Rows, skipped: Skipped, rates: Tensor, running: Tensor, mode: Mode) -> Chunk:
    """Leave some rows at the end of steps without records, and return their last W records.

    Args:
        rows: the rows, before the steps.
        skipped: what the steps left.
        rates: their learning rates (K, n).
        running: the numbers (m,) of the rows that go on.
        mode: how the steps were computed.
    """
    first, count, live = rows.first, len(rates), rows.live
    # A slice copies nothing.
    columns = slice(0, live) if len(running) == live else running
    rows.first += count
    rows.x, rows.state = skipped.after, skipped.state
    rows.points = PointMemory(rows.buffers, rows.batch.by_row)
    rows.pending_record = skipped.last, skipped.loss[-1], skipped.norm[-1], rates[-1]
    if len(running) < live:
        rows.keep_only(running)
    zeros = torch.zeros_like(running)
    summary, dim = skipped.summary, rows.x.shape[1]
    empty = rows.x.new_empty((0, len(rows.x)))
    return Chunk(
        first=rows.first + 1 - KEPT,
        rows=rows.index[: rows.live],
        x=rows.x.new_empty((0, rows.live, dim)),
        loss=skipped.loss[:, columns],
        grad_norm=skipped.norm[:, columns],
        lr=rates[-KEPT:, columns],
        count=zeros + KEPT - 1,
        status=zeros + int(Status.RUNNING),
        best_loss=summary.min_loss[columns],
        best_step=first + 1 + summary.best_record[columns].long(),
        evaluations=zeros + rows.first + 1,
        counts=None,
        targets=None,
        obstacle=zeros,
        padded=padded_records(rows, empty[:, :, None].expand(0, -1, dim), empty),
        metrics=rows.batch.metrics,
        mode=mode,
        error=None,
        best_x=skipped.best.T[columns],
    )
