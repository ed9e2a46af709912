"""The pictures of a sweep as a whole, in its directory and in TensorBoard's run `overview`.

What varies decides which pictures there are: all paths on one contour plot where the loss does not
vary, the final loss against lr where lr does, basins of attraction where both coordinates of the
start do; the sharpness beside the edge of stability where it is recorded.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab import theory
from gdlab.config.settings import NUMERIC, Settings
from gdlab.console import visible
from gdlab.errors import CUSTOM_ERRORS
from gdlab.plots.basins import draw_basins
from gdlab.plots.colors import Palette, Value
from gdlab.plots.comparison import draw_losses
from gdlab.plots.convergence import Curve
from gdlab.plots.sensitivity import draw_sensitivity
from gdlab.plots.stability import MAX_RUNS, draw_stability
from gdlab.plots.style import FORMATS, render
from gdlab.plots.trajectories import Path as DrawnPath
from gdlab.plots.trajectories import draw_overview
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically
from gdlab.recording.run_plots import (
    RunToDraw,
    landscape,
    landscape_of,
    loss_title,
    sharpness_path,
    suboptimality_of,
    why_not_drawn,
)
from gdlab.results.bands import band_of, why_no_bands
from gdlab.results.best_settings import best
from gdlab.results.ranking import DataFrame, rank_order, split_by
from gdlab.sweeps.labels import Labels
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.selection import evenly_spaced
from gdlab.sweeps.subject import SweepPicture, SweepToDraw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_PATHS = 40
_NOTHING_VARIES = "no setting varies, and gdlab.run(...).plot() draws a single run"
_REACHED = 0.1  # distance to a minimizer
_START = ("start.0", "start.1")


def render_picture(sweep: SweepToDraw, name: str) -> tuple[dict[str, bytes], list[str]]:
    """Draw one of `SWEEP_PICTURES`.

    Returns:
        The contents of its files by format, none if it does not apply to the sweep; and a message
        if it cannot be drawn.
    """
    record, picture = sweep.plan.options.record, SWEEP_PICTURES[name]
    try:
        if picture.why_not(sweep) is not None:
            return {}, []
        figure = picture.draw(sweep)
        suffixes = dict.fromkeys((*record.formats, *FORMATS[: record.events]))
        return {suffix: render(figure, suffix) for suffix in suffixes}, []
    except CUSTOM_ERRORS as error:  # a custom loss may raise anything off its path
        return {}, [why_not_drawn(name, error)]


def save_sweep(
    sweep: SweepToDraw, directory: Path, pictures: Mapping[str, Mapping[str, bytes]]
) -> None:
    """Write the pictures of a sweep, the contents of their files by name and format."""
    record = sweep.plan.options.record
    for name, files in pictures.items():
        for suffix in record.formats:
            write_atomically(directory / f"{name}.{suffix}", files[suffix])
    if pictures and record.events:
        if (directory / "overview").is_dir():  # left by an earlier attempt at this sweep
            shutil.rmtree(directory / "overview")
        with EventWriter(directory / "overview") as writer:
            for name, files in pictures.items():
                writer.image(f"overview/{name}", 0, files[FORMATS[0]])


def why_no_overview(sweep: SweepToDraw) -> str | None:
    """Say why there is no picture of the paths."""
    plan, varied = sweep.plan, sweep.plan.keys()
    if not varied:
        return _NOTHING_VARIES
    if any(key.partition(".")[0] in ("loss", "transform") for key in varied):
        return "the runs have different losses"
    if _is_grid_of_starts(plan):
        return "the starts make a grid"
    if plan.options.loss.dim > plan.options.record.max_coords:
        return "not all coordinates are recorded (record.max_coords)"
    return None if sweep.records.names() else "no run has a record"


def draw_overview_of(sweep: SweepToDraw) -> "Figure":
    """Draw the paths of some recorded runs on one loss, the lowest of them included."""
    known = sweep.records.read_thinned(_with_lowest(sweep, _spread(sweep, _MAX_PATHS)))
    plan, values = sweep.plan, sweep.labels.of_runs(list(known))
    triples = zip(known.items(), values, strict=True)
    drawn = [DrawnPath(path.x, v, path.step, visible(plan.name(r))) for (r, path), v in triples]
    scene = landscape_of(plan.options.objective, sweep.title)
    look: Any = {"total": len(plan), "size": sweep.size}
    return draw_overview(scene, drawn, sweep.labels.palette, **look)


def _with_lowest(sweep: SweepToDraw, shown: list[int]) -> list[int]:
    """Return the runs, with the recorded one of the lowest final loss in the place of the next."""
    recorded = sweep.results[sweep.results["run"].isin([*sweep.records.names()])]
    losses = recorded.set_index("run")["final_loss"].dropna()
    lowest = int(losses.idxmin()) if len(losses) else shown[0]
    if lowest in shown or len(shown) < _MAX_PATHS:
        return sorted({lowest, *shown})
    labels = dict(zip((lowest, *shown), sweep.labels.of_runs([lowest, *shown]), strict=True))
    alike = [run for run in shown if labels[run] == labels[lowest]] or shown
    nearest = min(alike, key=lambda run: abs(run - lowest))
    return sorted({lowest, *shown} - {nearest})


def _spread(sweep: SweepToDraw, most: int) -> list[int]:
    """Choose at most so many recorded runs, evenly over the labels and over the runs of each."""
    runs = list(sweep.records.names())
    by_label: dict[Value, list[int]] = {}
    for run, label in zip(runs, sweep.labels.of_runs(runs), strict=True):
        by_label.setdefault(label, []).append(run)
    shown = evenly_spaced(list(by_label.values()), most)
    shares = np.diff(np.linspace(0, most, len(shown) + 1).astype(int))
    chosen = [
        of if share >= len(of) else [of[int((k + 0.5) * len(of) / share)] for k in range(share)]
        for of, share in zip(shown, shares.tolist(), strict=True)
    ]
    return sorted(run for of_label in chosen for run in of_label)


def why_no_stability(sweep: SweepToDraw) -> str | None:
    """Say why there is no picture of the sharpness."""
    if not sweep.plan.options.record.sharpness_every:
        return "the sharpness was not recorded, which record.sharpness_every=10 asks for"
    return None if sweep.records.names() else "no run has a record"


def draw_stability_of(sweep: SweepToDraw) -> "Figure":
    """Draw the sharpness along some recorded runs by names of directories."""
    names, labels = sweep.records.names(), sweep.labels
    known = sweep.records.read_thinned(_spread(sweep, MAX_RUNS))
    plan = sweep.plan
    drawn = {
        run: sharpness_path(path, plan.settings_of(run).optimizer) for run, path in known.items()
    }
    paths = {run: path for run, path in drawn.items() if path is not None}
    if not paths:
        raise ValueError("no run has two values of the sharpness")
    of_runs = zip(paths, labels.of_runs(list(paths)), strict=True)
    looks = {names[run]: labels.palette.color(label) for run, label in of_runs}
    by_name = {names[run]: path for run, path in paths.items()}
    return draw_stability(by_name, title=sweep.title, looks=looks, size=sweep.size)


def why_no_convergence(sweep: SweepToDraw) -> str | None:
    """Say why there is no picture of the losses."""
    return None if sweep.plan.keys() else _NOTHING_VARIES


def draw_convergence_of(sweep: SweepToDraw) -> "Figure":
    """Draw the loss of the best run of each label over the steps."""
    plan, labels = sweep.plan, sweep.labels
    ranked = sweep.results["run"].to_numpy()[rank_order(sweep.results, plan.metric)].tolist()
    best_runs: dict[Value, int] = {}
    for run, label in zip(ranked, labels.of_runs(ranked), strict=True):
        best_runs.setdefault(labels.palette.key(label), run)
    shown = {v: best_runs[v] for v in labels.palette.values if v in best_runs}
    known = sweep.records.read_thinned(list(shown.values()))
    runs = {label: run for label, run in shown.items() if run in known}
    above = [suboptimality_of(RunToDraw(plan.settings_of(r), known[r])) for r in runs.values()]
    values = [each for each in above if each is not None]
    if len(values) < len(runs):
        values = [known[run].loss.astype(np.float64) for run in runs.values()]
    curves = [
        Curve(known[run].step, value, label)
        for (label, run), value in zip(runs.items(), values, strict=True)
    ]
    ylabel = "loss" if any(each is None for each in above) else "loss above the minimum"
    look: Any = {"title": sweep.title, "ylabel": f"{ylabel}, best runs", "size": sweep.size}
    losses = [loss_title(plan.settings_of(run)) for run in runs.values()]
    return draw_losses(curves, losses, labels.palette, **look)


def why_no_sensitivity(sweep: SweepToDraw) -> str | None:
    """Say why there is no picture of the loss against lr."""
    return why_no_bands(sweep.results, sweep.plan.keys())


def draw_sensitivity_of(sweep: SweepToDraw) -> "Figure":
    """Draw the metric against lr, one line for each label."""
    plan, results, labels = sweep.plan, sweep.results, sweep.labels
    metric, series, limits, optima = plan.metric, {}, [], []
    winners = best(results, plan.by(), plan.keys(), metric, plan.problems())
    for label, rows in _by_label(labels, results):
        series[label] = band_of(rows, metric, winners)
        limits.append(_common_prediction(theory.stability_limit, plan, rows))
        optima.append(_common_prediction(theory.optimal_lr, plan, rows))
    lines = {"stability limit": limits, "optimal lr": optima}
    known = {name: values for name, values in lines.items() if None not in values}
    palette = labels.palette if labels.groups else Palette.of("", series)
    names = "lr", metric.title
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


def why_no_basins(sweep: SweepToDraw) -> str | None:
    """Say why there is no picture of basins."""
    is_grid = _is_grid_of_starts(sweep.plan)
    return None if is_grid else "only start.0 and start.1 of a loss of two variables make a grid"


def draw_basins_of(sweep: SweepToDraw) -> "Figure":
    """Draw which minimizer each start came near to.

    Where more than the start varies, for the other settings that were best over all starts.
    """
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


SWEEP_PICTURES: Mapping[str, SweepPicture] = {
    "basins": SweepPicture(why_no_basins, draw_basins_of),
    "overview": SweepPicture(why_no_overview, draw_overview_of),
    "stability": SweepPicture(why_no_stability, draw_stability_of),
    "sensitivity": SweepPicture(why_no_sensitivity, draw_sensitivity_of),
}
"""The pictures in a sweep's directory by name."""

SWEEP_KINDS = {
    "overview": SWEEP_PICTURES["overview"],
    "basins": SWEEP_PICTURES["basins"],
    "convergence": SweepPicture(why_no_convergence, draw_convergence_of),
    **SWEEP_PICTURES,
}
"""The pictures that `plot` draws, the most telling first."""
