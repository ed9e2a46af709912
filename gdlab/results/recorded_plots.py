"""The pictures of runs and sweeps that were read from files, which hold no function to evaluate."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.settings import Settings
from gdlab.console import visible
from gdlab.errors import SettingError
from gdlab.plots.colors import Palette, Value
from gdlab.plots.comparison import draw_losses
from gdlab.plots.convergence import Curve, draw_loss, draw_training
from gdlab.plots.sensitivity import draw_sensitivity
from gdlab.plots.stability import draw_stability
from gdlab.plots.style import FORMATS, Size
from gdlab.recording.figures import Look, choose_kind
from gdlab.recording.run_plots import (
    KINDS,
    NO_SHARPNESS,
    RunToDraw,
    sharpness_path,
    training_curves,
    trajectory_of,
)
from gdlab.recording.thinned_path import thinned_path
from gdlab.results.bands import band_of, why_no_bands
from gdlab.results.known_loss import optimizer_of, settings_with_loss
from gdlab.results.labels import labels_of, short_names
from gdlab.results.ranking import rank_order, setting_label, to_python
from gdlab.results.recorded_run import run_title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from gdlab.results.load import Recorded

_NO_LOSS = "the files hold no function to evaluate"
_OF_SWEEPS = ("overview", "basins", "stability")  # that evaluate the loss or run again
_AVERAGED = ("lr", "seed", "start")


def draw(recorded: "Recorded", kind: str | None, look: Look) -> "Figure":
    """Draw a picture of a run or a sweep that was read from files.

    Args:
        recorded: the run or the sweep.
        kind: the name of the picture; None for the first that there is.
        look: how it is drawn; without a title, the first line is what was run or the directory.

    Raises:
        SettingError: there is no such picture; the message names those that can be drawn, and
            those in the directory.
        RecordError: a file is damaged.
    """
    directory = recorded.directory or Path()
    pictures = _pictures_of_run(recorded) if recorded.is_run else _pictures_of_sweep(recorded)
    reasons = {name: each if isinstance(each, str) else None for name, each in pictures.items()}
    try:
        picture = pictures[choose_kind(kind, reasons)]
    except SettingError as error:
        raise SettingError(f"{error}{_files_in(recorded.directory)}") from None
    assert not isinstance(picture, str)
    title = visible(look.title or _title_of(recorded, directory))
    return look.draw(lambda: picture(title=title, size=look.size))


def _title_of(recorded: "Recorded", directory: Path) -> str:
    """Return the first line of a picture: what was run where it is known, or the directory."""
    return run_title(recorded) if recorded.is_run else directory.name


def _files_in(directory: Path | None) -> str:
    """Say which pictures a directory holds."""
    if directory is None:
        return ""
    files = sorted(p.name for p in directory.iterdir() if p.suffix.lstrip(".") in FORMATS)
    return f"; {directory} holds {', '.join(files)}" if files else ""


_Pictures = Mapping[str, "Callable[..., Figure] | str"]


def _pictures_of_run(run: "Recorded") -> _Pictures:
    """Return what draws each picture of a run, or why there is none."""
    curve = _curve_of(run.history())
    others = dict.fromkeys((name for name in KINDS if name != "loss"), _NO_LOSS)
    settings = settings_with_loss(run.config, watched=True)
    trajectory = settings if isinstance(settings, str) else partial(_draw_path, run, settings)
    pair = training_curves(run.history.take(slice(None)))
    alone = partial(draw_loss, curve, ylabel="loss")
    return {
        "loss": alone if pair is None else partial(draw_training, *pair),
        **others,
        "trajectory": trajectory,
        "stability": _stability_of(run),
    }


def _stability_of(run: "Recorded") -> "Callable[..., Figure] | str":
    """Return what draws the sharpness beside its edge, or why it was not recorded."""
    optimizer = optimizer_of(run.config)
    path = sharpness_path(run.history.take(slice(None)), optimizer)
    if path is None:
        return NO_SHARPNESS
    return partial(draw_stability, {"sharpness": path})


def _draw_path(run: "Recorded", settings: Settings, *, title: str, size: Size | None) -> "Figure":
    """Draw the path of a run on its loss.

    Raises:
        SettingError: no recorded point is finite, or not all coordinates are recorded.
    """
    path = thinned_path(settings, run.history.take(slice(None)))
    reason = "no recorded point is finite"
    picture = (
        reason if path is None else trajectory_of(RunToDraw(settings, path, size=size, title=title))
    )
    if isinstance(picture, str):
        raise SettingError(f"kind=trajectory: cannot be drawn, {picture}")
    return picture.draw()


def _pictures_of_sweep(sweep: "Recorded") -> _Pictures:
    """Return what draws each picture of a sweep, or why there is none."""
    results, varied = sweep.results, sweep.varied
    convergence = None if sweep.directories else "no run has a history"
    sensitivity = why_no_bands(results, varied)
    return {
        "convergence": convergence or partial(_draw_convergence, sweep),
        "sensitivity": sensitivity or partial(_draw_sensitivity, sweep),
        **dict.fromkeys(_OF_SWEEPS, _NO_LOSS),
    }


def _draw_convergence(sweep: "Recorded", **look: Any) -> "Figure":
    """Draw the losses of the best recorded run of each label."""
    setting, labels = _labels_of(sweep)
    palette = Palette.of(setting, labels)
    best: dict[Value, int] = {}
    for row in rank_order(sweep.results, sweep.ranked_by, sweep.problems).tolist():
        run = int(sweep.results["run"].iloc[row])
        if run in (sweep.directories or {}):
            best.setdefault(palette.key(labels[row]), run)
    runs = {value: best[value] for value in palette.values if value in best}
    curves = [_curve_of(sweep.history(run), value) for value, run in runs.items()]
    named = [key for key in ("loss", "loss.formula") if key in sweep.varied]
    rows = sweep.results.set_index("run")[named]
    losses = [", ".join(map(str, rows.loc[run])) for run in runs.values()]
    return draw_losses(curves, losses, palette, ylabel="loss, best runs", **look)


def _draw_sensitivity(sweep: "Recorded", **look: Any) -> "Figure":
    """Draw the metric against lr, one line for each label."""
    setting, labels = _labels_of(sweep, is_against_lr=True)
    palette, metric = Palette.of(setting, labels), sweep.ranked_by
    keys = np.array([palette.values.index(palette.key(label)) for label in labels])
    winners = sweep.best()
    bands = {
        value: band_of(sweep.results[keys == at], metric, winners)
        for at, value in enumerate(palette.values)
    }
    return draw_sensitivity(bands, palette, labels=("lr", metric.title), **look)


def _curve_of(table: "pd.DataFrame", label: Value = "") -> Curve:
    """Return the losses of a history."""
    return Curve(table["step"].to_numpy(), table["loss"].to_numpy(dtype=np.float64), label)


def _labels_of(sweep: "Recorded", *, is_against_lr: bool = False) -> tuple[str, list[Value]]:
    """Return what tells the runs of a sweep apart, and the label of each row.

    As in the pictures that the sweep drew: all that varies besides lr, the seed and the start; lr
    where nothing else varies, or else the first setting.
    """
    keys = [key for key in sweep.varied if key.split(".")[0] not in _AVERAGED]
    if is_against_lr and not keys:
        return "", ["all runs"] * len(sweep.results)
    keys = keys or [key for key in ("lr", *sweep.varied) if key in sweep.varied][:1]
    names = short_names([setting_label(key) for key in keys])
    cells = sweep.results[keys].itertuples(index=False, name=None)
    labels = labels_of(names, keys, [[to_python(value) for value in row] for row in cells])
    return ", ".join(map(visible, names)), labels
