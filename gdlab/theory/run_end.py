"""The end of one run, with the numbers that a sentence about it needs.

Shapes: D dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.theory.curvature import Spectrum
from gdlab.theory.edges import Edge, edge_between
from gdlab.theory.evidence import loss_of

if TYPE_CHECKING:
    from gdlab.theory.diagnosis import Diagnoses

_MOST_NAMED = 4
"""Coordinates of a point or a direction that a sentence names."""

INVISIBLE = 1e-3
"""The share of the largest entry below which an entry of a vector is shown as 0."""


@dataclass(frozen=True)
class RunEnd:
    """The end of one run of a batch, and what is known of it.

    Attributes:
        found: all diagnoses.
        row: the run's row of the batch.
        k: its place in the evidence.
    """

    found: "Diagnoses"
    row: int
    k: int

    @property
    def outcomes(self) -> Outcomes:
        """How the runs ended."""
        return self.found.outcomes

    def number(self, name: str) -> float:
        """Return a number of the run's outcome."""
        return self.outcomes.numbers[name][self.row].item()

    @property
    def x(self) -> np.ndarray:
        """The last point (D,)."""
        return self.outcomes.x[self.row]

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return float(self.found.evidence.lr[self.k])

    @property
    def limit(self) -> float:
        """The stability limit; NaN if unknown."""
        return float(self.found.evidence.limit[self.k])

    @property
    def maximizes(self) -> bool:
        """Whether the run climbs, so that it falls where others rise."""
        return self.found.evidence.maximizes

    @property
    def decay(self) -> float:
        """The coefficient of the optimizer's weight decay."""
        return of_row(self.found.batch.optimizer.decay, self.row)

    @property
    def span(self) -> int:
        """The number of last steps that were looked at."""
        return int(self.found.evidence.tail.span[self.k])

    @property
    def rises(self) -> float:
        """The share of these steps that raised the loss."""
        return float(self.found.evidence.tail.rises[self.k])

    @property
    def spectrum(self) -> Spectrum:
        """What is known of the Hessians; of a run whose diagnosis they decided."""
        assert self.found.evidence.spectrum is not None
        return self.found.evidence.spectrum

    @property
    def eigenvalues(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of the Hessian, likewise."""
        return float(self.spectrum.least[self.k]), float(self.spectrum.largest[self.k])

    @property
    def where(self) -> str:
        """Where the Hessian was computed."""
        if self.found.evidence.limit_step is not None:
            return f"at step {self.found.evidence.limit_step}"
        if self.outcomes.status[self.row] != Status.DIVERGED:
            return "at the last point"
        step = int(self.number("best_step"))
        return "at the start" if step == 0 else f"at the best point, after {steps_taken(step)}"


def of_row(number: "float | Tensor | None", row: int) -> float:
    """Return a number of a run that may be a column (R,) of the batch; 0 for None."""
    if number is None:
        return 0.0
    return float(number[row]) if isinstance(number, Tensor) and number.ndim else float(number)


def named(run: RunEnd, vector: np.ndarray, digits: int = 3) -> str:
    """Return the largest entries of a vector (D,), with the names of their coordinates."""
    names = run.found.batch.loss.names
    largest = np.argsort(-np.abs(vector), kind="stable")[:_MOST_NAMED]
    visible = np.where(np.abs(vector) < INVISIBLE * np.abs(vector).max(), 0.0, vector)
    text = ", ".join(f"{names[i]}: {visible[i]:.{digits}g}" for i in sorted(largest.tolist()))
    return f"{{{text}{', …' if len(vector) > _MOST_NAMED else ''}}}"


def loss_of_run(run: RunEnd) -> Callable[[Tensor], Tensor]:
    """The loss of the run."""
    return loss_of(run.found.batch, torch.tensor([run.row]))


def loss_at(run: RunEnd, point: np.ndarray) -> float:
    """Return the loss of the run at a point (D,)."""
    x = torch.as_tensor(point).to(run.found.batch.start)[None]
    with torch.no_grad():
        return float(loss_of_run(run)(x)[0])


def edge_of(run: RunEnd) -> Edge:
    """Return where the step after the run's last leaves the domain of the loss."""
    last = torch.as_tensor(run.x).to(run.found.batch.start)
    return edge_between(loss_of_run(run), last, run.outcomes.evidence.beyond[run.row])


def steps_taken(count: int) -> str:
    """Return a number of steps with its unit."""
    return f"{count} step{'s' * (count != 1)}"
