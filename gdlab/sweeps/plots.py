"""The pictures of a sweep as a whole, in its directory and in TensorBoard's run `overview`.

What varies decides which pictures there are: all paths on one contour plot where the loss does not
vary, the final loss against lr where lr does, basins of attraction where both coordinates of the
start do; the sharpness beside 2/lr where it is recorded.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gdlab import theory
from gdlab.config.settings import NUMERIC, Settings
from gdlab.display.terminal import show_warning
from gdlab.engine.history import History
from gdlab.errors import CUSTOM_ERRORS
from gdlab.plots.basins import draw_basins
from gdlab.plots.colors import Palette, Value
from gdlab.plots.sensitivity import Band, draw_sensitivity
from gdlab.plots.stability import MAX_RUNS, draw_stability
from gdlab.plots.style import FORMATS, Size, render
from gdlab.plots.trajectories import Path as DrawnPath
from gdlab.plots.trajectories import draw_overview
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.recording.run_plots import (
    landscape,
    landscape_of,
    sharpness_path,
    title_of,
    why_not_drawn,
)
from gdlab.results.ranking import DataFrame, best, quartiles, split_by, values_of
from gdlab.sweeps.labels import Labels
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.selection import evenly_spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_PATHS = 40
_MIN_RATES = 5  # different lr
_REACHED = 0.1  # distance to a minimizer
_START = ("start.0", "start.1")


class Records(Protocol):
    """The records of some runs of a sweep."""

    def names(self) -> dict[int, str]:
        """Return the names of the runs that have records, by run."""
        ...

    def read_thinned(self, run: int) -> History | None:
        """Read as many records of a run as a picture can show; None if no point is finite."""
        ...


@dataclass(frozen=True)
class SweepToDraw:
    """What the pictures of a sweep are drawn from.

    Attributes:
        plan: the sweep's plan.
        results: its table.
        records: of its runs.
        labels: what tells the runs apart, and their colors, the same in all pictures.
        size: width and height of the pictures in inches; None for what each needs.
    """

    plan: Plan
    results: DataFrame
    records: Records
    labels: Labels
    size: Size | None = None

    @property
    def title(self) -> str:
        """The title of what all runs have in common."""
        return title_of(self.plan.options, self.plan.keys())


def draw_sweep(
    sweep: SweepToDraw, directory: Path, say: Callable[[str], None] = show_warning
) -> None:
    """Draw the pictures that apply to a sweep.

    Args:
        sweep: the sweep.
        directory: the sweep's directory.
        say: receives a message for each picture that cannot be drawn.
    """
    record, pictures = sweep.plan.options.record, {}
    for name, picture in SWEEP_PICTURES.items():
        try:
            figure = picture(sweep)
            if not isinstance(figure, str):
                suffixes = dict.fromkeys((*record.formats, *FORMATS[: record.events]))
                pictures[name] = {suffix: render(figure, suffix) for suffix in suffixes}
        except CUSTOM_ERRORS as error:  # a custom loss may raise anything off its path
            say(why_not_drawn(name, error))
    for name, files in pictures.items():
        for suffix in record.formats:
            write_atomically(directory / f"{name}.{suffix}", files[suffix])
    if pictures and record.events:
        if (directory / "overview").is_dir():  # left by an earlier attempt at this sweep
            shutil.rmtree(directory / "overview")
        with EventWriter(directory / "overview") as writer:
            for name, files in pictures.items():
                writer.image(name, 0, files[FORMATS[0]])


def overview_of(sweep: SweepToDraw) -> "Figure | str":
    """Draw the paths of some recorded runs on one loss."""
    plan, varied = sweep.plan, sweep.plan.keys()
    if any(key.partition(".")[0] in ("loss", "transform") for key in varied):
        return "the runs have different losses"
    if not varied or _is_grid_of_starts(plan):
        return "the starts make a grid (kind=basins)" if varied else "no setting varies"
    dim = plan.options.loss.dim
    names = list(sweep.records.names())
    paths = {run: sweep.records.read_thinned(run) for run in evenly_spaced(names, _MAX_PATHS)}
    known = {run: p for run, p in paths.items() if p is not None and p.x.shape[1] == dim}
    if not known:
        return "no run has a record of all its coordinates"
    values = sweep.labels.of_runs(list(known))
    pairs = zip(known.values(), values, strict=True)
    drawn = [DrawnPath(path.x, value, path.step) for path, value in pairs]
    scene = landscape_of(plan.options.objective, sweep.title)
    return draw_overview(scene, drawn, sweep.labels.palette, size=sweep.size)


def stability_of(sweep: SweepToDraw) -> "Figure | str":
    """Draw the sharpness along some recorded runs, evenly spaced, by names of directories."""
    if not sweep.plan.options.record.sharpness_every:
        return "the sharpness was not recorded, which record.sharpness_every=10 asks for"
    names, paths = sweep.records.names(), {}
    for run in evenly_spaced(list(names), MAX_RUNS):
        records = sweep.records.read_thinned(run)
        path = None if records is None else sharpness_path(records)
        if path is not None:
            paths[run] = path
    if not paths:
        return "no run has a record of its sharpness"
    labels = sweep.labels.of_runs(list(paths))
    looks = {
        names[run]: sweep.labels.palette.color(label)
        for run, label in zip(paths, labels, strict=True)
    }
    by_name = {names[run]: path for run, path in paths.items()}
    return draw_stability(by_name, title=sweep.title, looks=looks, size=sweep.size)


def sensitivity_of(sweep: SweepToDraw) -> "Figure | str":
    """Draw the metric against lr, one line for each label."""
    plan, results, labels = sweep.plan, sweep.results, sweep.labels
    varied = plan.keys()
    if "lr" not in varied or results["lr"].nunique() < _MIN_RATES:
        return f"fewer than {_MIN_RATES} learning rates were tried"
    metric, series, limits, optima = plan.metric, {}, [], []
    for label, rows in _by_label(labels, results):
        x, number = np.unique(rows["lr"].to_numpy(), return_inverse=True)
        values = values_of(rows, metric)
        low, median, high = np.array([quartiles(values[number == i]) for i in range(len(x))]).T
        series[label] = Band(x, median, low, high)
        limits.append(_common_prediction(theory.stability_limit, plan, rows))
        optima.append(_common_prediction(theory.optimal_lr, plan, rows))
    lines = {"stability limit": limits, "optimal lr": optima}
    known = {name: values for name, values in lines.items() if None not in values}
    palette = labels.palette if labels.groups else Palette.of("", series)
    names = "lr", metric.name.replace("_", " ")
    look: Any = {"lines": known, "title": sweep.title, "size": sweep.size}
    return draw_sensitivity(series, palette, labels=names, **look)


def _by_label(labels: Labels, results: DataFrame) -> list[tuple[Value, DataFrame]]:
    """Split a table by the labels of its runs, in the order of the palette."""
    if not labels.groups:
        return [("all runs", results)]
    of_rows = np.array(labels.of_runs(results["run"].to_numpy()), dtype=object)
    known = {labels.palette.key(label): label for label in of_rows}
    return [(known[v], results[of_rows == known[v]]) for v in labels.palette.values if v in known]


def _common_prediction(claim: theory.Claim[[], float], plan: Plan, rows: DataFrame) -> float | None:
    """Return what theory predicts for a constant lr, if it is the same for all of these runs."""
    varied = plan.keys()
    keys = [key for key in varied if key.partition(".")[0] in NUMERIC]
    parts = split_by(rows, keys)
    settings = [plan.settings_of(int(part["run"].iloc[0])) for _, part in parts]
    predictions = {claim.of(one) for one in settings}
    return predictions.pop() if len(predictions) == 1 else None


def _is_grid_of_starts(plan: Plan) -> bool:
    return set(_START) <= set(plan.keys()) and plan.options.loss.dim == 2


def basins_of(sweep: SweepToDraw) -> "Figure | str":
    """Draw which minimizer each start came near to.

    Where more than the start varies, for the other settings that were best over all starts.
    """
    if not _is_grid_of_starts(sweep.plan):
        return "it needs a loss of two variables and a grid of starts (start.0 and start.1)"
    settings, title, results = _best_part(sweep.plan, sweep.results)
    scene = landscape(settings)
    minimizers = scene.minimizers if scene.minimizers is not None else np.zeros((0, 2))
    x, y = (np.unique(results[key].to_numpy()) for key in _START)
    labels = np.full((len(y), len(x)), -1)
    ends = results[["x0", "x1"]].to_numpy(dtype=np.float64)
    distances = np.linalg.norm(ends[:, None, :] - minimizers, axis=-1)
    nearest: Any = -1
    if len(minimizers):
        nearest = np.where(distances.min(1) <= _REACHED, distances.argmin(1), -1)
    column, row = (
        np.searchsorted(axis, results[key].to_numpy())
        for axis, key in zip((x, y), _START, strict=True)
    )
    labels[row, column] = nearest
    names = scene.names[0], scene.names[1]
    return draw_basins(x, y, labels, names, minimizers, title=title, size=sweep.size)


def _best_part(plan: Plan, results: DataFrame) -> tuple[Settings, str, DataFrame]:
    """Return the best settings, their title, and the rows that differ only in their start."""
    varied = plan.keys()
    others = [key for key in varied if key not in _START]
    run = best(results, (), others, plan.metric)[0].run
    combinations = split_by(results, others)
    chosen, rows = next(
        (combination, rows) for combination, rows in combinations if run in rows["run"].to_numpy()
    )
    settings = plan.settings_of(run)
    parts = [landscape(settings).title]
    parts += [f"{key} = {v}" for key, v in chosen.items() if key not in ("loss", "optimizer", "lr")]
    if others:
        parts.append(f"best of {len(combinations):,}")
    return settings, " · ".join(parts), rows


SWEEP_PICTURES: Mapping[str, Callable[[SweepToDraw], "Figure | str"]] = {
    "basins": basins_of,
    "overview": overview_of,
    "stability": stability_of,
    "sensitivity": sensitivity_of,
}
"""The pictures of a sweep by name; a function says why its picture does not apply."""
