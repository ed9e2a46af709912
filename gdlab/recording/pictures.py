"""The trajectory of a run as pictures in its directory and in TensorBoard."""

from pathlib import Path

import numpy as np
import torch

from gdlab.engine import value_and_gradient
from gdlab.history import History
from gdlab.recording.figures import Landscape, trajectory_frames
from gdlab.recording.run_dir import write_whole
from gdlab.recording.tensorboard import EventWriter, thinned_steps
from gdlab.settings import Settings

_POINTS_DRAWN = 5_000
_FRAMES = 10


def draw(
    directory: Path,
    settings: Settings,
    path: History,
    writer: EventWriter | None,
    frames: int = _FRAMES,
) -> str | None:
    """Draw a path into `trajectory.png` and, where there is a writer, frame by frame into events.

    Returns:
        Why there is no picture, where a person's own loss cannot be drawn.
    """
    scene = landscape(settings)
    try:
        drawn = list(trajectory_frames(scene, path.step, path.x, frames=frames))
    except Exception as error:  # a person's own loss may raise anything off its path
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return f"the trajectory is not drawn ({what})"
    if writer is not None:
        for step, png in drawn:
            writer.image("trajectory", step, png)
    write_whole(directory / "trajectory.png", drawn[-1][1])
    return None


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
