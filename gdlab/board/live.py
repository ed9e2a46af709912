"""The live bench: one run at a time, computed in memory while someone drags a slider.

Its numbers are those of `gdlab.run` with the same settings; nothing is written, no other setting is
tried, and no picture is drawn. While a slider moves, a run is not diagnosed, and the compiled steps
of the run before are used again: the values of settings are no part of them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import torch

from gdlab.board.asks import Ask
from gdlab.board.commands import words_of
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.history import History
from gdlab.engine.known_steps import KnownSteps
from gdlab.engine.loop import CompiledSteps, advance
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import GdlabError
from gdlab.fields.declared import flatten, map_numbers
from gdlab.numerics.threads import one_thread
from gdlab.runs.checks import check_run
from gdlab.runs.run import record
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
        self._steps = KnownSteps()

    def compute(self, problem: Settings, ask: Ask, *, diagnosed: bool = True) -> LiveRun:
        """Compute a run.

        Steps are compiled where they can be, which repays from the second run on. `gdlab.run`
        compiles from 1,000 steps on; before that, its numbers are those of torch's kernels, which
        may round otherwise.

        Args:
            problem: settings with the loss and its transform, and the name of the loss.
            ask: the rest.
            diagnosed: whether the outcome says why the run ended as it did.

        Raises:
            SettingError: a setting cannot be used.
            Dropped: a newer run was asked for.
        """
        with self._turn() as is_late:
            began = time.perf_counter()
            settings = ask.settings(problem)
            batch, step = _compile(self._steps, settings, check_run(settings))
            memory = MemorySink()
            chunks = advance(batch, is_late, step)
            outcome = record(settings, batch, chunks, [memory], began, diagnosed=diagnosed)
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


def _compile(
    steps: KnownSteps, settings: Settings, batch: Batch
) -> tuple[Batch, CompiledSteps | None]:
    """Return a batch with its compiled steps; None if there are none, and the batch is eager.

    Raises:
        SettingError: the optimizer cannot handle parameters with this layout.
    """
    try:
        with one_thread():
            return steps.compile(batch, _structure_of(settings))
    except Uncompilable:
        return replace(batch, mode="eager"), None


def _structure_of(settings: Settings) -> tuple[Any, ...]:
    """Return what the steps of a run of the live bench are compiled for.

    That are the loss and the transform themselves, and of the optimizer all but its numbers: they
    are columns, save that those which are 0 are left out. A schedule that follows the losses is a
    part of the steps, too.
    """
    optimizer, schedule = settings.optimizer, settings.schedule
    shape = map_numbers(optimizer, lambda number: float(number != 0))
    structure = settings.loss, settings.transform, type(optimizer), repr(flatten(shape))
    if not schedule.init(torch.ones(1)):
        return structure
    shape = map_numbers(schedule, lambda number: 0.0)
    return *structure, type(schedule), repr(flatten(shape)), settings.steps
