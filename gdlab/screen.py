"""The terminal: a progress bar while a run takes long, and the summary at its end."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.text import Text

from gdlab.batch import Batch
from gdlab.history import History
from gdlab.outcome import Outcome
from gdlab.settings import Settings
from gdlab.status import Status
from gdlab.summary import explanation, summary

if TYPE_CHECKING:
    import rich.progress

_PATIENCE = 1.0
_STYLES = {
    Status.CONVERGED: "bold green",
    Status.TARGET: "bold green",
    Status.MAX_STEPS: "bold yellow",
    Status.INTERRUPTED: "bold yellow",
}


class Progress:
    """A sink that shows a bar on a terminal once a run has taken a second; else it is silent.

    Args:
        steps: how many steps the run may take.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._is_late = waits_long()
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

    def write(self, piece: History) -> None:
        """Move the bar."""
        if self._bar is None and self._is_late():
            self._bar = started_bar("steps", self._steps)
        if self._bar is not None and len(piece):
            task = self._bar.task_ids[0]
            words = f"loss {piece.loss[-1]:.6g}"
            self._bar.update(task, completed=int(piece.step[-1]), words=words)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """The bar goes away where the run ends."""
        if self._bar is not None:
            self._bar.stop()


def waits_long() -> Callable[[], bool]:
    """A question that is true on a terminal, from a second after it was made."""
    began = time.monotonic()
    return lambda: sys.stderr.isatty() and time.monotonic() - began > _PATIENCE


def started_bar(what: str, total: int) -> "rich.progress.Progress":
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


def show_end(settings: Settings, batch: Batch, outcome: Outcome, directory: Path) -> None:
    """The summary of a run."""
    console = Console(soft_wrap=True, highlight=False)
    status = (str(outcome.status), _STYLES.get(outcome.status, "bold red"))
    console.print(Text.assemble(status, f": {outcome.reason}"))
    why = explanation(settings, batch, outcome)
    if why:
        console.print(Text(why))
    for name, value in summary(settings, outcome, directory):
        console.print(Text.assemble((f"  {name:<14}", "dim"), value))
