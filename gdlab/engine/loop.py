"""The loop: a batch of runs advances together, a chunk of steps at a time.

A run is a row. Inside a chunk there are no masks: every row steps on, and how and where each run
ended is read off the chunk's record afterwards. Rows that ended leave at the end of the chunk. No
result depends on how many rows there are: in eager mode one thread advances a batch, in compiled
mode every row is computed by the same instructions.

Shapes: R runs, D dimensions, K records of a chunk, n rows still running (padded).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from gdlab.engine import eager
from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk, Mode
from gdlab.engine.compiled import Compiled
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.engine.stopping import find_endings
from gdlab.numerics.threads import one_thread

_FIRST_CHUNK, _LONGEST_CHUNK, _CHUNK_BYTES = 32, 256, 2**27


class Advance(Protocol):
    """How rows advance: by up to `length` new records; they are left at the next point."""

    def __call__(self, rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
        """The records."""
        ...


def advance(
    batch: Batch,
    interrupted: Callable[[], bool] = lambda: False,
    step: Compiled | None = None,
) -> Iterator[Chunk]:
    """Run a batch to the end of its every run, yielding what happened by chunks.

    Each record of each run is yielded once, in order, and a run's last record together with its
    status. An exception of the loss or the optimizer ends all runs of the batch as `FAILED`.

    Args:
        batch: the runs.
        interrupted: asked at every step, in compiled mode at every chunk; runs end as
            `INTERRUPTED` once it says true.
        step: of the batch, where it is compiled already.
    """
    length = _FIRST_CHUNK
    with one_thread():
        if step is not None:
            rows, move, mode = Rows.of(batch), step, Mode("compiled")
        else:
            rows, move, mode = _chosen(batch)
    while rows is not None:
        with one_thread():
            trace = move(rows, min(length, _longest(rows, mode)), interrupted)
            chunk = find_endings(rows, trace, mode)
            rows = rows.after(trace, chunk.status)
        yield chunk
        length *= 2


def _chosen(batch: Batch) -> tuple[Rows | None, Advance, Mode]:
    """The rows and how they advance: compiled where that is asked for and can be done."""
    rows, why = Rows.of(batch), None
    if batch.mode == "compiled":
        try:
            return rows, Compiled(rows), Mode("compiled")
        except Uncompilable as error:
            # Rows are padded for compiled steps where eager ones would only have more to do.
            rows, why = Rows.of(replace(batch, mode="eager")), str(error)
    return rows, eager.advance, Mode("eager", why)


def _longest(rows: Rows, mode: Mode) -> int:
    """How many records of n rows a chunk may hold; a function of shapes and the mode alone.

    Eager steps keep the gradients beside the points.
    """
    x, chosen = rows.x, rows.loss.minibatch or 0
    of_points = 1 if mode.name == "compiled" else 2
    record = x.element_size() * (of_points * x.numel() + 3 * len(x)) + 8 * chosen * len(x)
    return max(1, min(_LONGEST_CHUNK, _CHUNK_BYTES // record))
