"""Recorded runs as the racers of a moving picture.

Shapes: M runs, n records of a run, D dimensions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gdlab.console import visible
from gdlab.engine.status import Status
from gdlab.errors import RecordError, SettingError
from gdlab.plots.colors import MOST, Palette, Value
from gdlab.plots.landscape import MAX_SLICED, relief_of
from gdlab.plots.projection import FAR
from gdlab.plots.race import Track
from gdlab.plots.racers import SIZE, Look, Racer, Scenery
from gdlab.plots.style import Size, join_notes
from gdlab.results.labels import USUAL, labels_of, short_names
from gdlab.viewer.problems import Problem, problems_of
from gdlab.viewer.reading import Reader, ReadRun
from gdlab.viewer.records import Records, read_records
from gdlab.viewer.run_settings import differing, labels_of_runs, shown
from gdlab.viewer.scene import Scene, make_scene

MOST_RUNS = 40
"""More would hide each other; some are chosen, evenly spaced."""

_MARKS = {
    str(Status.CONVERGED): "ring",
    str(Status.TARGET): "ring",
    str(Status.DIVERGED): "cross",
    str(Status.FAILED): "cross",
    str(Status.STALLED): "",
    str(Status.EARLY_STOPPED): "",
}
_USUAL = ("optimizer", "lr")
_AVERAGED = ("lr", "seed", "start", "start_spread")
_SLICE = "levels: the slice of the loss through the end of the best run; paths are projected"


@dataclass(frozen=True)
class Race:
    """The moving picture of some runs, not drawn yet.

    Attributes:
        track: its frames.
        notes: what could not be read, one line each.
    """

    track: Track
    notes: tuple[str, ...]


def race_of(
    directories: Iterable[Path], *, title: str | None = None, plane: str = "", size: Size = SIZE
) -> Race:
    """Read the runs in and below some directories, all on one loss, and prepare their picture.

    Args:
        directories: of runs and of sweeps.
        title: the first line; None for what the runs have in common.
        plane: "principal" or two coordinates such as "0,1", for D > 2; "" for the default.
        size: width and height in inches.

    Raises:
        SettingError: there is no run, the runs minimize several losses, no point can be shown, or
            there is no such plane.
    """
    problem, count = _problem_of(directories)
    scene = make_scene(problem, plane)
    reads = [problem.runs[k] for k in scene.runs]
    setting, values, names = told_apart(reads)
    records = [_all_records(*pair) for pair in zip(reads, scene.records, strict=True)]
    racers = [
        _racer(scene, kept, read.result, value, name)
        for kept, read, value, name in zip(records, reads, values, names, strict=True)
    ]
    is_slice = 2 < len(scene.shown.plane.origin) <= MAX_SLICED and scene.grid is not None
    some = f"{len(reads):,} of {count:,} runs" if len(reads) < count else ""
    look = Look(
        title=_title_of(problem, reads) if title is None else visible(title),
        ylabel="loss" if scene.landscape.minimum is None else "loss above the minimum",
        note=join_notes(some, _SLICE if is_slice else ""),
        size=size,
    )
    track = Track(_scenery(scene), racers, Palette.of(setting, values), look)
    return Race(track, scene.notes)


def _problem_of(directories: Iterable[Path]) -> tuple[Problem, int]:
    """Return the one problem of all runs, with as many runs as are shown, and how many there are.

    Raises:
        SettingError: there is none, or there are several.
    """
    given = list(directories)
    runs = [run for directory in given for run in Reader(directory).read().runs]
    problems = problems_of(list({run.path: run for run in runs}.values()))
    if not problems:
        raise SettingError(f"DIR={', '.join(map(str, given))}: holds no run")
    if len(problems) > 1:
        named = ", ".join(f"{each.title} ({len(each.runs)})" for each in problems[:4])
        more = ", …" if len(problems) > 4 else ""
        what = f"the runs minimize {len(problems)} different losses: {named}{more}"
        raise SettingError(f"DIR: {what}; give the directories of one")
    runs = problems[0].runs
    places = np.linspace(0, len(runs) - 1, min(MOST_RUNS, len(runs))).round().astype(int)
    return replace(problems[0], runs=tuple(runs[k] for k in places.tolist())), len(runs)


def told_apart(reads: Sequence[ReadRun]) -> tuple[str, list[Value], list[str]]:
    """Return what colors tell apart, its value for each run, and the name of each run.

    Up to eight runs have a color each; more are colored by the settings other than lr, the seed and
    the start, if any of these differ.
    """
    keys = differing(reads) if len(reads) > 1 else [*_USUAL]
    names = labels_of_runs(reads, keys)
    if len(reads) > MOST:
        keys = [key for key in keys if key.split(".")[0] not in _AVERAGED] or keys[:1]
    short = [visible(name) for name in short_names(keys)]
    rows = [[shown(r.settings[k]) if k in r.settings else USUAL for k in keys] for r in reads]
    values = labels_of(short, keys, rows)
    is_numeric = values and not isinstance(values[0], str)
    if len(reads) <= MOST and not (is_numeric and len({*values}) == len(reads)):
        return "", [*names], names
    return ", ".join(short), values, names


def _all_records(run: ReadRun, few: Records) -> Records:
    """Return all records of a run; the few of a scene, where its file is missing or damaged."""
    try:
        return read_records(run.path) if run.has_history else few
    except RecordError:  # the notes of the scene say so
        return few


def _racer(
    scene: Scene, records: Records, result: Mapping[str, Any], value: Value, name: str
) -> Racer:
    """Return a run as it is drawn; only its finite points."""
    kept = records.take(np.flatnonzero(np.isfinite(records.x).all(axis=1)))
    minimum = scene.landscape.minimum
    loss = kept.loss if minimum is None else np.maximum(kept.loss - minimum, 0.0)
    status = str(result.get("status") or "")
    return Racer(
        points=np.clip(kept.x, -FAR, FAR),
        steps=kept.step,
        values=loss,
        value=value,
        name=name,
        mark=_MARKS.get(status, ""),
        end=visible(status) if status in _MARKS else "",
    )


def _scenery(scene: Scene) -> Scenery:
    """Return what the paths are drawn on."""
    landscape, plane = scene.landscape, scene.shown.plane
    is_known = len(scene.view) == 2 and scene.grid is not None
    relief = relief_of(landscape, plane, scene.view) if is_known else None
    return Scenery(landscape, plane, scene.view, scene.shown.labels, relief)


def _title_of(problem: Problem, reads: Sequence[ReadRun]) -> str:
    """Return what the runs have in common: the loss, and the optimizer and lr of all."""
    keys, settings = differing(reads) if len(reads) > 1 else _USUAL, reads[0].settings
    words = [problem.title]
    if "optimizer" not in keys and "optimizer" in settings:
        words.append(str(settings["optimizer"]))
    if "lr" not in keys and isinstance(settings.get("lr"), (int, float)):
        words.append(f"lr = {settings['lr']:.6g}")
    return visible(" · ".join(words))
