"""The pictures of one run, in its directory and in TensorBoard.

A new picture is one function from a `RunToDraw` to a `Picture` and one line of `PICTURES`.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.engine.history import History
from gdlab.engine.metrics import SHARPNESS
from gdlab.errors import CUSTOM_ERRORS, describe_error
from gdlab.losses.base import Loss
from gdlab.losses.models.data_loss import VALIDATION_LOSS
from gdlab.losses.watched import WatchedLoss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.optimizers.base import Optimizer
from gdlab.plots.convergence import (
    Curve,
    draw_convergence,
    draw_loss,
    draw_training,
    is_drawable,
)
from gdlab.plots.projection import Landscape
from gdlab.plots.stability import SharpnessPath, draw_stability
from gdlab.plots.style import FORMATS, Size, render
from gdlab.plots.trajectory import draw_trajectory, trajectory_frames
from gdlab.plots.weight_path import draw_weight_path
from gdlab.recording.backgrounds import Backgrounds
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.theory import predicted_rate, stability_edge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_TITLE = 60  # of the loss
_MIN_SHARPNESS_VALUES, _MIN_CONVERGENCE_POINTS = 2, 3  # that make a curve

NO_SHARPNESS = "the sharpness was not recorded, which record.sharpness_every=10 asks for"

Frames: TypeAlias = list[tuple[int, bytes]]
"""Steps, each with its PNG. TensorBoard gets all of them, the run's directory the last one."""


@dataclass(frozen=True)
class Picture:
    """A picture of a run that is not drawn yet.

    Attributes:
        step: the last step that it shows.
        draw: draws it as a figure.
        animate: draws it as frames, the last of which shows what the figure does; None for one
            frame only.
    """

    step: int
    draw: Callable[[], "Figure"]
    animate: Callable[[], Frames] | None = None


@dataclass(frozen=True)
class Drawn:
    """A picture of a run: its frames, and what its files contain by format."""

    frames: Frames
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, picture: Picture, formats: Iterable[str]) -> "Drawn":
        """Draw a picture in some formats, and its frames for TensorBoard."""
        others = [suffix for suffix in formats if suffix != FORMATS[0]]
        figure = picture.draw() if others or picture.animate is None else None
        if picture.animate is not None:
            frames = picture.animate()
        else:
            assert figure is not None
            frames = [(picture.step, render(figure, FORMATS[0]))]
        files = {FORMATS[0]: frames[-1][1]}
        files |= {suffix: render(figure, suffix) for suffix in others if figure is not None}
        return cls(frames, {suffix: files[suffix] for suffix in formats})


@dataclass(frozen=True)
class RunToDraw:
    """What the pictures of a run are drawn from.

    Attributes:
        settings: the run's settings.
        path: its records, as a `ThinnedPath` keeps them.
        max_frames: maximum number of frames of an animated picture in TensorBoard.
        backgrounds: shared by the runs of a sweep.
        size: width and height of the pictures in inches; None for what each needs.
        title: the first line of the pictures; None for what is seen.
    """

    settings: Settings
    path: History
    max_frames: int = 10
    backgrounds: Backgrounds = field(default_factory=Backgrounds)
    size: Size | None = None
    title: str | None = None

    @property
    def heading(self) -> str:
        """The first line of the pictures."""
        return title_of(self.settings) if self.title is None else visible(self.title)


def trajectory_of(run: RunToDraw) -> Picture | str:
    """Draw the path over the loss, unless only some coordinates of its points were recorded."""
    loss, path, size = run.settings.objective, run.path, run.size
    if path.x.shape[1] < loss.dim:
        return f"only {path.x.shape[1]} of {loss.dim} coordinates are recorded (record.max_coords)"
    if isinstance(loss, WatchedLoss):
        look: Any = {"title": run.heading, "names": loss.names, "size": size}
        return Picture(int(path.step[-1]), lambda: draw_weight_path(path.step, path.x, **look))
    scene = landscape_of(loss, run.heading)

    def animate() -> Frames:
        background = run.backgrounds.get(loss, scene, path.x.astype(float, copy=False), size)
        return trajectory_frames(
            scene, path.step, path.x, frames=run.max_frames, background=background
        )

    return Picture(
        int(path.step[-1]), lambda: draw_trajectory(scene, path.step, path.x, size=size), animate
    )


def convergence_of(run: RunToDraw) -> Picture | str:
    """Draw the suboptimality beside its bound, where theory predicts a rate."""
    rate, path = predicted_rate(run.settings), run.path
    above = suboptimality_of(run)
    if rate is None or above is None:
        return "theory predicts no rate for this run; its losses are kind=loss"
    if is_drawable(above).sum() < _MIN_CONVERGENCE_POINTS:
        return f"it needs {_MIN_CONVERGENCE_POINTS} losses above the minimum"
    bound, title = rate.bound(path.step, float(above[0])), run.heading
    look: Any = {"title": title, "rate": rate.per_step, "size": run.size}
    curve = Curve(path.step, above)
    return Picture(int(path.step[-1]), lambda: draw_convergence(curve, bound, **look))


