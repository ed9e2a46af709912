"""What the page shows of one problem: its landscape, and the paths of its runs, in one message.

Shapes: R runs, n records of a run, D dimensions, K coordinates of the plane.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdlab.console import visible
from gdlab.errors import RecordError, SettingError
from gdlab.plots.projection import Landscape
from gdlab.viewer.grids import MOST_LINE, SIDE, Grid, grid_of
from gdlab.viewer.planes import ShownPlane, choose_plane, first_view, project
from gdlab.viewer.problems import Problem
from gdlab.viewer.reading import ReadRun, first_notes, note_of
from gdlab.viewer.records import MOST_RECORDS, Records, end_of, read_records
from gdlab.viewer.run_settings import axes_of, differing, labels_of_runs, rate_of, settings_of
from gdlab.viewer.thinning import most_significant, significance

VERSION = 1
SERVER_POINTS, REPORT_POINTS = 200_000, 50_000
_NUMBERS = 8_000_000  # float64 of all records that are compared: 64 MB
_PIXELS, _CHART_PIXELS = 1280.0, 200.0
_TOLERANCE = 0.4  # of a pixel
_BEYOND = 4.0  # views from the center: farther points are not told apart
_EARLY = 24  # points of each run at geometric steps, for logarithmic steps
_MOST_COORDINATES = 16
_WORKERS = 4


@dataclass(frozen=True)
class Scene:
    """The runs of a problem that can be shown, and how.

    Attributes:
        problem: the problem.
        landscape: its loss; without functions where it is not known.
        shown: the plane.
        view: (K, 2) the part of it that is shown first.
        runs: the numbers of the runs among those of the problem.
        records: of each.
        grid: the loss over the view; None where it is not known.
        notes: what cannot be shown.
    """

    problem: Problem
    landscape: Landscape
    shown: ShownPlane
    view: np.ndarray
    runs: tuple[int, ...]
    records: tuple[Records, ...]
    grid: Grid | None
    notes: tuple[str, ...]

    @property
    def known_landscape(self) -> Landscape | None:
        """The loss; None where it cannot be evaluated."""
        return self.landscape if self.grid is not None else None

    @property
    def why(self) -> str:
        """Why the loss cannot be evaluated."""
        return self.problem.why or "not all coordinates of its runs are recorded"


def make_scene(problem: Problem, key: str = "") -> Scene:
    """Read the runs of a problem and choose the plane, the view and the grid.

    Args:
        problem: the problem.
        key: of the plane; "" for the default.

    Raises:
        SettingError: no run has a point to show, or there is no such plane.
    """
    notes = [note for run in problem.runs for note in run.notes]
    numbers, records = _read_all(problem, notes)
    if not records:
        why = f" ({notes[0]})" if notes else ""
        raise SettingError(f"problem={problem.id}: no run has a point to show{why}")
    width = records[0].x.shape[1]
    landscape = problem.landscape
    if landscape is None or width < problem.dim:
        if landscape is not None:
            notes.append(
                f"only {width} of {problem.dim} coordinates are recorded "
                "(record.max_coords), so that there is no landscape"
            )
        landscape = _unknown(problem, width)
    paths, losses = _finite(records)
    lowest = [np.nanmin(loss, initial=np.inf) for loss in losses]
    shown = choose_plane(key, landscape, paths, int(np.argmin(lowest)))
    view = first_view(landscape, paths, losses, shown.plane)
    side = MOST_LINE if shown.kind == "line" else SIDE
    grid = grid_of(landscape, shown.plane, view, side) if landscape is problem.landscape else None
    return Scene(
        problem, landscape, shown, view, tuple(numbers), tuple(records), grid, tuple(notes)
    )


def _no_value(points: np.ndarray) -> np.ndarray:
    return np.full(points.shape[:-1], np.nan)


def _unknown(problem: Problem, width: int) -> Landscape:
    """Return what is known of a loss that cannot be evaluated."""
    names = tuple(problem.head()["names"][:width])
    return Landscape(_no_value, _no_value, names, problem.title)


def _read_all(problem: Problem, notes: list[str]) -> tuple[list[int], list[Records]]:
    """Read the records of all runs that have any; a note says which have not."""
    runs = problem.runs
    each = _NUMBERS // (len(runs) * (6 + min(problem.dim, 64)))
    most = min(MOST_RECORDS, max(100, each))

    def read(run: ReadRun) -> Records | str | None:
        try:
            if run.has_history:
                return read_records(run.path, most)
        except RecordError as error:
            return note_of(run.name, error)
        return None

    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(read, runs))
    notes += [f"{note}; its end is shown" for note in found if isinstance(note, str)]
    ends = (
        end_of(run) if not isinstance(f, Records) else f for run, f in zip(runs, found, strict=True)
    )
    usable = [(k, r) for k, r in enumerate(ends) if r is not None and _has_point(r)]
    width = max((r.x.shape[1] for _, r in usable), default=0)
    kept = [(k, r) for k, r in usable if r.x.shape[1] == width]
    for k, r in usable:
        if r.x.shape[1] < width:
            notes.append(f"{runs[k].name}: has {r.x.shape[1]} of {width} coordinates, not shown")
    return [k for k, _ in kept], [r for _, r in kept]


def _has_point(records: Records) -> bool:
    return records.x.shape[1] > 0 and bool(np.isfinite(records.x).all(axis=1).any())


def _finite(records: Sequence[Records]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the finite points (n, D) of each run and their losses (n,)."""
    rows = [np.isfinite(r.x).all(axis=1) for r in records]
    pairs = [(r.x[row], r.loss[row]) for r, row in zip(records, rows, strict=True)]
    return [x for x, _ in pairs], [loss for _, loss in pairs]


