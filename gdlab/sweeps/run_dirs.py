"""The run directories of a sweep."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from gdlab.display.terminal import show_warning
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.recording.event_file import EventWriter
from gdlab.recording.history_file import read_history
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.run_plots import Painter, ThinnedPath
from gdlab.sweeps.hydra_dir import RunWords
from gdlab.sweeps.plan import Group, Plan

_FRAMES = 3


class RunDirectories:
    """Keeps the records of some of a sweep's runs, each in a directory of its own.

    A directory begins anew with its run: what an interrupted shard left is removed.

    Args:
        directory: the sweep's.
        plan: of the sweep.
        chosen: the runs that get a directory.
    """

    def __init__(self, directory: Path, plan: Plan, chosen: Iterable[int]) -> None:
        self._plan = plan
        self._recorded = [_without_figures(group) for group in plan.groups]
        self._painter = Painter(_FRAMES)
        self._open: dict[int, RunRecorder] = {}
        self._paths: dict[int, Path] = {}
        taken: set[str] = set()
        for run in chosen:
            name = plan.name(run)
            name = f"{name},run={run}" if name in taken else name
            taken.add(name)
            self._paths[run] = directory / name

    def path(self, run: int) -> Path:
        """The directory of a run."""
        return self._paths[run]

    def names(self) -> dict[int, str]:
        """The names of the directories that there are."""
        return {run: path.name for run, path in self._paths.items() if path.is_dir()}

    def missing(self) -> list[int]:
        """The chosen runs that lack their result or their history."""
        files = ("result.json", "history.parquet")
        return [
            run
            for run, path in self._paths.items()
            if not all((path / name).is_file() for name in files)
        ]

    def points(self, run: int) -> np.ndarray:
        """The recorded points of a run, as many as a picture can show: (n, C)."""
        kept = self.thinned(run)
        return kept.x if kept is not None else np.zeros((0, 0))

    def draw(self, runs: Iterable[int], say: Callable[[str], None] = show_warning) -> None:
        """Draw the trajectories of runs that have no picture yet.

        Args:
            runs: to be drawn.
            say: told of each that cannot be drawn, and why.
        """
        for run in runs:
            path = self._paths[run]
            if (path / "trajectory.png").is_file():
                continue
            kept, settings = self.thinned(run), self._plan.settings_of(run)
            if kept is None or kept.x.shape[1] < settings.loss.dim:
                continue
            with EventWriter(path) if settings.record.events else nullcontext() as writer:
                trouble = self._painter.draw(path, settings, kept, writer)
            if trouble:
                say(f"{path.name}: {trouble}")

    def thinned(self, run: int) -> History | None:
        """As many of a run's records as a picture can show; None where none has finite points."""
        settings = self._plan.settings_of(run)
        thin = ThinnedPath(settings.steps, settings.record.sharpness_every or 1)
        thin.write(read_history(self._paths[run] / "history.parquet"))
        return thin.joined()

    def write(self, run: int, piece: History) -> None:
        """Take in the next records of a run."""
        if run in self._paths:
            if run not in self._open:
                self._open[run] = self._begin(run)
            self._open[run].write(piece)

    def close(self, run: int, outcome: Outcome, seconds: float) -> None:
        """A run is over: its result is written."""
        if run in self._paths:
            recorder = self._open.pop(run, None) or self._begin(run)
            recorder.close(outcome, seconds)

    def forget(self, run: int) -> None:
        """A run starts anew."""
        self._open.pop(run, None)

    def abandon(self) -> None:
        """Remove the directories of runs that have not ended."""
        self._open.clear()
        for path in (self._paths[run] for run in self.missing()):
            if path.exists():
                shutil.rmtree(path)

    def _begin(self, run: int) -> RunRecorder:
        path = self.path(run)
        if path.exists():
            shutil.rmtree(path)
        path.mkdir()
        number, row = self._plan.place(run)
        template = self._plan.templates[number]
        if template is not None:
            template.write(path / ".hydra", self._words(run))
        return RunRecorder(path, self._recorded[number].settings_of(row), durable=False)

    def _words(self, run: int) -> RunWords:
        grid = self._plan.grid
        overrides = [o for o in grid.overrides(run) if not o.startswith(("hydra.", "hydra/"))]
        values = {
            axis.name: axis.values[at]
            for axis, at in zip(grid.axes, grid.index[run], strict=True)
            if len(axis) > 1
        }
        path = str(self.path(run).absolute())
        return RunWords(run, overrides, path, values)


def _without_figures(group: Group) -> Group:
    """A group whose runs draw nothing: which of them deserve a picture shows in the end."""
    record = group.settings.record.unchecked(figures=False)
    return dataclasses.replace(group, settings=group.settings.unchecked(record=record))
