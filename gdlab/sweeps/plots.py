"""The pictures of a sweep as a whole, in its directory and in TensorBoard's run `overview`.

What varies decides which pictures there are: all paths on one contour plot where the loss does not
vary, the final loss against lr where lr does, basins of attraction where both coordinates of the
start do; the sharpness beside 2/lr where it is recorded.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gdlab import theory
from gdlab.config.settings import NUMERIC, Settings
from gdlab.console import visible
from gdlab.display.terminal import show_warning
from gdlab.errors import CUSTOM_ERRORS
from gdlab.plots.basins import basins_png
from gdlab.plots.sensitivity import Band, sensitivity_png
from gdlab.plots.stability import MAX_RUNS, SharpnessPath, stability_png
from gdlab.plots.trajectories import Path as DrawnPath
from gdlab.plots.trajectories import overview_png
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.recording.run_plots import landscape, sharpness_path, why_not_drawn
from gdlab.results.ranking import DataFrame, best, quartiles, split_by, values_of
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.run_dirs import RunDirectories
from gdlab.sweeps.selection import evenly_spaced

_MAX_PATHS = 40
_MIN_RATES = 5  # different lr
_REACHED = 0.1  # distance to a minimizer
_START = ("start.0", "start.1")


def draw_sweep(
    plan: Plan,
    directory: Path,
    results: DataFrame,
    records: RunDirectories,
    say: Callable[[str], None] = show_warning,
) -> None:
    """Draw the pictures that apply to a sweep.

    Args:
        plan: the sweep's plan.
        directory: the sweep's directory.
        results: its table.
        records: the directories of its runs.
        say: receives a message for each picture that cannot be drawn.
    """
    pictures = {}
    for name, draw in _applicable_pictures(plan, results, records):
        try:
            pictures[name] = draw()
        except CUSTOM_ERRORS as error:  # a custom loss may raise anything off its path
            say(why_not_drawn(name, error))
    for name, png in pictures.items():
        write_atomically(directory / f"{name}.png", png)
    if pictures and plan.options.record.events:
        if (directory / "overview").is_dir():  # left by an earlier attempt at this sweep
            shutil.rmtree(directory / "overview")
        with EventWriter(directory / "overview") as writer:
            for name, png in pictures.items():
                writer.image(name, 0, png)


def _applicable_pictures(
    plan: Plan, results: DataFrame, records: RunDirectories
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    keys = plan.keys()
    if set(_START) <= set(keys) and plan.options.loss.dim == 2:
        yield "basins", partial(_draw_basins, plan, results)
    elif keys and not any(key.partition(".")[0] in ("loss", "transform") for key in keys):
        paths = _read_paths(plan, records)
        if paths:
            yield "overview", partial(_draw_overview, plan, paths)
    if plan.options.record.sharpness_every:
        sharpness_paths = _read_sharpness_paths(records)
        if sharpness_paths:
            title = _common_title(plan.options, keys)
            yield "stability", partial(stability_png, sharpness_paths, title=title)
    if "lr" in keys and results["lr"].nunique() >= _MIN_RATES:
        yield "sensitivity", partial(_draw_sensitivity, plan, results)


def _read_paths(plan: Plan, records: RunDirectories) -> dict[int, np.ndarray]:
    """Read the paths of some recorded runs, evenly spaced."""
    chosen = evenly_spaced(list(records.names()), _MAX_PATHS)
    paths = {run: records.read_points(run) for run in chosen}
    dim = plan.options.loss.dim
    return {run: points for run, points in paths.items() if len(points) and points.shape[1] == dim}


def _read_sharpness_paths(records: RunDirectories) -> dict[str, SharpnessPath]:
    """Read the sharpness along some recorded runs, evenly spaced, by names of directories."""
    names = records.names()
    paths = {names[run]: records.read_thinned(run) for run in evenly_spaced(list(names), MAX_RUNS)}
    known = {name: sharpness_path(path) for name, path in paths.items() if path is not None}
    return {name: path for name, path in known.items() if path is not None}


def _draw_overview(plan: Plan, paths: dict[int, np.ndarray]) -> bytes:
    varied = plan.keys()
    numeric = [key for key in varied if key in plan.groups[0].columns and key != "seed"]
    texts = [key for key in varied if key not in plan.groups[0].columns]
    setting = (texts or numeric or varied)[0]
    values: dict[int, Any] = dict(
        zip(paths, plan.varied(np.array(list(paths)))[setting], strict=True)
    )
    is_number = setting in numeric and not any(isinstance(v, list) for v in values.values())
    drawn_paths = [
        DrawnPath(points, float(values[run]) if is_number else visible(str(values[run])))
        for run, points in paths.items()
    ]
    scene = replace(landscape(plan.options), title=_common_title(plan.options, varied))
    return overview_png(scene, drawn_paths, setting, is_log=setting == "lr")


def _common_title(settings: Settings, varied: Sequence[str]) -> str:
    """Return a title of what all runs of a picture have in common."""
    names = {key: settings.name(key) for key in ("loss", "optimizer")} | {
        "lr": f"lr = {settings.lr:g}"
    }
    return " · ".join(name for key, name in names.items() if key not in varied)


def _draw_sensitivity(plan: Plan, results: DataFrame) -> bytes:
    """Draw the metric against lr, one line for each combination of the settings `summary.by`."""
    metric = plan.metric
    series, limits, optima = {}, [], []
    for combination, rows in split_by(results, plan.by()):
        x, number = np.unique(rows["lr"].to_numpy(), return_inverse=True)
        values = values_of(rows, metric)
        low, median, high = np.array([quartiles(values[number == i]) for i in range(len(x))]).T
        label = ", ".join(f"{value}" for value in combination.values()) or "all runs"
        series[visible(label)] = Band(x, median, low, high)
        limits.append(_common_prediction(theory.stability_limit, plan, rows))
        optima.append(_common_prediction(theory.optimal_lr, plan, rows))
    lines = {"stability limit": limits, "optimal lr": optima}
    known = {name: values for name, values in lines.items() if None not in values}
    return sensitivity_png(series, xlabel="lr", ylabel=metric.name.replace("_", " "), lines=known)


def _common_prediction(claim: theory.Claim[[], float], plan: Plan, rows: DataFrame) -> float | None:
    """Return what theory predicts for a constant lr, if it is the same for all of these runs."""
    varied = plan.keys()
    keys = [key for key in varied if key.partition(".")[0] in NUMERIC]
    parts = split_by(rows, keys)
    settings = [plan.settings_of(int(part["run"].iloc[0])) for _, part in parts]
    predictions = {claim.of(one) for one in settings}
    return predictions.pop() if len(predictions) == 1 else None


def _draw_basins(plan: Plan, results: DataFrame) -> bytes:
    """Draw which minimizer each start came near to.

    Where more than the start varies, for the other settings that were best over all starts.
    """
    settings, title, results = _best_part(plan, results)
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
    return basins_png(x, y, labels, (scene.names[0], scene.names[1]), minimizers, title=title)


def _best_part(plan: Plan, results: DataFrame) -> tuple[Settings, str, DataFrame]:
    """Return the best settings, their title, and the rows that differ only in their start."""
    varied = plan.keys()
    others = [key for key in varied if key not in _START]
    run = best(results, (), others, plan.metric, plan.problems())[0].run
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
