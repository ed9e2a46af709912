"""The pictures of a sweep as a whole, in its directory and in TensorBoard's run `overview`.

Which there are follows from what varies: many paths on one contour where the loss does not,
the final loss against lr where that does, and basins where the start's two coordinates do; the
sharpness beside 2/lr where it is recorded.
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
from gdlab.display.terminal import show_warning
from gdlab.fields.declared import Number
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Optimizer
from gdlab.plots.basins import basins_png
from gdlab.plots.sensitivity import Band, sensitivity_png
from gdlab.plots.stability import MOST, SharpnessPath, stability_png
from gdlab.plots.trajectories import Path as DrawnPath
from gdlab.plots.trajectories import overview_png
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.recording.run_plots import course_of, landscape, why_not_drawn
from gdlab.results.ranking import DataFrame, best, quartiles, split_by, values_of
from gdlab.schedules import Constant
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.run_dirs import RunDirectories

_MOST_PATHS = 40
_FEWEST_RATES = 5
_NEAR = 0.1
_START = ("start.0", "start.1")


def draw_sweep(
    plan: Plan,
    directory: Path,
    results: DataFrame,
    records: RunDirectories,
    say: Callable[[str], None] = show_warning,
) -> None:
    """Draw what there is to draw of a sweep.

    Args:
        plan: of the sweep.
        directory: the sweep's own.
        results: its table.
        records: the directories of its runs.
        say: told of each picture that cannot be drawn, and why.
    """
    drawn = {}
    for name, draw in _pictures(plan, results, records):
        try:
            drawn[name] = draw()
        except Exception as error:  # a person's own loss may raise anything off its path
            say(why_not_drawn(name, error))
    for name, png in drawn.items():
        write_atomically(directory / f"{name}.png", png)
    if drawn and plan.options.record.events:
        if (directory / "overview").is_dir():  # of a sweep that was resumed
            shutil.rmtree(directory / "overview")
        with EventWriter(directory / "overview") as writer:
            for name, png in drawn.items():
                writer.image(name, 0, png)


def _pictures(
    plan: Plan, results: DataFrame, records: RunDirectories
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    keys = plan.keys()
    if set(_START) <= set(keys) and plan.options.loss.dim == 2:
        yield "basins", partial(_basins, plan, results)
    elif keys and not any(key.partition(".")[0] in ("loss", "transform") for key in keys):
        paths = _paths(plan, records)
        if paths:
            yield "overview", partial(_overview, plan, paths)
    if plan.options.record.sharpness_every:
        courses = _courses(records)
        if courses:
            title = _title(plan.options, keys)
            yield "stability", partial(stability_png, courses, title=title)
    if "lr" in keys and results["lr"].nunique() >= _FEWEST_RATES:
        yield "sensitivity", partial(_sensitivity, plan, results)


def _paths(plan: Plan, records: RunDirectories) -> dict[int, np.ndarray]:
    """The paths of some of the recorded runs, evenly chosen."""
    chosen = _evenly(list(records.names()), _MOST_PATHS)
    paths = {run: records.points(run) for run in chosen}
    dim = plan.options.loss.dim
    return {run: points for run, points in paths.items() if len(points) and points.shape[1] == dim}


def _courses(records: RunDirectories) -> dict[str, SharpnessPath]:
    """The sharpness along some of the recorded runs, evenly chosen, by their directories' names."""
    names = records.names()
    paths = {names[run]: records.thinned(run) for run in _evenly(list(names), MOST)}
    courses = {name: course_of(path) for name, path in paths.items() if path is not None}
    return {name: course for name, course in courses.items() if course is not None}


def _evenly(runs: Sequence[int], count: int) -> list[int]:
    chosen = np.linspace(0, len(runs) - 1, min(count, len(runs))).round().astype(int)
    return [runs[at] for at in chosen]


