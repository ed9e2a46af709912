"""The run directories of a sweep."""

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

from gdlab.display.terminal import show_warning
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.errors import RecordError
from gdlab.recording.digests import SUMS, VerifiedFiles
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import make_folder, remove_tree
from gdlab.recording.history_file import read_history
from gdlab.recording.names import CHECKPOINT, CONFIG, HISTORY, RESULT
from gdlab.recording.recorder import RunRecorder
from gdlab.recording.run_plots import (
    PICTURES,
    Backgrounds,
    RunToDraw,
    draw_pictures,
    save_pictures,
)
from gdlab.recording.settings_file import write_settings
from gdlab.recording.thinned_path import thinned_path
from gdlab.recording.thinning import points_for
from gdlab.sweeps.plan import Group, Plan

_MAX_FRAMES = 3


class RunDirectories:
    """Keeps the records of some runs of a sweep, each in its own directory.

    When a run starts, what an interrupted shard left in its directory is removed.

    Args:
        directory: the sweep's directory.
        plan: the sweep's plan.
        chosen: the runs that get a directory.
    """

    def __init__(self, directory: Path, plan: Plan, chosen: Iterable[int]) -> None:
        self._directory, self._plan = directory, plan
        self._recorded = [_without_figures(group) for group in plan.groups]
        self._backgrounds = Backgrounds()
        self._open: dict[int, RunRecorder] = {}
        self._paths: dict[int, Path] = {}
        self._folders: set[Path] = set()
        taken: set[str] = set()
        for run in chosen:
            name = plan.name(run)
            name = f"{name},run={run}" if name in taken else name
            taken.add(name)
            self._paths[run] = directory / name
        self._points = points_for(len(self._paths))

    def path(self, run: int) -> Path:
        """Return the directory of a run."""
        return self._paths[run]

    def __contains__(self, run: int) -> bool:
        """Tell whether a run gets a directory."""
        return run in self._paths

    def names(self) -> dict[int, str]:
        """Return the existing directories by run, relative to that of the sweep."""
        existing = {run: path for run, path in self._paths.items() if path.is_dir()}
        return {run: p.relative_to(self._directory).as_posix() for run, p in existing.items()}

    def missing(self) -> list[int]:
        """Return the chosen runs without a result or a history."""
        return [run for run, path in self._paths.items() if _files_of(path) is None]

    def remove_damaged(
        self, runs: Iterable[int], say: Callable[[str], None] = show_warning
    ) -> None:
        """Remove the directories of finished runs whose files differ from what was written.

        Args:
            runs: the finished runs.
            say: receives a message for each; the runs are recorded again.
        """
        for run in self._paths.keys() & set(runs):
            path = self._paths[run]
            files = _files_of(path)
            if files is None:
                continue
            try:
                for name in (RESULT, HISTORY, *files.find(CONFIG), *files.find(CHECKPOINT)):
                    files.verify(name)
            except RecordError as error:
                say(f"{error}; the run is recorded again")
                remove_tree(path)

    def draw(self, runs: Iterable[int], say: Callable[[str], None] = show_warning) -> None:
        """Draw the pictures that runs do not have yet.

        Args:
            runs: the runs to draw.
            say: receives a message for each picture that cannot be drawn.
        """
        for run in runs:
            directory, settings = self._paths[run], self._plan.settings_of(run)
            record = settings.record
            missing = [
                name
                for name in PICTURES
                if any(not (directory / f"{name}.{s}").is_file() for s in record.formats)
            ]
            path = self.read_thinned([run]).get(run) if missing else None
            if path is None:
                continue
            subject = RunToDraw(settings, path, _MAX_FRAMES, self._backgrounds, record.figure_size)
            pictures, problems = draw_pictures(subject, missing)
            if pictures:
                with EventWriter(directory) if settings.record.events else nullcontext() as writer:
                    save_pictures(directory, pictures, writer)
            for problem in problems:
                say(f"{directory.name}: {problem}")

    def read_thinned(self, runs: Iterable[int]) -> dict[int, History]:
        """Read as many records of runs as a picture can show, of those with a finite point."""
        paths = {
            run: thinned_path(self._plan.settings_of(run), read_history(self._paths[run]))
            for run in runs
        }
        return {run: path for run, path in paths.items() if path is not None}

    def write(self, run: int, piece: History) -> None:
        """Take in the next records of a run."""
        if run in self._paths:
            if run not in self._open:
                self._open[run] = self._begin(run)
            self._open[run].write(piece)

    def close(self, run: int, outcome: Outcome, seconds: float) -> None:
        """Write the result of a run that has ended."""
        if run in self._paths:
            recorder = self._open.pop(run, None) or self._begin(run)
            recorder.close(outcome, seconds)

    def forget(self, run: int) -> None:
        """Drop the records of a run that starts again."""
        self._open.pop(run, None)

    def abandon(self) -> None:
        """Remove the directories of unfinished runs."""
        self._open.clear()
        for path in (self._paths[run] for run in self.missing()):
            remove_tree(path)

    def _begin(self, run: int) -> RunRecorder:
        path = self.path(run)
        self._make_folders(path.parent)
        try:
            path.mkdir()
        except FileExistsError:
            remove_tree(path)
            path.mkdir()
        number, row = self._plan.place(run)
        template = self._plan.templates[number]
        settings = self._recorded[number].settings_of(row)
        if template is not None:
            template.write(path, self._plan.words(run))
        else:
            write_settings(path, self._plan.settings_of(run), durable=False)
        return RunRecorder(path, settings, durable=False, points=self._points)

    def _make_folders(self, folder: Path) -> None:
        """Make a folder of run directories, and those above it within the sweep's, once."""
        if folder in self._folders:
            return
        inside = folder.relative_to(self._directory)
        for parent in (*reversed(inside.parents), inside):
            make_folder(self._directory / parent)
        self._folders.add(folder)


def _files_of(directory: Path) -> VerifiedFiles | None:
    """Return the files of a run; None unless its result and history were written to the end."""
    files = VerifiedFiles(directory) if (directory / SUMS).is_file() else None
    return files if files is not None and RESULT in files and HISTORY in files else None


def _without_figures(group: Group) -> Group:
    """Return a group whose runs draw nothing: which ones get pictures is known only in the end."""
    record = group.settings.record.unchecked(figures=False)
    return dataclasses.replace(group, settings=group.settings.unchecked(record=record))
