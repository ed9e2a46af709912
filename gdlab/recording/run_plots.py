"""The pictures of one run, in its directory and in TensorBoard.

A new picture is one function from a `RunToDraw` to `Frames` and one line of `PICTURES`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.errors import CUSTOM_ERRORS, describe_error
from gdlab.fields.declared import Configured, declared_fields
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.plots.background import Background
from gdlab.plots.convergence import convergence_png, is_drawable
from gdlab.plots.projection import Landscape, drawing_plane, view
from gdlab.plots.stability import SharpnessPath, stability_png
from gdlab.plots.trajectory import trajectory_frames
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.recording.thinning import thinned_steps
from gdlab.theory import predicted_rate

_MAX_POINTS = 5_000
_MAX_BACKGROUNDS = 8  # 3 MB each
_MIN_SHARPNESS_VALUES, _MIN_CONVERGENCE_POINTS = 2, 3  # that make a curve
_COMPARABLE = (bool, int, float, str, tuple)  # == of tensors and arrays is no bool

Frames: TypeAlias = list[tuple[int, bytes]]
"""Steps, each with its PNG. TensorBoard gets all of them, the run's directory the last one."""


class Backgrounds:
    """Draws the backgrounds of trajectories, one for all runs with the same loss and view."""

    def __init__(self) -> None:
        self._recent: list[tuple[Loss, np.ndarray, Background]] = []

    def get(self, loss: Loss, scene: Landscape, path: np.ndarray) -> Background:
        """Return the background for a path (n, D) of float64, drawn before or now."""
        plane = drawing_plane(scene, path)
        box = view(scene, path, plane)
        if not plane.is_whole_space:  # the plane goes through this path's last point
            return Background(scene, plane, box)
        for known, its_box, background in self._recent:
            if np.array_equal(box, its_box) and are_same(loss, known):
                return background
        background = Background(scene, plane, box)
        self._recent = [(loss, box, background), *self._recent[: _MAX_BACKGROUNDS - 1]]
        return background


@dataclass(frozen=True)
class RunToDraw:
    """What the pictures of a run are drawn from.

    Attributes:
        settings: the run's settings.
        path: its records, as a `ThinnedPath` keeps them.
        max_frames: maximum number of frames of an animated picture in TensorBoard.
        backgrounds: shared by the runs of a sweep.
    """

    settings: Settings
    path: History
    max_frames: int = 10
    backgrounds: Backgrounds = field(default_factory=Backgrounds)


def draw_trajectory(run: RunToDraw) -> Frames:
    """Draw the path over the loss, unless only some coordinates of its points were recorded."""
    loss, path = run.settings.objective, run.path
    if path.x.shape[1] < loss.dim:
        return []
    scene = landscape(run.settings)
    background = run.backgrounds.get(loss, scene, path.x.astype(float, copy=False))
    return trajectory_frames(scene, path.step, path.x, frames=run.max_frames, background=background)


def draw_convergence(run: RunToDraw) -> Frames:
    """Draw the suboptimality beside its bound, where theory predicts a rate."""
    rate, path = predicted_rate(run.settings), run.path
    # From the losses, since a history file does not hold it.
    loss = torch.from_numpy(path.loss.astype(np.float64))
    suboptimality = run.settings.objective.suboptimality(loss)
    if rate is None or suboptimality is None:
        return []
    above = suboptimality.numpy()
    if is_drawable(above).sum() < _MIN_CONVERGENCE_POINTS:
        return []
    bound, title = rate.bound(path.step, float(above[0])), landscape(run.settings).title
    png = convergence_png(path.step, above, bound, title=title, rate=rate.per_step)
    return [(int(path.step[-1]), png)]


def draw_stability(run: RunToDraw) -> Frames:
    """Draw the sharpness beside 2/lr, where it was recorded."""
    path = sharpness_path(run.path)
    if path is None:
        return []
    png = stability_png({"sharpness": path}, title=landscape(run.settings).title)
    return [(int(path.step[-1]), png)]


PICTURES: Mapping[str, Callable[[RunToDraw], Frames]] = {
    "trajectory": draw_trajectory,
    "convergence": draw_convergence,
    "stability": draw_stability,
}
"""The pictures of a run by name; a function returns no frames where its picture does not apply."""


def draw_pictures(
    run: RunToDraw, names: Iterable[str] = PICTURES
) -> tuple[dict[str, Frames], list[str]]:
    """Draw the pictures that apply to a run.

    Args:
        run: the run.
        names: the keys of `PICTURES` to draw.

    Returns:
        The pictures by name, and for each that failed a message.
    """
    pictures, problems = {}, []
    for name in names:
        try:
            with np.errstate(all="ignore"):  # numbers near the ends of the range
                frames = PICTURES[name](run)
        except CUSTOM_ERRORS as error:  # a custom loss may raise anything off its path
            problems.append(why_not_drawn(name, error))
        else:
            if frames:
                pictures[name] = frames
    return pictures, problems


def save_pictures(
    directory: Path, pictures: Mapping[str, Frames], writer: EventWriter | None
) -> None:
    """Write pictures into a run's directory and, where there is a writer, into its events."""
    if writer is not None:
        for name, frames in pictures.items():
            for step, png in frames:
                writer.image(name, step, png)
        # Events first: a killed sweep draws again on resume whatever has no file yet.
        writer.flush()
    for name, frames in pictures.items():
        write_atomically(directory / f"{name}.png", frames[-1][1])


def why_not_drawn(picture: str, error: BaseException) -> str:
    """Return the message shown in place of a picture."""
    reason = describe_error(error)
    return f"the {picture} is not drawn ({reason})"


def are_same(first: Configured, second: Configured) -> bool:
    """Return whether two losses, or parts of them, are certainly equal."""
    if first is second:
        return True
    names = declared_fields(type(first))
    values = ((getattr(first, name), getattr(second, name)) for name in names)
    return type(first) is type(second) and all(
        a is b
        or (isinstance(a, _COMPARABLE) and a == b)
        or (isinstance(a, Configured) and are_same(a, b))
        for a, b in values
    )


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


def landscape(settings: Settings) -> Landscape:
    """Return what the pictures need to know of a run's loss."""
    title = f"{settings.name('loss')} · {settings.name('optimizer')} · lr = {settings.lr:g}"
    return landscape_of(settings.objective, title)


def landscape_of(loss: Loss, title: str) -> Landscape:
    """Return what pictures with a title need to know of a loss."""
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
        names=tuple(map(visible, loss.names)),
        title=visible(title),
        window=None if window is None else loss.tensor(window).numpy(),
        minimizers=None if minimizers is None else loss.tensor(minimizers).numpy(),
        minimum=None if loss.minimum is None else float(loss.minimum),
    )


def sharpness_path(path: History) -> SharpnessPath | None:
    """Return the sharpness along a path; None where fewer than two values are known."""
    sharpness = path.metrics.get(SHARPNESS)
    if sharpness is None or np.isfinite(sharpness).sum() < _MIN_SHARPNESS_VALUES:
        return None
    return SharpnessPath(path.step, path.loss, sharpness, path.lr)
