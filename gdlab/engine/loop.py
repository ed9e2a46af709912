"""The loop: a batch of runs advances together, one chunk of steps at a time.

A run is a row. There are no masks inside a chunk: every row steps on, and how and where each run
ended is read off the chunk's records afterwards. Rows that ended leave at the end of the chunk. No
result depends on the number of rows: in eager mode one thread advances a batch, in compiled mode
every row is computed by the same instructions. Rows that are large themselves advance in small
parts.

Shapes: R runs, D dimensions, K records of a chunk, n rows still running (padded).
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from gdlab.engine import eager
from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk, Mode
from gdlab.engine.compiled import Compiled, check_compilable, compared_rows, ways
from gdlab.engine.compiled_by_row import CompiledByRow
from gdlab.engine.compiled_by_row_on_cuda import BlocksOnCuda
from gdlab.engine.compiled_on_cuda import ThreadsOnCuda, check_compilable_on_cuda
from gdlab.engine.compiled_oracle import CompiledOracle
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.engine.skipping import KEPT, Skip, find_ended, find_skippable, go_on
from gdlab.engine.stopping import find_endings
from gdlab.numerics.threads import one_thread


class Advance(Protocol):
    """Advances rows by up to `length` new records, and leaves them at the next point."""

    def __call__(self, rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
        """Make the records."""
        ...


class CompiledSteps(Advance, Protocol):
    """Compiled steps, which may serve other rows of the same structure."""

    @property
    def skip(self) -> Skip | None:
        """What takes steps without records; None where steps make them in any case."""
        ...

    def compare_with_torch(self, rows: Rows) -> None:
        """Compare the first losses and gradients of rows with those that torch computes.

        Raises:
            Uncompilable: they differ.
        """
        ...

    def release(self) -> None:
        """Give up the memory of the rows, which have ended."""
        ...


Compile: TypeAlias = Callable[[Batch], tuple[Batch, CompiledSteps]]
"""Compiles the step of a batch, and returns it as it then is, and the steps."""


@dataclass(frozen=True)
class ChunkSizes:
    """The sizes of chunks, in records. No result depends on them.

    Sizes follow from shapes, never from a clock. Chunks of few, small rows are long, since a chunk
    costs as much as hundreds of their steps; a chunk of large rows on many examples may be one
    step, so that a run can be interrupted.

    Attributes:
        first: of the first chunk; each chunk is twice as long as the one before.
        cheap: the products of coordinates and examples up to which compiled steps take less time
            than a chunk costs besides.
        longest: the most records of a chunk of many rows.
        max_bytes: the most memory that the records of a chunk take.
    """

    first: int = KEPT
    cheap: int = 2**16
    longest: int = 256
    max_bytes: int = 2**27

    def begin(self, rows: Rows, mode: Mode) -> int:
        """The most records of the first chunk of n rows."""
        if mode.name == "compiled":
            return max(self.first, min(self.cheap // _products(rows), _MOST_RECORDS))
        return self.first

    def most_skipped(self, rows: Rows, length: int) -> int:
        """The most steps without records of n rows, which still take rates and noise.

        Rows that end take these steps again, so that a CPU takes few more than a chunk's.
        """
        x = rows.x
        vectors = 1 if rows.noise is None else 1 + x.shape[1]
        bytes_taken = x.element_size() * vectors * len(x)
        if x.device.type == "cuda":
            return max(1, min(_longest_on_gpu(rows), _MOST_ON_GPU // bytes_taken))
        most = min(length, 2 * self.longest, _EXPENSIVE // _products(rows))
        return max(1, min(most, self.max_bytes // bytes_taken))

    def limit(self, rows: Rows, mode: Mode) -> int:
        """The most records of a chunk of n rows.

        Eager steps store the gradients as well as the points.
        """
        x, minibatch = rows.x, rows.loss.minibatch or 0
        vectors = 1 if mode.name == "compiled" else 2
        record = x.element_size() * (vectors * x.numel() + 3 * len(x)) + 8 * minibatch * len(x)
        longest, most_bytes = self.longest, self.max_bytes
        if mode.name == "compiled" and x.device.type == "cuda":
            longest, most_bytes = _longest_on_gpu(rows), _MOST_ON_GPU
        elif mode.name == "compiled":
            longest = min(max(longest, _CACHED // record), _EXPENSIVE // _products(rows))
        return max(1, min(longest, most_bytes // record, _MOST_RECORDS))


_EXPENSIVE = 2**28
"""As many products of coordinates and examples take about 0.1 seconds."""

_EXPENSIVE_ON_GPU = 2**33
"""As many take about 0.1 seconds on a GPU."""

_MOST_ON_GPU = 2**30
"""The most bytes of a chunk's records on a GPU, where two chunks lie at once."""

_CACHED = 2**23
"""Records of so many bytes are read back from a cache."""

_MOST_RECORDS = 2**16


