"""The pictures of `gdlab.Run.plot`, and those of several runs: `gdlab.compare`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.engine.history import History
from gdlab.errors import SettingError
from gdlab.fields.formatting import describe_type, format_value
from gdlab.plots.colors import Palette, Value, text_of
from gdlab.plots.comparison import draw_comparison
from gdlab.plots.convergence import Curve, draw_curves
from gdlab.plots.paths import Path as DrawnPath
from gdlab.plots.style import Size
from gdlab.recording.backgrounds import are_same
from gdlab.recording.figures import Look, check_kind, reason_error
from gdlab.recording.run_plots import (
    KINDS,
    RunToDraw,
    landscape_of,
    suboptimality_of,
    title_of,
)
from gdlab.recording.thinned_path import thinned_path
from gdlab.results.load import Recorded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gdlab.runs.run import Run

_NOT_COMPARED = ("record.", "engine.", "summary.")


def draw_run(settings: Settings, history: History, kind: str, look: Look) -> "Figure":
    """Draw a picture of a run.

    Args:
        settings: the settings of the run.
        history: its records.
        kind: a key of `KINDS`.
        look: how it is drawn.

    Raises:
        SettingError: there is no such kind, or this run has no such picture.
    """
    check_kind(kind, KINDS)
    path = thinned_path(settings, history)
    if path is None:
        raise SettingError(f"kind={kind}: cannot be drawn, no recorded point is finite")
    subject = RunToDraw(settings, path, size=look.size, title=look.title)
    pictures = {name: picture(subject) for name, picture in KINDS.items()}
    picture = pictures[kind]
    if isinstance(picture, str):
        raise reason_error(kind, picture, pictures)
    return look.draw(picture.draw)


def compare(
    *runs: "Run | Recorded",
    title: str | None = None,
    size: Size | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw several runs in one picture, labeled by the settings in which they differ.

    Where they share a loss, their paths are on it, to the left; their losses over the steps are to
    the right. Recorded runs, of which the files hold no loss to draw, show their losses only.

    >>> import gdlab
    >>> runs = [gdlab.run("rosenbrock", name, lr=0.001, steps=50) for name in ("sgd", "adam")]
    >>> figure = gdlab.compare(*runs, title="A race")
    >>> [text.get_text() for text in figure.legends[0].get_texts()][:2]
    ['sgd', 'adam']

    Args:
        runs: at least one; those that `gdlab.load` read are labeled by their directories.
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
    ran = [run for run in runs if not isinstance(run, Recorded)]
    return _compare_runs(ran, look) if len(ran) == len(runs) else _compare_losses(runs, look)


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
        what = "needs runs, as in gdlab.compare(first, second)"
        raise SettingError(f"compare: {what}; got {got}")


def _compare_losses(runs: Sequence["Run | Recorded"], look: Look) -> "Figure":
    """Draw the losses of runs of which some are recorded, each labeled by its folder."""
    names: list[str] = []
    curves: list[Curve] = []
    for run in runs:
        if isinstance(run, Recorded):
            table = run.history()
            step, loss = table["step"].to_numpy(), table["loss"].to_numpy(dtype=np.float64)
            names.append(visible(Path(run.directory or "").name))
        else:
            step, loss = run.history.step, run.history.loss.astype(np.float64)
            names.append(title_of(run.settings))
        curves.append(Curve(step, loss))
    labels = [
        f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names, start=1)
    ]
    curves = [curve._replace(label=label) for curve, label in zip(curves, labels, strict=True)]
    title = f"{len(runs)} runs" if look.title is None else look.title
    palette = Palette.of("", labels)
    return look.draw(lambda: draw_curves(curves, palette, title=title, size=look.size))


def _compare_runs(runs: Sequence["Run"], look: Look) -> "Figure":
    """Draw runs, with their paths on the loss that they share."""
    title, size = look.title, look.size
    thinned = [thinned_path(run.settings, run.history) for run in runs]
    known = [(run.settings, path) for run, path in zip(runs, thinned, strict=True) if path]
    if not known:
        raise SettingError("compare: needs runs with a finite point, got none")
    setting, labels, varied = label_by_difference([settings for settings, _ in known])
    above = [suboptimality_of(RunToDraw(settings, path)) for settings, path in known]
    values = [
        path.loss if other is None or any(each is None for each in above) else other
        for (_, path), other in zip(known, above, strict=True)
    ]
    curves = [
        Curve(path.step, value.astype(np.float64), label)
        for (_, path), value, label in zip(known, values, labels, strict=True)
    ]
    paths = [DrawnPath(p.x, label, p.step) for (_, p), label in zip(known, labels, strict=True)]
    first = known[0][0]
    heading = title_of(first, varied) if title is None else title
    loss = first.objective
    is_one = all(are_same(loss, s.objective) and p.x.shape[1] == loss.dim for s, p in known)
    scene = landscape_of(loss, heading) if is_one else None
    words: Any = {"title": heading, "ylabel": "loss above the minimum", "size": size}
    if any(each is None for each in above):
        words["ylabel"] = "loss"
    palette = Palette.of(setting, labels)
    return look.draw(lambda: draw_comparison(scene, paths, curves, palette, **words))


def label_by_difference(all_settings: list[Settings]) -> tuple[str, list[Value], list[str]]:
    """Label runs by the settings in which they differ.

    Returns:
        The name of what differs, a different label for each run, and all settings that differ.
    """
    flat = [settings.flat() for settings in all_settings]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    keys = [key for key in keys if not key.startswith(_NOT_COMPARED)]
    varied = [key for key in keys if len({format_value(one.get(key)) for one in flat}) > 1]
    # Where the optimizer differs, its own settings differ too, and say no more.
    groups = {key.partition(".")[0] for key in varied if "." not in key}
    told = [key for key in varied if "." not in key or key.partition(".")[0] not in groups]
    last = [key.rpartition(".")[2] for key in told]
    names = [n if last.count(n) == 1 else key for n, key in zip(last, told, strict=True)]
    values = [[one.get(key) for key in told] for one in flat]
    numbers = [float(row[0]) for row in values if len(row) == 1 and _is_number(row[0])]
    if len(set(numbers)) == len(flat):
        return names[0], [*numbers], varied
    labels = [
        ", ".join(
            _word(name, key, value) for name, key, value in zip(names, told, row, strict=True)
        )
        for row in values
    ]
    if len(set(labels)) < len(labels):
        labels = [f"{label} ({i})".lstrip() for i, label in enumerate(labels, start=1)]
    return ", ".join(names), [visible(label) for label in labels], varied


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _word(name: str, key: str, value: Any) -> str:
    """Return what a label says of one setting: its value, with its name unless it is a choice."""
    if _is_number(value):
        return f"{name} = {text_of(float(value))}"
    is_choice = "." not in key and isinstance(value, str)
    return format_value(value) if is_choice else f"{name} = {format_value(value)}"
