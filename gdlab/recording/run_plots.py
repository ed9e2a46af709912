"""The trajectory of a run as pictures in its directory and in TensorBoard."""

from pathlib import Path

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.fields.declared import Configured, declared_fields
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.plots.background import Background
from gdlab.plots.projection import Landscape, drawing_plane, view
from gdlab.plots.stability import SharpnessPath
from gdlab.plots.trajectory import trajectory_frames
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.recording.thinning import thinned_steps

_POINTS_DRAWN = 5_000
_FRAMES = 10
_GROUNDS = 8  # kept at once, 3 MB each
_FEWEST = 2  # values that make a line
_COMPARABLE = (bool, int, float, str, tuple)  # tensors and arrays do not say yes or no


def draw(
    directory: Path, settings: Settings, path: History, writer: EventWriter | None
) -> str | None:
    """Draw a path into `trajectory.png` and, where there is a writer, frame by frame into events.

    Returns:
        Why there is no picture, where a person's own loss cannot be drawn.
    """
    return Painter(_FRAMES).draw(directory, settings, path, writer)


class Painter:
    """Draws runs; what those of one loss in one view have in common is drawn once.

    Args:
        frames: at most so many pictures of each run.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._grounds: list[tuple[Loss, np.ndarray, Background]] = []

    def draw(
        self, directory: Path, settings: Settings, path: History, writer: EventWriter | None
    ) -> str | None:
        """Draw a run as the function `draw` does."""
        scene = landscape(settings)
        try:
            ground = self._ground(settings.objective, scene, path.x.astype(float, copy=False))
            drawn = trajectory_frames(scene, path.step, path.x, frames=self._frames, ground=ground)
        except Exception as error:  # a person's own loss may raise anything off its path
            return why_not_drawn("trajectory", error)
        if writer is not None:
            for step, png in drawn:
                writer.image("trajectory", step, png)
            writer.flush()  # who is killed now draws again; with the picture there, it would not
        write_atomically(directory / "trajectory.png", drawn[-1][1])
        return None

    def _ground(self, loss: Loss, scene: Landscape, path: np.ndarray) -> Background:
        plane = drawing_plane(scene, path)
        box = view(scene, path, plane)
        if not plane.whole:  # it goes through the path's own last point
            return Background(scene, plane, box)
        for known, its_box, ground in self._grounds:
            if np.array_equal(box, its_box) and are_same(loss, known):
                return ground
        ground = Background(scene, plane, box)
        self._grounds = [(loss, box, ground), *self._grounds[: _GROUNDS - 1]]
        return ground


def why_not_drawn(picture: str, error: Exception) -> str:
    """What is said in place of a picture."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"the {picture} is not drawn ({what})"


def are_same(one: Configured, other: Configured) -> bool:
    """Whether two losses, or what they hold, are known to be the same."""
    if one is other:
        return True
    values = ((getattr(one, name), getattr(other, name)) for name in declared_fields(type(one)))
    return type(one) is type(other) and all(
        a is b
        or (isinstance(a, _COMPARABLE) and a == b)
        or (isinstance(a, Configured) and are_same(a, b))
        for a, b in values
    )


class ThinnedPath:
    """A sink that keeps as much of a path as a picture can show, its last point included.

    Args:
        steps: the most that the run takes.
        every: what is computed at steps 0, every, 2·every, … alone is known at enough of them.
    """

    def __init__(self, steps: int, every: int = 1) -> None:
        thinned = thinned_steps(steps, _POINTS_DRAWN)
        self._steps = np.union1d(thinned, thinned // every * every)
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
    title = f"{settings.name('loss')} · {settings.name('optimizer')} · lr = {settings.lr:g}"
    return landscape_of(settings.objective, title)


def landscape_of(loss: Loss, title: str) -> Landscape:
    """What pictures with a title need to know of a loss."""
    loss = loss.to(torch.float64, torch.device("cpu"))

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
        title=title,
        window=None if window is None else loss.tensor(window).numpy(),
        minimizers=None if minimizers is None else loss.tensor(minimizers).numpy(),
        minimum=None if loss.minimum is None else float(loss.minimum),
    )


def course_of(path: History) -> SharpnessPath | None:
    """The course of a path's sharpness; None where it is known too seldom."""
    sharpness = path.metrics.get(SHARPNESS)
    if sharpness is None or np.isfinite(sharpness).sum() < _FEWEST:
        return None
    return SharpnessPath(path.step, path.loss, sharpness, path.lr)
