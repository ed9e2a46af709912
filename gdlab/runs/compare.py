"""Several runs in one picture: `gdlab.compare`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.choice_files import default_values
from gdlab.config.settings import Settings
from gdlab.errors import SettingError
from gdlab.fields.formatting import describe_type, format_value
from gdlab.plots.colors import Palette, Value
from gdlab.plots.comparison import draw_comparison, draw_losses
from gdlab.plots.convergence import Curve
from gdlab.plots.paths import Path as DrawnPath
from gdlab.plots.projection import Landscape
from gdlab.plots.style import Size
from gdlab.recording.backgrounds import are_same
from gdlab.recording.figures import Look
from gdlab.recording.run_plots import (
    RunToDraw,
    join_title,
    landscape_of,
    loss_title,
    suboptimality_of,
    title_of,
)
from gdlab.recording.thinned_path import thinned_path
from gdlab.results.labels import USUAL, labels_of, short_names, told_apart
from gdlab.results.load import Recorded
from gdlab.results.recorded_run import flat_settings, loss_name, run_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gdlab.runs.run import Run

_NOT_COMPARED = ("record.", "engine.", "summary.")
_ON_AXIS = "steps"  # where one sees how they differ
_UNKNOWN = "loss not recorded"


def compare(
    *runs: "Run | Recorded",
    title: str | None = None,
    size: Size | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw several runs in one picture, labeled by the settings in which they differ.

    Where they share a loss, their paths are on it, to the left; their losses over the steps are to
    the right. Runs of different losses are in panels, one for each loss. Recorded runs, of which
    the files hold no function to evaluate, show their losses only; where the files hold no settings
    either, each run is labeled by what it is, or by its directory.

    >>> import gdlab
    >>> runs = [gdlab.run("rosenbrock", name, lr=0.001, steps=50) for name in ("sgd", "adam")]
    >>> figure = gdlab.compare(*runs, title="A race")
    >>> [text.get_text() for text in figure.legends[0].get_texts()][:2]
    ['sgd', 'adam']

    Args:
        runs: at least one, of `gdlab.run` or `gdlab.load`.
        title: the first line of the picture; None for what the runs have in common.
        size: width and height in inches; None for what the picture needs.
        path: a file to write it to, that ends in .png, .svg or .pdf.

    Returns:
        The figure, which pyplot does not know. In a notebook it shows itself.

    Raises:
        SettingError: one is no run, none has a finite point, or the path has another ending.
    """
    look = Look(title, size, path)
    for run in runs:
        _check_is_run(run)
    members = [each for run in runs if (each := member_of(run)) is not None]
    if not members:
        raise SettingError("compare: needs runs with a finite point, got none")
    told = tell_apart(members)
    curves, ylabel = _curves_of(members, told.labels)
    heading = told.title if title is None else title
    palette = Palette.of(told.setting, told.labels)
    words: Any = {"title": heading, "ylabel": ylabel, "size": size}
    scene = _shared_scene(members, heading)
    if scene is None:
        return look.draw(lambda: draw_losses(curves, _losses_of(members), palette, **words))
    paths = [
        DrawnPath(member.points, label, member.step)
        for member, label in zip(members, told.labels, strict=True)
    ]
    return look.draw(lambda: draw_comparison(scene, paths, curves, palette, **words))


def _check_is_run(given: Any) -> None:
    """Check that an object is a run or a recorded run.

    Raises:
        SettingError: it is neither.
    """
    if isinstance(given, Recorded):
        is_run, got = given.is_run, "a sweep"
    else:
        is_run, got = hasattr(given, "history") and hasattr(given, "settings"), describe_type(given)
    if not is_run:
        what = "needs runs, as in gdlab.compare(first, second) or gdlab.compare(*runs)"
        raise SettingError(f"compare: {what}; got {got}")


@dataclass(frozen=True)
class _Member:
    """A run to compare: n records.

    Attributes:
        loss: what pictures call its loss; empty where it is not known.
        name: what it is called where the settings of some run are not known.
        values: its settings by dotted names; empty where they are not known.
        step: (n,) the steps.
        losses: (n,) the losses there.
        above: (n,) the same above the minimum; None where it is not known.
        settings: None for a recorded run.
        points: (n, D) the points; (0, 0) for a recorded run.
    """

    loss: str
    name: str
    values: Mapping[str, Any]
    step: np.ndarray
    losses: np.ndarray
    above: np.ndarray | None = None
    settings: Settings | None = None
    points: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


