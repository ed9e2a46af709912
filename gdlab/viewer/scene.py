"""What the page shows of one problem: its landscape, and the paths of its runs, in one message.

Shapes: R runs, n records of a run, D dimensions, K coordinates of the plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gdlab.console import visible
from gdlab.errors import SettingError
from gdlab.plots.projection import Landscape
from gdlab.viewer.grids import MOST_LINE, SIDE, Grid, grid_of
from gdlab.viewer.marks import critical_marks, known_minimizers
from gdlab.viewer.planes import ShownPlane, choose_plane, first_view, project
from gdlab.viewer.problems import Problem
from gdlab.viewer.reading import ReadRun, first_notes
from gdlab.viewer.records import Records, read_records
from gdlab.viewer.records_of_problem import read_all
from gdlab.viewer.run_settings import axes_of, differing, labels_of_runs, rate_of, settings_of
from gdlab.viewer.values import is_number
from gdlab.viewer.visible_points import visible_points

VERSION = 1
SERVER_POINTS, REPORT_POINTS = 200_000, 50_000
_MOST_COORDINATES = 16


@dataclass(frozen=True)
class Scene:
    """The runs of a problem that can be shown, and how.

    Attributes:
        problem: the problem.
        landscape: its loss; without functions where it is not known.
        shown: the plane.
        view: (K, 2) the part of it that is shown first.
        runs: the numbers of the runs among those of the problem.
        records: of each, those that are seen.
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


@np.errstate(all="ignore")  # numbers near the ends of the range
def make_scene(problem: Problem, key: str = "") -> Scene:
    """Read the runs of a problem and choose the plane, the view and the grid.

    Args:
        problem: the problem.
        key: of the plane; "" for the default.

    Raises:
        SettingError: no run has a point to show, or there is no such plane.
    """
    notes = [note for run in problem.runs for note in run.notes]
    numbers, records = read_all(problem, notes)
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
    side = MOST_LINE if shown.kind == "line" else min(SIDE, problem.most_side)
    grid = grid_of(landscape, shown.plane, view, side) if landscape is problem.landscape else None
    del paths, losses
    if grid is None and shown.note:
        shown = replace(shown, note="paths are projected onto this plane")
    scene = Scene(
        problem, landscape, shown, view, tuple(numbers), tuple(records), grid, tuple(notes)
    )
    return _thinned(scene, SERVER_POINTS)


def _thinned(scene: Scene, budget: int) -> Scene:
    """Return a scene with the records that are seen, at most so many but for a few of each run."""
    records, plane = scene.records, scene.shown.plane
    kept = visible_points(scene.view, plane, records, _base_of(scene), budget)
    thinned = (r.take(rows) for r, rows in zip(records, kept, strict=True))
    return replace(scene, records=tuple(thinned))


def _no_value(points: np.ndarray) -> np.ndarray:
    return np.full(points.shape[:-1], np.nan)


def _unknown(problem: Problem, width: int) -> Landscape:
    """Return what is known of a loss that cannot be evaluated."""
    names = tuple(problem.head()["names"][:width])
    return Landscape(_no_value, _no_value, names, problem.title)


def _finite(records: Sequence[Records]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the finite points (n, D) of each run and their losses (n,)."""
    rows = [np.isfinite(r.x).all(axis=1) for r in records]
    pairs = [
        (r.x, r.loss) if row.all() else (r.x[row], r.loss[row])
        for r, row in zip(records, rows, strict=True)
    ]
    return [x for x, _ in pairs], [loss for _, loss in pairs]


def scene_message(scene: Scene, budget: int = SERVER_POINTS) -> dict[str, Any]:
    """Return the message of a scene.

    Args:
        scene: the scene.
        budget: the most points of all paths; a few per run are kept even if they are more.
    """
    if sum(map(len, scene.records)) > budget:
        scene = _thinned(scene, budget)
    problem, shown = scene.problem, scene.shown
    origin = scene.view.mean(axis=1)
    reads = [problem.runs[k] for k in scene.runs]
    keys = differing(problem.runs)
    labels = labels_of_runs(reads, keys)
    runs = []
    for k, (read, records) in enumerate(zip(reads, scene.records, strict=True)):
        head = {"index": scene.runs[k], "label": labels[k], **run_head(problem, read, keys)}
        path = project(shown.plane, records.x) - origin
        runs.append(head | arrays_of(scene.landscape, records, path))
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
        "marks": known_minimizers(scene.landscape, shown.plane),
        "axes": axes_of(reads, keys),
        "runs": runs,
        "thinned": any(len(records) < records.recorded for records in scene.records),
        "notes": first_notes([visible(note) for note in scene.notes]),
    }


def _base_of(scene: Scene) -> float:
    """Return what the logarithms of losses are above: the known minimum, or the lowest loss."""
    if scene.landscape.minimum is not None:
        return scene.landscape.minimum
    return float(min(np.nanmin(r.loss, initial=np.inf) for r in scene.records))


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


def marks_message(scene: Scene) -> dict[str, Any]:
    """Return the message of all marks: also the critical points of a loss that is seen whole.

    Those of a loss over data are not searched for.
    """
    made, plane = scene.problem.made, scene.shown.plane
    marks = known_minimizers(scene.landscape, plane)
    is_whole = scene.grid is not None and plane.is_whole_space
    if is_whole and not isinstance(made, str) and made.objective.examples is None:
        marks += critical_marks(made.objective, scene.landscape, scene.view)
    return {"marks": marks}


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
    return value if is_number(value) else None


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
        "metrics": {visible(name): values for name, values in records.metrics.items()},
        "recorded": records.recorded,
    }
