"""A shard: runs that differ only in numbers, as a piece of work that can be pickled.

Shapes: R runs of the shard, D dimensions.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk
from gdlab.engine.history import History, split_by_run
from gdlab.engine.known_steps import KnownSteps
from gdlab.engine.loop import CompiledSteps, advance
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.errors import describe_gpu_memory, is_out_of_memory
from gdlab.fields.custom_classes import property_errors_as
from gdlab.runs.batching import batch_of
from gdlab.sweeps.plan import Group
from gdlab.theory import diagnose


class Records(Protocol):
    """Receives the records of some of a shard's runs."""

    def write(self, run: int, piece: History) -> None:
        """Add the next records of a run."""
        ...

    def close_all(self, runs: Sequence[int], outcomes: Outcomes, seconds: float) -> None:
        """End runs with their outcomes, in the same order, and the seconds that each took."""
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
    steps: KnownSteps | None = None,
) -> Iterator[FinishedRuns]:
    """Run a group as one batch and yield how its runs ended, in one or more parts.

    A batch that raises is bisected down to the run that raises, so that only this run fails. So is
    one that memory does not hold; its halves begin once its own memory is free.

    Args:
        group: the runs.
        records: receives what runs record; None to keep only how they ended.
        interrupted: asked at every step; runs end as interrupted once it returns true.
        progress: receives every chunk.
        steps: the compiled steps of the shard before, for those of the same group.
    """
    steps = steps or KnownSteps()
    ended = _run_batch(group, records, interrupted, progress, steps)
    if ended is not None:
        yield ended
        return
    steps.forget()
    torch.cuda.empty_cache()
    if records is not None:
        for run in group.runs.tolist():
            records.forget(run)
    half = len(group) // 2
    for part in (group.take(slice(0, half)), group.take(slice(half, None))):
        yield from run_group(part, records, interrupted, progress, steps)


def _run_batch(
    group: Group,
    records: Records | None,
    interrupted: Callable[[], bool],
    progress: Callable[[Chunk], None],
    steps: KnownSteps,
) -> FinishedRuns | None:
    """Run a group as one batch, as `run_group` does; None if it is to be bisected."""
    began = time.perf_counter()
    try:
        ends = _advance(group, records, interrupted, progress, steps)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) or (len(group) == 1 and not describe_gpu_memory(error)):
            raise  # no outcome of a run: this process has no memory for any
        ends = Outcomes(batch_of(group.settings.unchecked(device="cpu"), group.columns, len(group)))
        ends.fail(error)
    for error in filter(is_out_of_memory, ends.errors.values()):
        error.with_traceback(None)  # its frames hold the tensors of the batch
    if len(group) > 1 and (ends.status == Status.FAILED).any():
        return None
    seconds = (time.perf_counter() - began) / len(group)
    if records is not None:
        records.close_all(group.runs.tolist(), ends, seconds)
    return FinishedRuns(group.runs, ends, seconds)


def _advance(
    group: Group,
    records: Records | None,
    interrupted: Callable[[], bool],
    progress: Callable[[Chunk], None],
    steps: KnownSteps,
) -> Outcomes:
    """Run a group as one batch, and return how its runs ended, and why unless one failed.

    Raises:
        RuntimeError: memory does not hold it, or another, of torch.
    """
    batch = batch_of(group.settings, group.columns, len(group))
    ends, record = Outcomes(batch), group.settings.record

    def compile(batch: Batch) -> tuple[Batch, CompiledSteps]:
        # All shards of a group have one object as their settings.
        return steps.compile(batch, (id(group.settings), group.settings))

    for chunk in advance(batch, interrupted, recorded=records is not None, compile=compile):
        with property_errors_as(f"loss={group.settings.name('loss')}"):
            ends.add(chunk)
        progress(chunk)
        if records is not None:
            for row, piece in split_by_run(chunk, record.every):
                records.write(int(group.runs[row]), piece)
    try:
        if len(group) == 1 or not (ends.status == Status.FAILED).any():
            diagnose(batch, ends)
    except RuntimeError as error:
        if len(group) > 1 or describe_gpu_memory(error) is None:
            raise
    return ends
