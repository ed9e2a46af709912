"""The terminal: a progress bar during a long run, and the summary at its end."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from gdlab.config.settings import Settings
from gdlab.console import PlainConsole, styled
from gdlab.display.summary import explanation, summary
from gdlab.engine.batch import Batch
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status

if TYPE_CHECKING:
    import rich.progress

_BAR_AFTER = 1.0  # seconds
_NAMES = 14  # characters for the names of lines, unless one is longer
STYLES = {
    Status.CONVERGED: "bold green",
    Status.TARGET: "bold green",
    Status.EARLY_STOPPED: "bold green",
    Status.MAX_STEPS: "bold yellow",
    Status.INTERRUPTED: "bold yellow",
}


class ProgressBar:
    """A progress bar that appears on a terminal after a second, and nowhere else.

    Args:
        unit: what is counted, such as steps.
        total: the final count.
    """

    def __init__(self, unit: str, total: int) -> None:
        self._unit, self._total = unit, total
        self._began = time.monotonic()
        self._bar: rich.progress.Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int, text: str) -> None:
        """Move the bar to a count, with a text beside it."""
        is_late = time.monotonic() - self._began > _BAR_AFTER
        if self._bar is None and is_late and sys.stderr.isatty():
            self._bar = _start_bar(self._unit, self._total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, text=text)


class StepProgress:
    """A sink that moves a progress bar with the steps of a run."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar

    def write(self, piece: History) -> None:
        """Move the bar."""
        losses = piece.loss[~np.isnan(piece.loss)]
        if len(piece):
            self._bar.show(int(piece.step[-1]), f"loss {losses[-1]:.6g}" if len(losses) else "")

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Do nothing; the bar's context manager ends it."""


def _start_bar(unit: str, total: int) -> "rich.progress.Progress":
    """Start a bar that counts to a total, with its field `text` beside it."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn(unit, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        TimeRemainingColumn(),
        console=PlainConsole(stderr=True, soft_wrap=False),
        transient=True,
    )
    bar.add_task(unit, total=total, text="")
    bar.start()
    return bar


def show_warning(text: str) -> None:
    """Print a warning to stderr."""
    PlainConsole(stderr=True).print(styled(("warning: ", "bold yellow"), text))


def show_end(
    settings: Settings, batch: Batch, outcome: Outcome, directory: Path, rate: float | None
) -> None:
    """Print the summary of a run; `rate` is its measured rate per step, if any."""
    console = PlainConsole()
    status = (str(outcome.status), STYLES.get(outcome.status, "bold red"))
    console.print(styled(status, f": {outcome.reason}"))
    reason = explanation(settings, batch, outcome)
    if reason:
        console.print(reason)
    lines = summary(settings, outcome, directory, rate)
    asks = settings.engine.mode == "compiled" and outcome.status != Status.FAILED
    if outcome.mode_reason is not None and asks:
        lines.append(("mode", f"eager, not compiled: {outcome.mode_reason}"))
    width = max(_NAMES, *(len(name) + 1 for name, _ in lines))
    for name, value in lines:
        console.print(styled((f"  {name:<{width}}", "dim"), value))
