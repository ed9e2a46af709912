"""The run directories of a sweep."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from gdlab.display.terminal import show_warning
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.errors import RecordError
from gdlab.numerics.threads import one_thread
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
from gdlab.sweeps.side_by_side import run_side_by_side

_MAX_FRAMES = 3
_SECONDS = 1.0  # of the processor, until a run that goes on gets its directory
_PART = 16  # runs whose directories are written in turn
_WORTH_A_PROCESS = 32  # runs


class RunDirectories:
    """Keeps the records of some runs of a sweep, each in its own directory.

    When a run gets its directory, what an interrupted shard left there is removed. Runs that end
    within moments get theirs only then, many at a time.

    Args:
        directory: the sweep's directory.
        plan: the sweep's plan.
        chosen: the runs that get a directory.
        cores: the number of cores that write directories.
    """

    def __init__(self, directory: Path, plan: Plan, chosen: Iterable[int], cores: int = 1) -> None:
        self._directory, self._plan, self._cores = directory, plan, cores
        self._recorded = [_without_figures(group) for group in plan.groups]
        self._backgrounds = Backgrounds()
        self._open: dict[int, RunRecorder] = {}
        self._waiting: dict[int, list[History]] = {}
        self._since = 0.0
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

    def remove_damaged(self, runs: np.ndarray, say: Callable[[str], None] = show_warning) -> None:
        """Remove the directories of finished runs whose files differ from what was written.

        Args:
            runs: the finished runs (n,).
            say: receives a message for each; the runs are recorded again.
        """
        chosen = np.fromiter(self._paths, dtype=np.int64)
        for run in chosen[np.isin(chosen, runs)].tolist():
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
        if run in self._open:
            self._open[run].write(piece)
        elif run in self._paths:
            if not self._waiting:
                self._since = time.process_time()
            self._waiting.setdefault(run, []).append(piece)
            if time.process_time() - self._since >= _SECONDS:
                self._open[run] = self._begin(run)

    def close_all(
        self,
        runs: Sequence[int],
        outcomes: Outcomes,
        seconds: float,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the results of runs that have ended, on all cores if there are many.

        Args:
            runs: their numbers.
            outcomes: in the same order.
            seconds: that each took.
            before: called before every run; may raise.
        """

        def close(part: Sequence[tuple[int, int]]) -> None:
            for row, run in part:
                before()
                self.close(run, outcomes[row], seconds)

        ended = [(row, run) for row, run in enumerate(runs) if run in self._paths]
        # A file that is open cannot be shared with another process. The first of the others brings
        # here what they all need.
        here = {run for _, run in ended if run in self._open} | {run for _, run in ended[:1]}
        close([(row, run) for row, run in ended if run in here])
        rest = [(row, run) for row, run in ended if run not in here]
        parts = [rest[first : first + _PART] for first in range(0, len(rest), _PART)]
        processes = min(self._cores, len(rest) // _WORTH_A_PROCESS)
        with one_thread():
            run_side_by_side([partial(close, part) for part in parts], processes, self._get_ready)
        for _, run in rest:
            self._waiting.pop(run, None)

    def _get_ready(self) -> None:
        """Import matplotlib if pictures follow: nothing that forked processes do needs it."""
        if self._plan.options.record.formats:
            import_module("gdlab.plots.figure")

    def close(self, run: int, outcome: Outcome, seconds: float) -> None:
        """Write the result of a run that has ended."""
        recorder = self._open.pop(run, None) or self._begin(run)
        recorder.close(outcome, seconds)

    def forget(self, run: int) -> None:
        """Drop the records of a run that starts again."""
        self._open.pop(run, None)
        self._waiting.pop(run, None)

    def abandon(self) -> None:
        """Remove the directories of unfinished runs."""
        self._open.clear()
        self._waiting.clear()
        for path in (self._paths[run] for run in self.missing()):
            remove_tree(path)

    def _begin(self, run: int) -> RunRecorder:
        """Make the directory of a run, with the records that have waited for it."""
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
        recorder = RunRecorder(path, settings, durable=False, points=self._points)
        for piece in self._waiting.pop(run, []):
            recorder.write(piece)
        return recorder

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
