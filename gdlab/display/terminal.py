"""The terminal: a progress bar while a run takes long, and the summary at its end."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from rich.console import Console
from rich.text import Text

from gdlab.config.settings import Settings
from gdlab.display.summary import explanation, summary
from gdlab.engine.batch import Batch
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status

if TYPE_CHECKING:
    import rich.progress

_PATIENCE = 1.0
_STYLES = {
    Status.CONVERGED: "bold green",
    Status.TARGET: "bold green",
    Status.MAX_STEPS: "bold yellow",
    Status.INTERRUPTED: "bold yellow",
}


class ProgressBar:
    """A progress bar that shows on a terminal once a second has passed; else it is silent.

    Args:
        what: is counted.
        total: how many there are.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
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

    def show(self, done: int, words: str) -> None:
        """Move the bar to what is done, with some words beside it."""
        is_late = time.monotonic() - self._began > _PATIENCE
        if self._bar is None and is_late and sys.stderr.isatty():
            self._bar = _started(self._what, self._total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, words=words)


class StepProgress:
    """A sink that moves a bar with the steps of a run."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar

    def write(self, piece: History) -> None:
        """Move the bar."""
        known = piece.loss[~np.isnan(piece.loss)]
        if len(piece):
            self._bar.show(int(piece.step[-1]), f"loss {known[-1]:.6g}" if len(known) else "")

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Nothing: the bar ends by itself."""


def _started(what: str, total: int) -> "rich.progress.Progress":
    """A running bar that counts to a total; its `words` stand beside it."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task(what, total=total, words="")
    bar.start()
    return bar


def show_warning(text: str) -> None:
    """A warning, on stderr."""
    Console(stderr=True, soft_wrap=True).print(Text.assemble(("warning: ", "bold yellow"), text))


def show_end(
    settings: Settings, batch: Batch, outcome: Outcome, directory: Path, rate: float | None
) -> None:
    """The summary of a run, whose rate per step was measured."""
    console = Console(soft_wrap=True, highlight=False)
    status = (str(outcome.status), _STYLES.get(outcome.status, "bold red"))
    console.print(Text.assemble(status, f": {outcome.reason}"))
    why = explanation(settings, batch, outcome)
    if why:
        console.print(Text(why))
    lines = summary(settings, outcome, directory, rate)
    if outcome.mode_reason is not None:
        lines.append(("mode", f"eager, not compiled: {outcome.mode_reason}"))
    for name, value in lines:
        console.print(Text.assemble((f"  {name:<14}", "dim"), value))
