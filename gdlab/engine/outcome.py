"""How runs ended: one outcome per run, gathered from the engine's chunks.

Shapes: R runs, D dimensions, K records of a chunk, n rows of a chunk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk
from gdlab.engine.status import Status


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
        evaluations: gradients computed; what optimizers that need more are charged for is said in
            `gdlab.optimizers.oracle`.
        metrics: the metrics at the last point by name, such as accuracy or sharpness.
        mode: how the steps were computed, "eager" or "compiled".
    """

    __module__ = "gdlab"

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
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    mode: str = "eager"


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
        self.metrics = {name: np.full(runs, np.nan) for name in batch.metrics}
        self.x = batch.start.cpu().numpy().astype(np.float64).reshape(runs, dim)
        self.mode = "eager"
        self.errors: dict[int, Exception] = {}
        self._reasons: dict[int, str] = {}
        domain = batch.loss.domain
        self._domain = None if domain is None else batch.loss.tensor(domain).cpu().numpy()

    def add(self, chunk: Chunk) -> None:
        """Take in what a chunk says about its rows."""
        rows, self.mode = chunk.rows.cpu().numpy(), chunk.mode.name
        self.status[rows] = chunk.status.cpu().numpy()
        self.evaluations[rows] = chunk.evaluations.cpu().numpy()
        if chunk.error is not None:
            failed = rows[(chunk.status == Status.FAILED).cpu().numpy()]
            self.errors |= dict.fromkeys(failed.tolist(), chunk.error)
        if len(chunk.loss) == 0:
            return
        self._improve(rows, chunk)
        self._end(rows, chunk)

    def _end(self, rows: np.ndarray, chunk: Chunk) -> None:
        """Take in the last records of the rows that ended; a chunk may end none."""
        place = torch.nonzero(chunk.status != Status.RUNNING)[:, 0]
        if not len(place):
            return
        last, ended = chunk.last[place], rows[place.cpu().numpy()]
        self.steps[ended] = (chunk.first + last).cpu().numpy()
        self.final_loss[ended] = chunk.loss[last, place].cpu().numpy()
        self.grad_norm[ended] = chunk.grad_norm[last, place].cpu().numpy()
        self.x[ended] = chunk.x[last, place].cpu().numpy()
        for known, values in (
            (self.distance, chunk.last_distance()),
            (self.suboptimality, chunk.last_suboptimality()),
            *((self.metrics[name], values) for name, values in chunk.last_metrics.items()),
        ):
            if values is not None:
                known[ended] = values[place].cpu().numpy()

    def _improve(self, rows: np.ndarray, chunk: Chunk) -> None:
        """Update the best losses."""
        value, step = chunk.best_loss.cpu().numpy(), chunk.best_step.cpu().numpy()
        better = value < self.best_loss[rows]
        self.best_loss[rows[better]] = value[better]
        self.best_step[rows[better]] = step[better]

    def fill(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Take in the outcomes of all rows: the fields of `Outcome`, and metrics by their names."""
        for row, ended in enumerate(outcomes):
            self._reasons[row], self.mode = ended["reason"], ended["mode"]
            for name in ("status", "steps", "final_loss", "best_loss", "best_step", "grad_norm"):
                getattr(self, name)[row] = ended[name]
            for name in ("distance", "suboptimality"):
                getattr(self, name)[row] = np.nan if ended[name] is None else ended[name]
            for name, values in self.metrics.items():
                values[row] = np.nan if ended.get(name) is None else ended[name]
            self.evaluations[row] = ended["evaluations"]
            self.x[row, : len(ended["x"])] = ended["x"]

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
            metrics={name: _known(values[row]) for name, values in self.metrics.items()},
            mode=self.mode,
        )

    def reason(self, row: int) -> str:
        """How a run ended, as a sentence."""
        if row in self._reasons:
            return self._reasons[row]
        outside = "; the point is outside the domain of the loss" if self._is_outside(row) else ""
        return self._ending(row) + outside

    def _is_outside(self, row: int) -> bool:
        """Whether the last point lies outside the loss's domain, where it has one."""
        if self._domain is None:
            return False
        domain = self._domain if self._domain.ndim == 2 else self._domain[row]
        low, high = domain.T
        return bool(((self.x[row] < low) | (self.x[row] > high)).any())

    def _ending(self, row: int) -> str:
        """What ended a run."""
        stop, steps = self.stop, int(self.steps[row])
        status = Status(int(self.status[row]))
        if status == Status.CONVERGED:
            return f"the gradient norm fell to stop.grad_tol={stop.grad_tol:g} at step {steps}"
        if status == Status.TARGET:
            return f"the loss fell to stop.loss={stop.loss:g} at step {steps}"
        if status == Status.MAX_STEPS:
            tolerance = f"stop.grad_tol={stop.grad_tol:g}"
            return f"all {steps} steps are done; the gradient norm is above {tolerance}"
        if status == Status.STALLED:
            norm = f"the gradient norm there is {self.grad_norm[row]:.3g}"
            return f"the optimizer found no better point after step {steps}; {norm}"
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
        if steps == 0 and not (np.isfinite(loss) and np.isfinite(self.grad_norm[row])):
            return "the loss, its gradient or the point is not finite at the start"
        return f"the loss, its gradient or the point is no longer finite after step {steps}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
