"""The outcomes of runs, collected from the engine's chunks.

Shapes: R runs, D dimensions, K records of a chunk, n rows of a chunk.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk
from gdlab.engine.diagnoses import Diagnoses, KnownDiagnoses
from gdlab.engine.evidence import Evidence
from gdlab.engine.reasons import TOLD_BY_STEPS, Ending, describe_ending
from gdlab.engine.status import Status
from gdlab.engine.targets import Reached
from gdlab.engine.words import Words
from gdlab.fields.formatting import short_repr
from gdlab.optimizers.oracle import Obstacle

_LEFT_OUT = frozenset({"x", "explanation"})
"""Fields that are no columns of a table."""


def _number(dtype: type, initial: float, *, nullable: bool = False) -> Any:
    """Declare a field of an outcome that is a column of numbers in a batch.

    Args:
        dtype: the dtype of the column.
        initial: the value for a run without records.
        nullable: whether the number may be unknown: NaN in the column, null elsewhere.
    """
    return field(metadata={"dtype": dtype, "initial": initial, "nullable": nullable})


@dataclass(frozen=True, kw_only=True, repr=False)
class Outcome:
    """The end of one run. The fields are those of result.json and the columns of a sweep's table.

    >>> import gdlab
    >>> end = gdlab.run("booth", lr=0.1).outcome
    >>> end.status.name, end.x.round(3).tolist()
    ('CONVERGED', [1.0, 3.0])

    Attributes:
        status: how it ended.
        reason: how and why it ended, as a sentence.
        steps: the number of steps taken, T.
        final_loss: the loss at the last point.
        best_loss: the smallest loss of any record.
        best_step: the step at which it was first reached.
        grad_norm: the norm of the full gradient at the last point.
        x: the last point (D,).
        distance: the distance from the last point to the nearest known minimizer; None where none
            is known.
        suboptimality: the final loss above the known minimum; None where it is unknown.
        metrics: the metrics at the last point by name, such as accuracy or sharpness; and the
            evaluations to each of `stop.targets`, None where it was not reached.
        evaluations: the number of gradients computed; `gdlab.optimizers.oracle` says what else
            counts.
        diagnosis: what happened, a word of `gdlab.theory.Diagnosis` such as unstable or saddle;
            None where nothing is known beyond the status.
        explanation: the diagnosis as a sentence, with its numbers.
        lr_limit: the learning rate above which steps grow along the steepest direction, at the
            last point, or at the best one of a run that diverged; None where it is unknown.
        mode: how the steps were computed, "eager" or "compiled".
        mode_reason: why a run that was to be compiled ran in eager mode.
    """

    __module__ = "gdlab"

    status: Status
    reason: str
    steps: int = _number(np.int64, 0)
    final_loss: float = _number(np.float64, np.nan)
    best_loss: float = _number(np.float64, np.inf)
    best_step: int = _number(np.int64, 0)
    grad_norm: float = _number(np.float64, np.nan)
    x: np.ndarray
    distance: float | None = _number(np.float64, np.nan, nullable=True)
    suboptimality: float | None = _number(np.float64, np.nan, nullable=True)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    evaluations: int = _number(np.int64, 0)
    diagnosis: str | None = None
    explanation: str | None = None
    lr_limit: float | None = _number(np.float64, np.nan, nullable=True)
    mode: str = "eager"
    mode_reason: str | None = None

    def __repr__(self) -> str:
        point = short_repr([float(f"{value:.6g}") for value in self.x.tolist()])
        return f"Outcome({self.short}, x={point})"

    @property
    def short(self) -> str:
        """The end in a few words: the status and the step, then the loss, or why the run failed."""
        if self.status == Status.FAILED:
            return f"{self.status}: {self.reason}"
        return f"{self.status} at step {self.steps}, loss {self.final_loss:.6g}"


NUMBERS = {f.name: f.metadata for f in dataclasses.fields(Outcome) if "initial" in f.metadata}
"""The numeric fields of an outcome, in order, with their dtype, initial and nullable."""


class Outcomes:
    """The outcomes of a batch, filled in as its chunks arrive.

    Attributes:
        status: codes of `Status` (R,).
        numbers: the columns of `NUMBERS` by name, each (R,).
        metrics: the metrics by name, each (R,); NaN where unknown.
        x: the last points (R, D).
        obstacle: codes of `Obstacle`, for runs that stalled (R,).
        errors: the exceptions that ended failed runs, by row.
        evidence: what a diagnosis needs of the records.
        diagnoses: what happened; none until `gdlab.theory.diagnose` says it.
    """

    def __init__(self, batch: Batch) -> None:
        runs, dim = batch.start.shape
        self.stop, self.steps = batch.stop, batch.steps
        self._validated_every = batch.full_every
        self.status = np.zeros(runs, dtype=np.int64)
        self.numbers = {
            name: np.full(runs, spec["initial"], spec["dtype"]) for name, spec in NUMBERS.items()
        }
        self._reached = Reached(batch)
        self.metrics = {name: np.full(runs, np.nan) for name in batch.metrics}
        self.metrics |= self._reached.columns
        self.x = batch.start.cpu().numpy().astype(np.float64).reshape(runs, dim)
        self.mode: str = "eager"
        self.mode_reason: str | None = None
        self.errors: dict[int, BaseException] = {}
        self.obstacle = np.zeros(runs, dtype=np.int64)
        self.evidence = Evidence(batch)
        self.diagnoses: Diagnoses = KnownDiagnoses([None] * runs, [None] * runs)
        self._reasons: dict[int, str] = {}
        domain = batch.loss.domain
        self._domain = None if domain is None else batch.loss.tensor(domain).cpu().numpy()

    def add(self, chunk: Chunk) -> None:
        """Add a chunk."""
        rows = chunk.rows.cpu().numpy()
        self.mode, self.mode_reason = chunk.mode.name, chunk.mode.fallback_reason
        self.status[rows] = chunk.status.cpu().numpy()
        self.numbers["evaluations"][rows] = chunk.evaluations.cpu().numpy()
        self.obstacle[rows] = chunk.obstacle.cpu().numpy()
        if chunk.error is not None:
            failed = rows[(chunk.status == Status.FAILED).cpu().numpy()]
            self.errors |= dict.fromkeys(failed.tolist(), chunk.error)
        if len(chunk.loss) == 0:
            return
        self._reached.add(chunk)
        self.evidence.add(chunk, self._update_best(rows, chunk))
        self._add_endings(rows, chunk)

    def _add_endings(self, rows: np.ndarray, chunk: Chunk) -> None:
        """Add the last records of the rows that ended in a chunk, if any."""
        columns = torch.nonzero(chunk.status != Status.RUNNING)[:, 0]
        if not len(columns):
            return
        last, ended = chunk.last[columns], rows[columns.cpu().numpy()]
        self.x[ended] = chunk.x[last, columns].cpu().numpy()
        for name, values in (
            ("steps", chunk.first + last),
            ("final_loss", chunk.loss[last, columns]),
            ("grad_norm", chunk.grad_norm[last, columns]),
        ):
            self.numbers[name][ended] = values.cpu().numpy()
        for column, values in (
            (self.numbers["distance"], chunk.last_distance()),
            (self.numbers["suboptimality"], chunk.last_suboptimality()),
            *((self.metrics[name], values) for name, values in chunk.last_metrics.items()),
        ):
            if values is not None:
                column[ended] = values[columns].cpu().numpy()

    def _update_best(self, rows: np.ndarray, chunk: Chunk) -> torch.Tensor:
        """Update the best losses, and return which rows have a new one: (n,)."""
        value, step = chunk.best_loss.cpu().numpy(), chunk.best_step.cpu().numpy()
        better = value < self.numbers["best_loss"][rows]
        self.numbers["best_loss"][rows[better]] = value[better]
        self.numbers["best_step"][rows[better]] = step[better]
        return torch.from_numpy(better).to(chunk.rows.device)

    def fail(self, error: BaseException) -> None:
        """End all runs with an exception that kept them from beginning."""
        self.status[:] = Status.FAILED
        self.errors = dict.fromkeys(range(len(self.status)), error)

    def fill(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Set the outcomes of all rows from the fields of `Outcome` and metrics by name."""
        for row, outcome in enumerate(outcomes):
            self.status[row], self._reasons[row] = outcome["status"], outcome["reason"]
            self.mode, self.mode_reason = outcome["mode"], outcome.get("mode_reason")
            for name, column in self.numbers.items():
                column[row] = np.nan if outcome[name] is None else outcome[name]
            for name, column in self.metrics.items():
                column[row] = np.nan if outcome.get(name) is None else outcome[name]
            self.x[row, : len(outcome["x"])] = outcome["x"]
        words, sentences = (
            [outcome.get(name) for outcome in outcomes] for name in ("diagnosis", "explanation")
        )
        self.diagnoses = KnownDiagnoses(words, sentences)

    def __getitem__(self, row: int) -> Outcome:
        """The outcome of one run."""
        numbers: dict[str, Any] = {
            name: _none_if_nan(column[row]) if NUMBERS[name]["nullable"] else column[row].item()
            for name, column in self.numbers.items()
        }
        return Outcome(
            status=Status(int(self.status[row])),
            reason=self.reason(row),
            x=self.x[row],
            metrics={name: _none_if_nan(values[row]) for name, values in self.metrics.items()},
            diagnosis=self.diagnoses.word(row),
            explanation=self.diagnoses.sentence(row),
            mode=self.mode,
            mode_reason=self.mode_reason,
            **numbers,
        )

    def columns(self) -> dict[str, Any]:
        """Return the fields of all outcomes, in order: `Words` and arrays (R,).

        Points and explanations are left out.

        Numbers that may be unknown are masked arrays.
        """
        columns: dict[str, Any] = {}
        for name in (f.name for f in dataclasses.fields(Outcome) if f.name not in _LEFT_OUT):
            if name == "status":
                statuses = sorted(Status)
                codes = np.searchsorted(statuses, self.status)
                columns[name] = Words([str(status) for status in statuses], codes)
            elif name == "reason":
                columns[name] = self._all_reasons()
            elif name == "diagnosis":
                columns[name] = self.diagnoses.all_words()
            elif name == "metrics":
                columns |= {k: np.ma.masked_invalid(v) for k, v in self.metrics.items()}
            elif name in NUMBERS:
                column = self.numbers[name]
                is_nullable = NUMBERS[name]["nullable"]
                columns[name] = (
                    np.ma.masked_where(np.isnan(column), column) if is_nullable else column
                )
            else:
                columns[name] = Words([getattr(self, name)], np.zeros_like(self.status))
        return columns

    def _all_reasons(self) -> Words:
        """Return the reasons of all runs; what many have in common is said once."""
        runs, steps = np.arange(len(self.status)), self.numbers["steps"]
        if self._reasons:
            return Words([self.reason(row) for row in runs.tolist()], runs)
        # A run whose reason no other has is told apart by its row.
        own = np.where(np.isin(self.status, list(TOLD_BY_STEPS)), -1, runs)
        ends = np.stack((self.status, steps, self._are_outside(slice(None)), own), 1)
        order = np.lexsort(ends.T)
        is_new = np.append(True, (np.diff(ends[order], axis=0) != 0).any(1))
        codes = np.empty_like(runs)
        codes[order] = is_new.cumsum() - 1
        return Words([self.reason(row) for row in order[is_new].tolist()], codes)

    def reason(self, row: int) -> str:
        """Return how a run ended, as a sentence."""
        if row in self._reasons:
            return self._reasons[row]
        is_outside = bool(self._are_outside(slice(row, row + 1))[0])
        outside = "; the point is outside the domain of the loss" if is_outside else ""
        ending = Ending(
            status=Status(int(self.status[row])),
            steps=int(self.numbers["steps"][row]),
            loss=float(self.numbers["final_loss"][row]),
            norm=float(self.numbers["grad_norm"][row]),
            obstacle=Obstacle(int(self.obstacle[row])),
            error=self.errors.get(row),
            validated_every=self._validated_every,
        )
        return describe_ending(ending, self.stop, self.steps) + outside

    def _are_outside(self, rows: slice) -> np.ndarray:
        """Whether the last points of m rows lie outside the domain of the loss, if any: (m,)."""
        x = self.x[rows]
        if self._domain is None:
            return np.zeros(len(x), dtype=bool)
        domain = self._domain if self._domain.ndim == 2 else self._domain[rows]
        low, high = domain[..., 0], domain[..., 1]
        return np.any((x < low) | (x > high), axis=1)


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
