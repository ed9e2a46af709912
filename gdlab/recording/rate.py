"""What theory says of a run before it starts, and what is measured of it as it goes.

Shapes: n records.
"""

from pathlib import Path

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.recording.parquet import read_parquet
from gdlab.recording.thinning import thinned_steps

_KEPT = 2000
_FEWEST = 8
_LOWEST = 1e-290
"""Below it numbers lose digits before they are zero."""


class RateMeter:
    """A sink that measures the rate of a run: by what the distance to its minimum shrinks a step.

    The distance is the root of the suboptimality, which in a quadratic is a norm of x − x*.

    Args:
        steps: the most that the run takes.
    """

    def __init__(self, steps: int) -> None:
        self._steps = thinned_steps(steps, _KEPT)
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []

    def write(self, piece: History) -> None:
        """Keep some of the records."""
        if piece.suboptimality is not None:
            shown = np.isin(piece.step, self._steps)
            self._kept.append((piece.step[shown], piece.suboptimality[shown]))

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Nothing: the rate is asked for."""

    @property
    def per_step(self) -> float | None:
        """The rate over the last half of the steps; None where they are too few."""
        if not self._kept:
            return None
        step, above = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
        return fitted_rate(step, above)


def fitted_rate(step: np.ndarray, above: np.ndarray) -> float | None:
    """The rate over the last half of some records, by least squares; None where they are too few.

    Args:
        step: the steps (n,), increasing.
        above: the suboptimality there (n,).
    """
    used = (2 * step >= step[-1]) & (above > _LOWEST) & np.isfinite(above)
    if used.sum() < _FEWEST:
        return None
    away = np.log(above[used]) / 2
    from_middle = step[used] - step[used].mean()
    return float(np.exp(from_middle @ away / (from_middle @ from_middle)))


def recorded_rate(settings: Settings, history: Path) -> float | None:
    """The rate of a run by the history that it left, as a `RateMeter` measures it."""
    table = read_parquet(history)
    step, loss = (table[name].to_numpy() for name in ("step", "loss"))
    above = settings.objective.suboptimality(torch.from_numpy(loss.copy()))
    shown = np.isin(step, thinned_steps(settings.steps, _KEPT))
    return None if above is None else fitted_rate(step[shown], above.numpy()[shown])
