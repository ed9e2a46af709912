"""The measured convergence rate of a run.

Shapes: n records.
"""

from pathlib import Path

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.names import HISTORY
from gdlab.recording.parquet import read_parquet
from gdlab.recording.thinning import thinned_steps

_MAX_POINTS = 2000
_MIN_POINTS = 8
_LOWEST = 1e-290
"""Smaller numbers lose digits before they become zero."""


class RateMeter:
    """A sink that measures the rate of a run: the factor per step of the distance to its minimum.

    The distance is the root of the suboptimality; for a quadratic that is a norm of x − x*.

    Args:
        steps: the step limit of the run.
    """

    def __init__(self, steps: int) -> None:
        self._steps = thinned_steps(steps, _MAX_POINTS)
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []

    def write(self, piece: History) -> None:
        """Keep some of the records."""
        if piece.suboptimality is not None:
            is_kept = np.isin(piece.step, self._steps)
            self._kept.append((piece.step[is_kept], piece.suboptimality[is_kept]))

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Do nothing; `per_step` has the rate."""

    @property
    def per_step(self) -> float | None:
        """The rate over the last half of the steps; None if there are too few."""
        if not self._kept:
            return None
        step, above = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
        return fit_rate(step, above)


def fit_rate(step: np.ndarray, above: np.ndarray) -> float | None:
    """Fit the rate to the last half of the records by least squares; None if there are too few.

    Args:
        step: the steps (n,), increasing.
        above: the suboptimality at these steps (n,).
    """
    used = (2 * step >= step[-1:]) & (above > _LOWEST) & np.isfinite(above)
    if used.sum() < _MIN_POINTS:
        return None
    log_distance = np.log(above[used]) / 2
    centered = step[used] - step[used].mean()
    return float(np.exp(centered @ log_distance / (centered @ centered)))


def recorded_rate(settings: Settings, directory: Path) -> float | None:
    """Return the rate of a run from its history file, as a `RateMeter` would measure it."""
    table = read_parquet(VerifiedFiles(directory), HISTORY)
    step, loss = (table[name].to_numpy() for name in ("step", "loss"))
    above = settings.objective.suboptimality(torch.from_numpy(loss.copy()))
    is_kept = np.isin(step, thinned_steps(settings.steps, _MAX_POINTS))
    return None if above is None else fit_rate(step[is_kept], above.numpy()[is_kept])
