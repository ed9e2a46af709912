"""The records of a run that its pictures show."""

import numpy as np

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.recording.thinning import thinned_steps

_MAX_POINTS = 5_000


class ThinnedPath:
    """A sink that keeps as many records as a picture can show, always the last one.

    Args:
        steps: the step limit of the run.
        every: interval of a quantity computed only at steps 0, every, 2·every, …; enough of
            these steps are kept.
    """

    def __init__(self, steps: int, every: int = 1) -> None:
        thinned = thinned_steps(steps, _MAX_POINTS)
        self._steps = np.union1d(thinned, thinned // every * every)
        self._kept: list[History] = []
        self._last: History | None = None

    def write(self, piece: History) -> None:
        """Keep some of the records."""
        if len(piece) == 0:
            return
        self._kept.append(piece.take(np.isin(piece.step, self._steps)))
        self._last = piece.take(np.array([len(piece) - 1]))

    def join(self) -> History | None:
        """Return the kept records with finite points, in order; None where there are none."""
        if self._last is None:
            return None
        path = History.join([*self._kept, self._last])
        _, first = np.unique(path.step, return_index=True)
        path = path.take(first)
        path = path.take(np.flatnonzero(np.isfinite(path.x).all(axis=1)))
        return path if len(path) else None


def thinned_path(settings: Settings, history: History) -> History | None:
    """Return the records of a whole run that its pictures show; None where no point is finite."""
    sink = ThinnedPath(settings.most_steps, settings.record.sharpness_every or 1)
    sink.write(history)
    return sink.join()