def _longest_on_gpu(rows: Rows) -> int:
    """The most steps of a launch, after which a run can be interrupted.

    However few rows there are, each takes one step after the other: some microseconds on a thread,
    up to a hundred on a block, whose threads wait for each other.
    """
    one_after_the_other = 2**11 if rows.batch.by_row else 2**14
    return min(one_after_the_other, _EXPENSIVE_ON_GPU // _products(rows))


def _products(rows: Rows) -> int:
    """The coordinates of all rows, times the examples of a loss that is a mean over them."""
    return rows.x.numel() * (rows.loss.minibatch or rows.loss.examples or 1)


_DEFAULT_SIZES = ChunkSizes()


def advance(
    batch: Batch,
    interrupted: Callable[[], bool] = lambda: False,
    step: CompiledSteps | None = None,
    sizes: ChunkSizes = _DEFAULT_SIZES,
    *,
    recorded: bool = True,
    compile: Compile | None = None,
) -> Iterator[Chunk]:
    """Run a batch until every run has ended, yielding the records chunk by chunk.

    Each record of each run is yielded once, in order, and the last record of a run together with
    its status. An exception in the loss or the optimizer ends all runs of the batch as `FAILED`.

    Args:
        batch: the runs.
        interrupted: called at every step, in compiled mode at every chunk; runs end as
            `INTERRUPTED` once it returns True.
        step: the compiled step of the batch, if it exists already.
        sizes: the sizes of chunks.
        recorded: whether every record is needed; without, some chunks may hold the last ones of
            more, and no points (`Chunk.best_x`).
        compile: compiles the step of a batch to be compiled; None for `compile_steps`.
    """
    with one_thread():
        batch.check()
        batch, chosen, mode = _choose_mode(batch, step, compile or compile_steps)
    skip = None if recorded or chosen is None else chosen.skip
    course = _Course(chosen or eager.advance, mode, sizes, interrupted, skip)
    for part in batch.parts():
        with one_thread():
            rows = Rows.of(batch, part)
        yield from course.run(rows)
    if chosen is not None:
        chosen.release()


@dataclass(frozen=True)
class _Course:
    """How rows advance to their ends."""

    steps: Advance
    mode: Mode
    sizes: ChunkSizes
    interrupted: Callable[[], bool]
    skip: Skip | None

    def run(self, rows: Rows, length: int | None = None) -> Iterator[Chunk]:
        """Advance rows until all have ended, yielding their records.

        Args:
            rows: the rows.
            length: the most records of the first chunk; None to choose it.
        """
        length = self.sizes.begin(rows, self.mode) if length is None else length
        records = self._take(rows, length)
        while True:
            with one_thread():
                records.wait()
                chunk = find_endings(rows, records, self.mode)
                going = rows.finish_chunk(records, chunk.status)
            length *= 2
            # A GPU takes the next steps while the caller reads these records.
            is_ahead = going is not None and self.skip is None and records.event is not None
            if going is not None and is_ahead:
                records = self._take(going, length)
            yield chunk
            if going is not None and not is_ahead:
                going, length = yield from self._skip(going, length)
            if going is None:
                return
            if not is_ahead:
                records = self._take(going, length)

    def _take(self, rows: Rows, length: int) -> ChunkRecords:
        with one_thread():
            return self.steps(
                rows, min(length, self.sizes.limit(rows, self.mode)), self.interrupted
            )

    def _skip(self, rows: Rows, length: int) -> Generator[Chunk, None, tuple[Rows | None, int]]:
        """Take the steps that need no records, at first up to `length` of them.

        Returns:
            The rows then, None if all have ended; and the most records of the next chunk.
        """
        while self.skip is not None and not self.interrupted():
            with one_thread():
                rates = find_skippable(rows, self.sizes.most_skipped(rows, length))
                if rates is None:
                    break
                skipped = self.skip(rows, rates)
                ended = find_ended(rows, skipped)
                again = rows.some(ended.nonzero()[:, 0]) if bool(ended.any()) else None
            if again is not None:
                yield from replace(self, skip=None).run(again, len(rates))
            running = (~ended).nonzero()[:, 0]
            if len(running) == 0:
                return None, length
            with one_thread():
                chunk = go_on(rows, skipped, rates, running, self.mode)
            length *= 2
            yield chunk
        return rows, length


def _choose_mode(
    batch: Batch, step: CompiledSteps | None, compile: Compile
) -> tuple[Batch, CompiledSteps | None, Mode]:
    """Compile the step of a batch where requested and possible; else the batch becomes eager."""
    if step is not None:
        return with_step(batch, step), step, Mode("compiled")
    if batch.mode != "compiled":
        return batch, None, Mode("eager")
    try:
        return *compile(batch), Mode("compiled")
    except Uncompilable as error:
        # Rows are padded for compiled steps; padding would only slow down eager ones.
        return replace(batch, mode="eager"), None, Mode("eager", str(error))


def compile_steps(batch: Batch) -> tuple[Batch, CompiledSteps]:
    """Compile the step of a batch; return it as it then is, and the steps.

    Raises:
        Uncompilable: it cannot be compiled; the message says why.
    """
    errors = []
    for by_row in (False,) if batch.optimizer.needs else ways(batch):
        compiled = replace(batch, mode="compiled", by_row=by_row)
        try:
            check_compilable(batch)
            if batch.start.device.type == "cuda":
                check_compilable_on_cuda(batch)
            step = _compiled_form(compiled)(Rows.of(compiled, compared_rows(compiled)))
            return with_step(compiled, step), step
        except Uncompilable as error:
            errors.append(error)
    raise errors[0]


def with_step(batch: Batch, step: CompiledSteps) -> Batch:
    """Return a batch that advances by a compiled step."""
    if not isinstance(step, CompiledByRow | BlocksOnCuda):
        return batch
    return replace(batch, by_row=True, measures=step.measures)


def _compiled_form(batch: Batch) -> Callable[[Rows], CompiledSteps]:
    """Return what compiles the steps of a batch."""
    if batch.start.device.type == "cuda":
        return BlocksOnCuda if batch.by_row else ThreadsOnCuda
    if batch.optimizer.needs:
        return CompiledOracle
    return CompiledByRow if batch.by_row else Compiled
