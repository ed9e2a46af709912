"""The measured convergence rate of a run.

Shapes: n records, D dimensions.
"""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.numerics.rowwise import norm
from gdlab.recording.history_file import read_history
from gdlab.recording.thinning import thinned_steps

_MAX_POINTS = 2000
_MIN_POINTS = 8
_LOWEST = 1e-290
"""Smaller numbers lose digits before they become zero."""
_PER_STEP = 2
"""Roundings of the minimizer that a step may add to a distance."""
_PER_LOSS = 100
"""Roundings of a loss that its suboptimality may have, as a sum of many terms."""


class RateMeter:
    """A sink that measures the rate of a run: the factor per step of the distance to its minimum.

    The distance is that to the minimizer where it is known. Elsewhere it is the root of the
    suboptimality, which has half of the digits; for a quadratic that is a norm of x − x*.

    Args:
        settings: the settings of the run.
    """

    def __init__(self, settings: Settings) -> None:
        loss = settings.objective
        self._steps = thinned_steps(settings.most_steps, _MAX_POINTS)
        self._epsilon = torch.finfo(getattr(torch, settings.dtype)).eps
        known = loss.minimizers
        self._reach = 0.0 if known is None else float(norm(loss.tensor(known), (-1,)).max())
        self._kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def write(self, piece: History) -> None:
        """Keep the distances of some of the records, and the parts of them that are rounding."""
        piece = piece.take(np.isin(piece.step, self._steps))
        if piece.distance is not None:
            rounding = _PER_STEP * self._epsilon * self._reach * piece.step
            self._kept.append((piece.step, piece.distance.astype(np.float64), rounding))
        elif piece.suboptimality is not None:
            above = piece.suboptimality.astype(np.float64)
            rounding = _PER_LOSS * self._epsilon * np.abs(piece.loss.astype(np.float64))
            self._kept.append((piece.step, np.sqrt(above.clip(min=0)), np.sqrt(rounding)))

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Do nothing; `per_step` has the rate."""

    @property
    def per_step(self) -> float | None:
        """The rate over the last half of the steps above rounding; None if there are too few."""
        if not self._kept:
            return None
        return fit_rate(*(np.concatenate(parts) for parts in zip(*self._kept, strict=True)))


def fit_rate(step: np.ndarray, distance: np.ndarray, rounding: np.ndarray) -> float | None:
    """Fit the rate to the last half of the steps by least squares; None if there are too few.

    Args:
        step: the steps (n,), increasing.
        distance: the distances at these steps (n,).
        rounding: the distances (n,) at or below which they may be rounding, and are left out.
    """
    used = (distance > np.maximum(rounding, _LOWEST)) & np.isfinite(distance)
    used &= 2 * step >= step[used].max(initial=0)
    if used.sum() < _MIN_POINTS:
        return None
    log_distance = np.log(distance[used])
    centered = step[used] - step[used].mean()
    return float(np.exp(centered @ log_distance / (centered @ centered)))


def recorded_rate(settings: Settings, directory: Path) -> float | None:
    """Return the rate of a run from its history file, as a `RateMeter` would measure it."""
    meter, loss, records = RateMeter(settings), settings.objective, read_history(directory)
    kept = records.take(np.isin(records.step, thinned_steps(settings.most_steps, _MAX_POINTS)))
    is_whole = kept.x.shape[1] == loss.dim
    distance = loss.distance(torch.from_numpy(kept.x)) if is_whole else None
    above = loss.suboptimality(torch.from_numpy(kept.loss))
    known = {"distance": distance, "suboptimality": above}
    arrays = {name: None if value is None else value.numpy() for name, value in known.items()}
    meter.write(dataclasses.replace(kept, **arrays))
    return meter.per_step
