"""The live bench: one run at a time, computed in memory while someone drags a slider.

Its numbers are those of `gdlab.run` with the same settings; nothing is written, no other setting is
tried, and no picture is drawn.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock

from gdlab.board.asks import Ask
from gdlab.board.commands import words_of
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.compiled import check_compilable
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.history import History
from gdlab.engine.loop import ChunkSizes
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import GdlabError
from gdlab.runs.checks import check_run
from gdlab.runs.run import execute
from gdlab.runs.sinks import MemorySink

_NEWER = "dropped: a newer run was asked for"
_PATIENCE = 0.3  # seconds that a run has for itself before it makes room for a newer one


class Dropped(GdlabError):
    """A run was not computed because a newer one was asked for."""


@dataclass(frozen=True)
class LiveRun:
    """A run that was computed at once.

    Attributes:
        settings: of the run.
        outcome: how it ended.
        history: all its records.
        seconds: from the question to the answer, without waiting for other runs.
    """

    settings: Settings
    outcome: Outcome
    history: History
    seconds: float

    @property
    def words(self) -> list[str]:
        """What computes and records it, as words after `python -m gdlab`."""
        return words_of(self.settings)


class Bench:
    """Computes one run at a time; of those that wait, only the newest is computed."""

    def __init__(self) -> None:
        self._computing, self._counting = Lock(), Lock()
        self._newest = 0

    def compute(self, problem: Settings, ask: Ask) -> LiveRun:
        """Compute a run.

        Steps are compiled where they can be, which repays from the second run on: the values of
        settings are no part of the compiled code. `gdlab.run` compiles from 1,000 steps on; before
        that, its numbers are those of torch's kernels, which may round otherwise.

        Args:
            problem: settings with the loss and its transform, and the name of the loss.
            ask: the rest.

        Raises:
            SettingError: a setting cannot be used.
            Dropped: a newer run was asked for.
        """
        with self._turn() as is_late:
            began = time.perf_counter()
            settings = ask.settings(problem)
            batch, sizes = _compiled_where_possible(check_run(settings))
            memory = MemorySink()
            outcome = execute(settings, batch, [memory], is_late, sizes)
            if outcome.status == Status.INTERRUPTED:
                raise Dropped(_NEWER)
            history = History.join(memory.pieces)
            return LiveRun(settings, outcome, history, time.perf_counter() - began)

    @contextmanager
    def _turn(self) -> Iterator[Callable[[], bool]]:
        """Wait until no other run is computed; yield what says that it is time to give way.

        Raises:
            Dropped: a newer run was asked for meanwhile.
        """
        with self._counting:
            self._newest += 1
            mine = self._newest
        with self._computing:
            if mine != self._newest:
                raise Dropped(_NEWER)
            until = time.perf_counter() + _PATIENCE
            yield lambda: mine != self._newest and time.perf_counter() > until


def _compiled_where_possible(batch: Batch) -> tuple[Batch, ChunkSizes]:
    """Return a batch that is compiled if it can be, and the sizes of its chunks.

    Compiled steps cost less than a further chunk, even those past the end of the run.
    """
    try:
        check_compilable(batch)
    except Uncompilable:
        return replace(batch, mode="eager"), ChunkSizes()
    records = batch.steps + 1
    return replace(batch, mode="compiled"), ChunkSizes(first=records, longest=records)
