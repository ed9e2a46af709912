"""All that a run leaves in its directory: one sink composed of several."""

import time
from pathlib import Path

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.plots.convergence import convergence_png, drawable
from gdlab.plots.stability import stability_png
from gdlab.recording.event_file import EventWriter
from gdlab.recording.event_sink import EventSink
from gdlab.recording.files import write_atomically
from gdlab.recording.history_file import HistoryFile
from gdlab.recording.result_file import write_result
from gdlab.recording.run_plots import ThinnedPath, course_of, draw, landscape
from gdlab.theory import predicted_rate

_SECONDS = 1.0  # between looks at what is recorded, so that a live run is seen and many are fast
_FEWEST_DRAWN = 3  # records that a curve needs


class RunRecorder:
    """A sink that fills a run's directory: history, result, events and pictures.

    Args:
        directory: the run's own.
        settings: of the run.
        durable: whether its files shall outlast a failure of power.

    Attributes:
        trouble: why there is no picture where there should be one.
    """

    def __init__(self, directory: Path, settings: Settings, *, durable: bool = True) -> None:
        self.trouble: str | None = None
        self._durable = durable
        self._waiting: list[History] = []
        self._handed_on_at = time.monotonic()
        self._directory, self._settings = directory, settings
        record, dim, steps = settings.record, settings.loss.dim, settings.steps
        metrics = tuple(settings.metrics)
        coords = record.max_coords
        self._history = HistoryFile(directory, dim, coords, steps, metrics, durable=durable)
        self._events = EventSink(directory, settings) if record.events else None
        self._path = ThinnedPath(steps, record.sharpness_every or 1) if record.figures else None

    def write(self, piece: History) -> None:
        """Take in records, which are handed on about once a second."""
        self._waiting.append(piece)
        if time.monotonic() - self._handed_on_at > _SECONDS:
            self._hand_on()

    def _hand_on(self) -> None:
        piece, self._handed_on_at = History.join(self._waiting), time.monotonic()
        self._waiting = []
        for sink in (self._history, self._events, self._path):
            if sink is not None:
                sink.write(piece)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Finish the history and the result, then the pictures and the events."""
        try:
            if self._waiting:
                self._hand_on()
            self._history.close(outcome, seconds)
            if outcome is not None:
                write_result(
                    self._directory, outcome, self._settings.seed, seconds, durable=self._durable
                )
                self._draw()
        finally:
            if self._events is not None:
                self._events.close(outcome, seconds)

    def _draw(self) -> None:
        path = self._path.joined() if self._path is not None else None
        if path is not None:
            writer = None if self._events is None else self._events.writer
            self.trouble = draw(self._directory, self._settings, path, writer)
            self._draw_convergence(path, writer)
            self._draw_sharpness(path, writer)

    def _draw_convergence(self, path: History, writer: EventWriter | None) -> None:
        """The suboptimality beside its bound, where theory knows one."""
        rate, above = predicted_rate(self._settings), path.suboptimality
        if rate is None or above is None or drawable(above).sum() < _FEWEST_DRAWN:
            return
        bound = rate.bound(path.step, float(above[0]))
        title = landscape(self._settings).title
        picture = convergence_png(path.step, above, bound, title=title, rate=rate.per_step)
        self._show("convergence", int(path.step[-1]), picture, writer)

    def _draw_sharpness(self, path: History, writer: EventWriter | None) -> None:
        """The sharpness beside 2/lr, where it was recorded."""
        course = course_of(path)
        if course is not None:
            picture = stability_png({"sharpness": course}, title=landscape(self._settings).title)
            self._show("stability", int(path.step[-1]), picture, writer)

    def _show(self, name: str, step: int, picture: bytes, writer: EventWriter | None) -> None:
        if writer is not None:
            writer.image(name, step, picture)
        write_atomically(self._directory / f"{name}.png", picture)