def scene_message(scene: Scene, budget: int = SERVER_POINTS) -> dict[str, Any]:
    """Return the message of a scene, its paths thinned to at most so many points in all.

    Args:
        scene: the scene.
        budget: the points; a few per run are kept even if they are more.
    """
    problem, shown = scene.problem, scene.shown
    paths = [project(shown.plane, r.x) for r in scene.records]
    kept = _kept(scene, paths, budget)
    origin = scene.view.mean(axis=1)
    reads = [problem.runs[k] for k in scene.runs]
    keys = differing(problem.runs)
    labels = labels_of_runs(reads, keys)
    runs = []
    for k, (read, records, path, rows) in enumerate(
        zip(reads, scene.records, paths, kept, strict=True)
    ):
        head = {"index": scene.runs[k], "label": labels[k], **run_head(problem, read, keys)}
        runs.append(head | arrays_of(scene.landscape, records.take(rows), path[rows] - origin))
    return {
        "version": VERSION,
        "problem": {
            **problem.head(),
            "minimum": scene.landscape.minimum,
            "formula": problem.formula,
        },
        "plane": shown.head(),
        "origin": origin.tolist(),
        "view": scene.view.tolist(),
        "grid": None if scene.grid is None else scene.grid.head(),
        "marks": known_marks(scene),
        "axes": axes_of(reads, keys),
        "runs": runs,
        "thinned": any(len(rows) < r.recorded for rows, r in zip(kept, scene.records, strict=True)),
        "notes": first_notes([visible(note) for note in scene.notes]),
    }


def run_message(scene: Scene, number: int) -> dict[str, Any]:
    """Return the message of one run of a problem, with all its records, up to 20,000.

    Raises:
        SettingError: it has none.
    """
    if number not in scene.runs:
        raise SettingError(f"run={number}: has no point to show")
    run = scene.problem.runs[number]
    records = read_records(run.path) if run.has_history else scene.records[scene.runs.index(number)]
    keys = differing(scene.problem.runs)
    path = project(scene.shown.plane, records.x) - scene.view.mean(axis=1)
    arrays = arrays_of(scene.landscape, records, path)
    head = {"index": number, "label": labels_of_runs([run], keys)[0]}
    x = {"x": records.x[:, :_MOST_COORDINATES]}
    return {"run": head | run_head(scene.problem, run, keys) | arrays | x}


