"""How runs ended: one outcome per run, gathered from the engine's chunks.

Shapes: R runs, D dimensions, K records of a chunk, n rows of a chunk.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdlab.batch import Batch, Chunk
from gdlab.status import Status


@dataclass(frozen=True)
class Outcome:
    """The end of one run.

    Attributes:
        status: how it ended.
        reason: the same as a sentence.
        steps: the steps taken, T.
        final_loss: the loss at the last point.
        best_loss: the least loss of any record.
        best_step: the step at which it was first reached.
        grad_norm: the norm of the full gradient at the last point.
        x: the last point (D,).
        distance: from the last point to the nearest known minimizer; None where none is known.
        suboptimality: the final loss above the known minimum; None where it is unknown.
        evaluations: gradients computed.
    """

    status: Status
    reason: str
    steps: int
    final_loss: float
    best_loss: float
    best_step: int
    grad_norm: float
    x: np.ndarray
    distance: float | None
    suboptimality: float | None
    evaluations: int


class Outcomes:
    """The outcomes of a batch, filled in as its chunks arrive."""

    def __init__(self, batch: Batch) -> None:
        runs, dim = batch.start.shape
        self.stop = batch.stop
        self.status = np.zeros(runs, dtype=np.int64)
        self.steps = np.zeros(runs, dtype=np.int64)
        self.evaluations = np.zeros(runs, dtype=np.int64)
        self.best_step = np.zeros(runs, dtype=np.int64)
        self.best_loss = np.full(runs, np.inf)
        self.final_loss, self.grad_norm = np.full(runs, np.nan), np.full(runs, np.nan)
        self.distance, self.suboptimality = np.full(runs, np.nan), np.full(runs, np.nan)
        self.x = batch.start.cpu().numpy().astype(np.float64).reshape(runs, dim)
        self.errors: dict[int, Exception] = {}

    def add(self, chunk: Chunk) -> None:
        """Take in what a chunk says about its rows."""
        rows = chunk.rows.cpu().numpy()
        self.status[rows] = chunk.status.cpu().numpy()
        self.evaluations[rows] = chunk.evaluations.cpu().numpy()
        if chunk.error is not None:
            failed = rows[(chunk.status == Status.FAILED).cpu().numpy()]
            self.errors |= dict.fromkeys(failed.tolist(), chunk.error)
        if len(chunk.loss) == 0:
            return
        last = chunk.last
        self.steps[rows] = (chunk.first + last).cpu().numpy()
        self.final_loss[rows] = _at(last, chunk.loss)
        self.grad_norm[rows] = _at(last, chunk.grad_norm)
        self.x[rows] = chunk.x[last, torch.arange(len(rows), device=last.device)].cpu().numpy()
        ended = (chunk.status != Status.RUNNING).cpu().numpy()
        distance = chunk.last_distance() if ended.any() else None
        if distance is not None:
            self.distance[rows[ended]] = distance.cpu().numpy()[ended]
        if chunk.suboptimality is not None:
            self.suboptimality[rows] = _at(last, chunk.suboptimality)
        self._improve(rows, chunk)

    def _improve(self, rows: np.ndarray, chunk: Chunk) -> None:
        """Update the best losses."""
        record = torch.arange(len(chunk.loss), device=chunk.loss.device)[:, None]
        seen = (record < chunk.count) & torch.isfinite(chunk.loss)
        best, at = torch.where(seen, chunk.loss, torch.inf).min(0)
        value, step = best.cpu().numpy(), chunk.first + at.cpu().numpy()
        better = value < self.best_loss[rows]
        self.best_loss[rows[better]] = value[better]
        self.best_step[rows[better]] = step[better]

    def __getitem__(self, row: int) -> Outcome:
        """The outcome of one run."""
        status = Status(int(self.status[row]))
        return Outcome(
            status=status,
            reason=self.reason(row),
            steps=int(self.steps[row]),
            final_loss=float(self.final_loss[row]),
            best_loss=float(self.best_loss[row]),
            best_step=int(self.best_step[row]),
            grad_norm=float(self.grad_norm[row]),
            x=self.x[row],
            distance=_known(self.distance[row]),
            suboptimality=_known(self.suboptimality[row]),
            evaluations=int(self.evaluations[row]),
        )

    def reason(self, row: int) -> str:
        """How a run ended, as a sentence."""
        stop, steps = self.stop, int(self.steps[row])
        status = Status(int(self.status[row]))
        if status == Status.CONVERGED:
            return f"the gradient norm fell to stop.grad_tol={stop.grad_tol:g} at step {steps}"
        if status == Status.TARGET:
            return f"the loss fell to stop.loss={stop.loss:g} at step {steps}"
        if status == Status.MAX_STEPS:
            tolerance = f"stop.grad_tol={stop.grad_tol:g}"
            return f"all {steps} steps are done; the gradient norm is above {tolerance}"
        if status == Status.DIVERGED:
            return self._divergence(row)
        if status == Status.FAILED:
            error = self.errors[row]
            return " ".join(f"{type(error).__name__} after step {steps}: {error}".split())
        return f"{status} after step {steps}"

    def _divergence(self, row: int) -> str:
        loss, steps = self.final_loss[row], int(self.steps[row])
        if self.stop.max_loss is not None and abs(loss) > self.stop.max_loss:
            return f"|loss| passed stop.max_loss={self.stop.max_loss:g} at step {steps}"
        if not (np.isfinite(loss) and np.isfinite(self.grad_norm[row])):
            return "the loss, its gradient or the point is not finite at the start"
        return f"the loss, its gradient or the point is no longer finite after step {steps}"


def _at(index: Tensor, values: Tensor) -> np.ndarray:
    """The values (K, n) at one record index for each row (n,)."""
    return values.gather(0, index[None])[0].cpu().numpy()


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