def _overview(plan: Plan, paths: dict[int, np.ndarray]) -> bytes:
    varied = plan.keys()
    numeric = [key for key in varied if key in plan.groups[0].columns and key != "seed"]
    texts = [key for key in varied if key not in plan.groups[0].columns]
    setting = (texts or numeric or varied)[0]
    values: dict[int, Any] = dict(
        zip(paths, plan.varied(np.array(list(paths)))[setting], strict=True)
    )
    is_number = setting in numeric and not any(isinstance(v, list) for v in values.values())
    drawn = [
        DrawnPath(points, float(values[run]) if is_number else str(values[run]))
        for run, points in paths.items()
    ]
    scene = replace(landscape(plan.options), title=_title(plan.options, varied))
    return overview_png(scene, drawn, setting, is_log=setting == "lr")


def _title(settings: Settings, varied: Sequence[str]) -> str:
    """What the runs of a picture have in common."""
    names = {key: settings.name(key) for key in ("loss", "optimizer")} | {
        "lr": f"lr = {settings.lr:g}"
    }
    return " · ".join(name for key, name in names.items() if key not in varied)


def _sensitivity(plan: Plan, results: DataFrame) -> bytes:
    """The metric against lr, a line for each combination of the summary's settings."""
    metric = plan.metric
    series, limits, optima = {}, [], []
    for combination, rows in split_by(results, plan.by()):
        x, which = np.unique(rows["lr"].to_numpy(), return_inverse=True)
        values = values_of(rows, metric)
        spreads = [quartiles(values[which == at]) for at in range(len(x))]
        low, median, high = np.array(spreads).T
        label = ", ".join(f"{value}" for value in combination.values()) or "all runs"
        series[label] = Band(x, median, low, high)
        limits.append(_agreed(theory.stability_limit, plan, rows))
        optima.append(_agreed(theory.optimal_lr, plan, rows))
    lines = {"stability limit": limits, "optimal lr": optima}
    known = {name: values for name, values in lines.items() if None not in values}
    return sensitivity_png(series, xlabel="lr", ylabel=metric.name.replace("_", " "), lines=known)


def _agreed(
    predict: Callable[[Loss, Optimizer], Number | None], plan: Plan, rows: DataFrame
) -> float | None:
    """What theory says of a constant lr in some runs, if it says the same of all of them."""
    varied = plan.keys()
    keys = [key for key in varied if key.partition(".")[0] in NUMERIC]
    said = set()
    for _, part in split_by(rows, keys):
        settings = plan.settings_of(int(part["run"].iloc[0]))
        is_constant = isinstance(settings.schedule, Constant)
        value = predict(settings.objective, settings.optimizer) if is_constant else None
        said.add(None if value is None else float(value))
    return said.pop() if len(said) == 1 else None


def _basins(plan: Plan, results: DataFrame) -> bytes:
    """Which minimizer each start came near to.

    Where more than the start varies, with the other settings that were best over the starts.
    """
    settings, title, results = _best_part(plan, results)
    scene = landscape(settings)
    minimizers = scene.minimizers if scene.minimizers is not None else np.zeros((0, 2))
    x, y = (np.unique(results[key].to_numpy()) for key in _START)
    labels = np.full((len(y), len(x)), -1)
    ends = results[["x0", "x1"]].to_numpy(dtype=np.float64)
    away = np.linalg.norm(ends[:, None, :] - minimizers, axis=-1)
    nearest = np.where(away.min(1) <= _NEAR, away.argmin(1), -1) if len(minimizers) else -1
    column, row = (
        np.searchsorted(axis, results[key].to_numpy())
        for axis, key in zip((x, y), _START, strict=True)
    )
    labels[row, column] = nearest
    return basins_png(x, y, labels, (scene.names[0], scene.names[1]), minimizers, title=title)


def _best_part(plan: Plan, results: DataFrame) -> tuple[Settings, str, DataFrame]:
    """The best settings, a title of them, and the rows that differ in nothing but their start."""
    varied = plan.keys()
    others = [key for key in varied if key not in _START]
    run = best(results, (), others, plan.metric)[0].run
    combinations = split_by(results, others)
    chosen, rows = next(one for one in combinations if run in one[1]["run"].to_numpy())
    settings = plan.settings_of(run)
    words = [landscape(settings).title]
    words += [f"{key} = {v}" for key, v in chosen.items() if key not in ("loss", "optimizer", "lr")]
    if others:
        words.append(f"best of {len(combinations):,}")
    return settings, " · ".join(words), rows