def run_head(problem: Problem, run: ReadRun, keys: Sequence[str]) -> dict[str, Any]:
    """Return what messages say of a run, but for its records."""
    result = run.result
    texts = {key: visible(str(result.get(key) or "")) for key in ("diagnosis", "explanation")}
    numbers = ("steps", "final_loss", "best_loss", "evaluations", "lr_limit")
    return {
        "name": run.name,
        "status": visible(str(result.get("status") or "unknown")),
        **texts,
        **{key: _number(result.get(key)) for key in numbers},
        "settings": settings_of(run, keys),
        "rate": rate_of(problem, run),
    }


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def arrays_of(landscape: Landscape, records: Records, path: np.ndarray) -> dict[str, Any]:
    """Return the arrays of some records, and of their path (n, K) relative to the origin."""
    minimum = landscape.minimum
    return {
        "step": records.step,
        "path": path,
        "loss": records.loss,
        "grad_norm": records.grad_norm,
        "lr": records.lr,
        "sharpness": records.sharpness,
        "suboptimality": None if minimum is None else np.maximum(records.loss - minimum, 0.0),
        "recorded": records.recorded,
    }


def known_marks(scene: Scene) -> list[dict[str, Any]]:
    """Return the known minimizers in the plane."""
    landscape, plane = scene.landscape, scene.shown.plane
    if landscape.minimizers is None:
        return []
    projected = "" if plane.is_whole_space else ", projected"
    value = "" if landscape.minimum is None else f", loss {landscape.minimum:.6g}"
    label = f"minimizer{projected}{value}"
    points = plane.coordinates(landscape.minimizers).tolist()
    return [{"kind": "minimizer", "at": at, "label": label} for at in points]


def _kept(scene: Scene, paths: Sequence[np.ndarray], budget: int) -> list[np.ndarray]:
    """Return which records of each run to keep (n,)."""
    lengths = np.array([len(r) for r in scene.records])
    step = np.concatenate([r.step for r in scene.records])
    found = significance(step, _compared(scene, paths), lengths, _TOLERANCE)
    first = np.cumsum(lengths) - lengths
    for start, length in zip(first.tolist(), lengths.tolist(), strict=True):
        early = np.unique(np.geomspace(1, length, _EARLY).astype(int)) - 1
        found[start + early] = np.inf
    rows = most_significant(found, budget)
    of_run = np.split(rows, np.searchsorted(rows, first[1:]))
    return [part - start for part, start in zip(of_run, first.tolist(), strict=True)]


def _compared(scene: Scene, paths: Sequence[np.ndarray]) -> np.ndarray:
    """Return what is drawn of each record, in pixels: the path, and the logarithm of the loss."""
    center, extent = scene.view.mean(axis=1), np.diff(scene.view, axis=1)[:, 0]
    beyond = _BEYOND * _PIXELS
    path = (np.concatenate(paths) - center) / extent * _PIXELS
    path = np.clip(np.nan_to_num(path, nan=beyond), -beyond, beyond)
    loss = np.concatenate([r.loss for r in scene.records])
    base = scene.grid.scale.base if scene.grid is not None else np.nanmin(loss, initial=0.0)
    with np.errstate(all="ignore"):
        heights = np.log10(loss - min(base, 0.0 if base > 0 else base))
    is_known = np.isfinite(heights)
    if not is_known.any():
        return path
    low, high = np.percentile(heights[is_known], [0.0, 99.0])
    chart = (heights - low) / ((high - low) or 1.0) * _CHART_PIXELS * _TOLERANCE
    chart = np.clip(np.nan_to_num(chart, nan=_CHART_PIXELS), 0.0, 1.5 * _CHART_PIXELS)
    return np.column_stack([path, chart])