def stability_of(run: RunToDraw) -> Picture | str:
    """Draw the sharpness beside the edge of stability, where it was recorded."""
    path = sharpness_path(run.path, run.settings.optimizer)
    if path is None:
        return NO_SHARPNESS
    look: Any = {"title": run.heading, "size": run.size}
    return Picture(int(path.step[-1]), lambda: draw_stability({"sharpness": path}, **look))


def loss_of(run: RunToDraw) -> Picture | str:
    """Draw the loss over the steps, above its minimum where that is known.

    Where examples are held out, their loss is beside that of the others.
    """
    above, path = suboptimality_of(run), run.path
    if not np.isfinite(path.loss).any():
        return "no loss is finite"
    pair = training_curves(path)
    if pair is not None:
        draw = partial(draw_training, *pair, title=run.heading, size=run.size)
        return Picture(int(path.step[-1]), draw)
    ylabel = "loss" if above is None else "loss above the minimum"
    curve = Curve(path.step, path.loss.astype(np.float64) if above is None else above)
    look: Any = {"title": run.heading, "ylabel": ylabel, "size": run.size}
    return Picture(int(path.step[-1]), lambda: draw_loss(curve, **look))


def training_curves(path: History) -> tuple[Curve, Curve] | None:
    """Return the training and the validation loss; None where no examples are held out."""
    held_out = path.metrics.get(VALIDATION_LOSS)
    if held_out is None or not np.isfinite(held_out).any():
        return None
    columns = (column.astype(np.float64) for column in (path.loss, held_out))
    training, validation = (Curve(path.step[known := ~np.isnan(v)], v[known]) for v in columns)
    return training, validation


PICTURES: Mapping[str, Callable[[RunToDraw], Picture | str]] = {
    "trajectory": trajectory_of,
    "convergence": convergence_of,
    "stability": stability_of,
}
"""The pictures in a run's directory by name; a function says why its picture does not apply."""

KINDS = {"trajectory": trajectory_of, "loss": loss_of, **PICTURES}
"""The pictures that `gdlab.Run.plot` draws, the most telling first."""


def suboptimality_of(run: RunToDraw) -> np.ndarray | None:
    """Return the losses above the known minimum (n,); None where it is unknown."""
    # From the losses, since a history file does not hold it.
    loss = torch.from_numpy(run.path.loss.astype(np.float64))
    above = run.settings.objective.suboptimality(loss)
    return None if above is None else above.numpy()


def draw_pictures(
    run: RunToDraw, names: Iterable[str] = PICTURES
) -> tuple[dict[str, Drawn], list[str]]:
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
                picture = PICTURES[name](run)
                if isinstance(picture, Picture):
                    pictures[name] = Drawn.of(picture, run.settings.record.formats)
        except CUSTOM_ERRORS as error:  # a custom loss may raise anything off its path
            problems.append(why_not_drawn(name, error))
    return pictures, problems


def save_pictures(
    directory: Path, pictures: Mapping[str, Drawn], writer: EventWriter | None
) -> None:
    """Write pictures into a run's directory and, where there is a writer, into its events."""
    if writer is not None:
        for name, drawn in pictures.items():
            for step, png in drawn.frames:
                writer.image(f"pictures/{name}", step, png)
        # Events first: a killed sweep draws again on resume whatever has no file yet.
        writer.flush()
    for name, drawn in pictures.items():
        for suffix, data in drawn.files.items():
            write_atomically(directory / f"{name}.{suffix}", data)


def why_not_drawn(picture: str, error: BaseException) -> str:
    """Return the message shown in place of a picture."""
    reason = describe_error(error)
    return f"the {picture} is not drawn ({reason})"


def landscape(settings: Settings) -> Landscape:
    """Return what the pictures need to know of a run's loss."""
    return landscape_of(settings.objective, title_of(settings))


def title_of(settings: Settings, varied: Container[str] = ()) -> str:
    """Return the title of pictures of runs that differ in the settings `varied`."""
    return join_title(loss_title(settings), settings.name("optimizer"), settings.lr, varied)


def join_title(loss: str, optimizer: str, lr: float, varied: Container[str] = ()) -> str:
    """Return the title of runs that share their loss, optimizer and lr, but for what varies."""
    names = {"loss": loss, "optimizer": optimizer, "lr": f"lr = {lr:.6g}"}
    return visible(" · ".join(name for key, name in names.items() if key not in varied))


def loss_title(settings: Settings) -> str:
    """Return what pictures call a loss: its formula, if it has one, or its name."""
    return shorten_title(settings.loss.title or settings.name("loss"))


def shorten_title(title: str) -> str:
    """Return the title of a loss as it fits into pictures."""
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"


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


def sharpness_path(path: History, optimizer: Optimizer) -> SharpnessPath | None:
    """Return the sharpness along the path of a run; None where fewer than two values are known."""
    sharpness = path.metrics.get(SHARPNESS)
    if sharpness is None or np.isfinite(sharpness).sum() < _MIN_SHARPNESS_VALUES:
        return None
    edge, formula = stability_edge(optimizer, path.lr)
    return SharpnessPath(path.step, path.loss, sharpness, edge, formula)