def member_of(run: "Run | Recorded") -> _Member | None:
    """Return what is compared of a run; None where no record has a finite point."""
    if isinstance(run, Recorded):
        table = run.history()
        step, losses = table["step"].to_numpy(), table["loss"].to_numpy(dtype=np.float64)
        return _Member(loss_name(run), run_title(run), flat_settings(run), step, losses)
    settings = run.settings
    path = thinned_path(settings, run.history)
    if path is None:
        return None
    above, losses = suboptimality_of(RunToDraw(settings, path)), path.loss.astype(np.float64)
    names = loss_title(settings), title_of(settings)
    return _Member(*names, settings.flat(), path.step, losses, above, settings, path.x)


@dataclass(frozen=True)
class _Told:
    """What tells runs apart.

    Attributes:
        setting: its name; empty where the settings of some run are not known.
        labels: a different one for each run of a panel.
        title: what the runs have in common.
    """

    setting: str
    labels: list[Value]
    title: str


def tell_apart(members: Sequence[_Member]) -> _Told:
    """Label runs by the settings in which they differ, or else by their names."""
    losses = _losses_of(members)
    count = f"{len(members)} runs"
    if not all(member.values for member in members):
        return _Told("", told_apart("", [member.name for member in members], losses), count)
    flat = [member.values for member in members]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    keys = [key for key in keys if not key.startswith(_NOT_COMPARED)]
    varied = [key for key in keys if len({format_value(one.get(key)) for one in flat}) > 1]
    # Where the optimizer differs, its own settings differ too, and tell where they are not usual.
    groups = {key.partition(".")[0] for key in varied if "." not in key}
    unusual = [{key for group in groups for key in _unusual(group, one)} for one in flat]
    inner = {key for key in varied if "." in key and key.partition(".")[0] in groups}
    told = [key for key in varied if key not in inner or any(key in one for one in unusual)]
    told = [key for key in told if key != _ON_AXIS] or told
    if len(set(losses)) > 1:  # the titles of the panels say the rest
        varied = [*varied, "loss"]
        told = [key for key in told if key.partition(".")[0] != "loss"]
    names = short_names(told)
    rows = [
        [USUAL if key in inner and key not in its else one.get(key) for key in told]
        for one, its in zip(flat, unusual, strict=True)
    ]
    labels = labels_of(names, told, rows)
    first = flat[0]
    title = join_title(losses[0], first["optimizer"], first["lr"], varied)
    setting = ", ".join(names)
    return _Told(setting, told_apart(setting, labels, losses), title or count)


def _unusual(group: str, values: Mapping[str, Any]) -> set[str]:
    """Return the settings of a choice that differ from those in its file.

    Args:
        group: "loss", "optimizer" or "schedule"; anything else has none.
        values: all settings of a run.
    """
    usual = default_values(group, str(values.get(group)))
    shared = usual.keys() & values.keys()
    return {key for key in shared if format_value(usual[key]) != format_value(values[key])}


def _losses_of(members: Sequence[_Member]) -> list[str]:
    """Return the names of the losses of runs; where only one is known, the others are taken for it.

    The files of a run without settings do not name its loss.
    """
    known = {member.loss for member in members if member.loss}
    unknown = known.pop() if len(known) == 1 else _UNKNOWN
    return [member.loss or unknown for member in members]


def _curves_of(members: Sequence[_Member], labels: Sequence[Value]) -> tuple[list[Curve], str]:
    """Return the losses of runs, above their minima where all are known, and their name."""
    above = [member.above for member in members if member.above is not None]
    is_above = len(above) == len(members)
    values = above if is_above else [member.losses for member in members]
    curves = [
        Curve(member.step, value, label)
        for member, value, label in zip(members, values, labels, strict=True)
    ]
    return curves, "loss above the minimum" if is_above else "loss"


def _shared_scene(members: Sequence[_Member], heading: str) -> Landscape | None:
    """Return the loss that runs share; None where they do not, or not all coordinates are known."""
    first = members[0].settings
    if first is None:
        return None
    loss = first.objective
    is_one = all(
        member.settings is not None
        and are_same(loss, member.settings.objective)
        and member.points.shape[1] == loss.dim
        for member in members
    )
    return landscape_of(loss, heading) if is_one else None
