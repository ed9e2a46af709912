"""A shard: runs that differ only in numbers, as a piece of work that can be pickled.

Shapes: R runs of the shard, D dimensions.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gdlab.engine.chunk import Chunk
from gdlab.engine.history import History, split_by_run
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.engine.status import Status
from gdlab.fields.custom_classes import property_errors_as
from gdlab.runs.batching import batch_of
from gdlab.sweeps.plan import Group
from gdlab.theory import diagnose


class Records(Protocol):
    """Receives the records of some of a shard's runs."""

    def write(self, run: int, piece: History) -> None:
        """Add the next records of a run."""
        ...

    def close(self, run: int, outcome: Outcome, seconds: float) -> None:
        """End a run with its outcome."""
        ...

    def forget(self, run: int) -> None:
        """Discard what was recorded of a run, which starts again."""
        ...


@dataclass(frozen=True)
class FinishedRuns:
    """How the runs of a batch ended.

    Attributes:
        runs: their numbers in the sweep (R,).
        outcomes: in the same order.
        seconds: the time of each run, its share of the batch's or its own (R,).
    """

    runs: np.ndarray
    outcomes: Outcomes
    seconds: float | np.ndarray


def run_group(
    group: Group,
    records: Records | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Chunk], None] = lambda chunk: None,
) -> Iterator[FinishedRuns]:
    """Run a group as one batch and yield how its runs ended, in one or more parts.

    A batch that raises is bisected down to the run that raises, so that only this run fails.

    Args:
        group: the runs.
        records: receives what runs record; None to keep only how they ended.
        interrupted: asked at every step; runs end as interrupted once it returns true.
        progress: receives every chunk.
    """
    began = time.perf_counter()
    batch = batch_of(group.settings, group.columns, len(group))
    ends, record = Outcomes(batch), group.settings.record
    for chunk in advance(batch, interrupted, recorded=records is not None):
        with property_errors_as(f"loss={group.settings.name('loss')}"):
            ends.add(chunk)
        progress(chunk)
        if records is not None:
            for row, piece in split_by_run(chunk, record.every):
                records.write(int(group.runs[row]), piece)
    if len(group) > 1 and (ends.status == Status.FAILED).any():
        half = len(group) // 2
        if records is not None:
            for run in group.runs.tolist():
                records.forget(run)
        for part in (group.take(slice(0, half)), group.take(slice(half, None))):
            yield from run_group(part, records, interrupted, progress)
        return
    diagnose(batch, ends)
    seconds = (time.perf_counter() - began) / len(group)
    if records is not None:
        for row, run in enumerate(group.runs.tolist()):
            records.close(run, ends[row], seconds)
    yield FinishedRuns(group.runs, ends, seconds)
