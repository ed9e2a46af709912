"""All that a run leaves in its directory: one sink composed of several."""

from pathlib import Path

import numpy as np
import torch

from gdlab.engine import value_and_gradient
from gdlab.history import History
from gdlab.outcome import Outcome
from gdlab.recording.events import EventSink
from gdlab.recording.figures import Landscape, trajectory_frames
from gdlab.recording.run_dir import write_result, write_whole
from gdlab.recording.tables import HistoryFile
from gdlab.recording.tensorboard import thinned_steps
from gdlab.settings import Settings

_POINTS_DRAWN = 5_000


class RunRecorder:
    """A sink that fills a run's directory: history, result, events and pictures.

    Args:
        directory: the run's own.
        settings: of the run.
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self._directory, self._settings = directory, settings
        record, dim, steps = settings.record, settings.loss.dim, settings.steps
        self._history = HistoryFile(directory, dim, record.max_coords, steps)
        self._events = EventSink(directory, settings) if record.events else None
        self._path = ThinnedPath(steps) if record.figures else None

    def write(self, piece: History) -> None:
        """Hand the records on."""
        for sink in (self._history, self._events, self._path):
            if sink is not None:
                sink.write(piece)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Finish the history and the result, then the pictures and the events."""
        try:
            self._history.close(outcome, seconds)
            if outcome is not None:
                write_result(self._directory, outcome, self._settings.seed, seconds)
                self._draw()
        finally:
            if self._events is not None:
                self._events.close(outcome, seconds)

    def _draw(self) -> None:
        path = self._path.joined() if self._path is not None else None
        if path is None:
            return
        png = b""
        for step, png in trajectory_frames(landscape(self._settings), path.step, path.x):
            if self._events is not None:
                self._events.writer.image("trajectory", step, png)
        write_whole(self._directory / "trajectory.png", png)


class ThinnedPath:
    """A sink that keeps as much of a path as a picture can show, its last point included."""

    def __init__(self, steps: int) -> None:
        self._steps = thinned_steps(steps, _POINTS_DRAWN)
        self._kept: list[History] = []
        self._last: History | None = None

    def write(self, piece: History) -> None:
        """Keep some of the records."""
        if len(piece) == 0:
            return
        self._kept.append(piece.take(np.isin(piece.step, self._steps)))
        self._last = piece.take(np.array([len(piece) - 1]))

    def joined(self) -> History | None:
        """The kept records of finite points, in order; None where there are none."""
        if self._last is None:
            return None
        path = History.join([*self._kept, self._last])
        _, first = np.unique(path.step, return_index=True)
        path = path.take(first)
        path = path.take(np.flatnonzero(np.isfinite(path.x).all(axis=1)))
        return path if len(path) else None


def landscape(settings: Settings) -> Landscape:
    """What the pictures need to know of the loss of a run."""
    loss = settings.loss.to(torch.float64, torch.device("cpu"))

    def value(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return loss(torch.from_numpy(points)).numpy()

    def gradient(points: np.ndarray) -> np.ndarray:
        flat = torch.from_numpy(points.reshape(-1, points.shape[-1]))
        return value_and_gradient(loss, flat)[1].numpy().reshape(points.shape)

    minimizers, window = loss.minimizers, loss.window
    return Landscape(
        value=value,
        gradient=gradient,
        names=tuple(loss.names),
        title=f"{settings.name('loss')} · {settings.name('optimizer')} · lr = {settings.lr:g}",
        window=None if window is None else loss.tensor(window).numpy(),
        minimizers=None if minimizers is None else loss.tensor(minimizers).numpy(),
        minimum=None if loss.minimum is None else float(loss.minimum),
    )
