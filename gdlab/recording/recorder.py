"""Everything a run leaves in its directory: one sink composed of several."""

import os
import time
from pathlib import Path

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.recording.checkpoint import BestRecord, write_checkpoint
from gdlab.recording.event_sink import EventSink
from gdlab.recording.history_file import HistoryFile
from gdlab.recording.names import CONFIGURATION
from gdlab.recording.result_file import write_result
from gdlab.recording.run_plots import RunToDraw, draw_pictures, save_pictures
from gdlab.recording.thinned_path import ThinnedPath
from gdlab.recording.thinning import MAX_POINTS


class RunRecorder:
    """A sink that fills a run's directory: history, result, events and pictures.

    Args:
        directory: the run's directory.
        settings: the run's settings.
        durable: whether to fsync its files.
        flush_seconds: how often records go to the files: often enough to watch a live run, seldom
            enough that many runs are fast.
        points: the most points of a curve in TensorBoard.

    Attributes:
        problems: a message for each picture that could not be drawn.
    """

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        *,
        durable: bool = True,
        flush_seconds: float = 1.0,
        points: int = MAX_POINTS,
    ) -> None:
        self.problems: list[str] = []
        self._directory, self._settings = directory, settings
        self._durable, self._flush_seconds = durable, flush_seconds
        self._waiting: list[History] = []
        self._flushed_at = time.monotonic()
        record = settings.record
        self._best = BestRecord() if record.checkpoint == "best" else None
        self._history = HistoryFile(directory, settings, durable=durable, best=self._best)
        self._events = (
            EventSink(directory, settings, flush_seconds=flush_seconds, points=points)
            if record.events
            else None
        )
        every = record.sharpness_every or 1
        self._path = ThinnedPath(settings.most_steps, every) if record.formats else None

    def write(self, piece: History) -> None:
        """Take in records."""
        self._waiting.append(piece)
        if time.monotonic() - self._flushed_at >= self._flush_seconds:
            self._flush()

    def _flush(self) -> None:
        """Hand the waiting records to the files."""
        piece, self._flushed_at = History.join(self._waiting), time.monotonic()
        self._waiting = []
        for sink in (self._history, self._events, self._path, self._best):
            if sink is not None:
                sink.write(piece)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Finish the history and the result, then the pictures and the events."""
        try:
            if self._waiting:
                self._flush()
            self._history.close(outcome, seconds)
            if outcome is not None:
                self._write_checkpoint(outcome)
                write_result(
                    self._directory,
                    outcome,
                    self._settings.seed,
                    seconds,
                    durable=self._durable,
                    present=_configuration_of(self._directory),
                )
                self._draw()
        finally:
            if self._events is not None:
                self._events.close(outcome, seconds)

    def _write_checkpoint(self, outcome: Outcome) -> None:
        if self._settings.record.checkpoint is None:
            return
        best = None if self._best is None else self._best.history
        x = outcome.x if best is None else best.x[0]
        write_checkpoint(self._directory, self._settings, x, durable=self._durable)

    def _draw(self) -> None:
        path = self._path.join() if self._path is not None else None
        if path is not None:
            pictures, self.problems = draw_pictures(
                RunToDraw(self._settings, path, size=self._settings.record.figure_size)
            )
            writer = None if self._events is None else self._events.writer
            save_pictures(self._directory, pictures, writer)


def _configuration_of(directory: Path) -> list[str]:
    """Return the paths of the files of a run's configuration, in the folders of its directory."""
    with os.scandir(directory) as entries:
        folders = sorted(entry.name for entry in entries if entry.is_dir())
    names = (f"{folder}/{name}" for folder in folders for name in CONFIGURATION)
    return [name for name in names if os.path.isfile(f"{directory}/{name}")]
