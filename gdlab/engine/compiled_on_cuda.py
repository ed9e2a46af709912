"""Compiled steps on a GPU: all steps of a chunk in one launch, a thread for each row.

The kernels of a chunk run on a stream of their own. Nothing waits for them until the records of
their chunk are read, which is when the next chunk runs already.

Shapes: D dimensions, K records of a chunk, n rows still running, S numbers of an optimizer's state,
C columns.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.compiled import Compiled, StepInputs, first_row
from gdlab.engine.compiler.cuda import source
from gdlab.engine.compiler.cuda.launch import Kernel, Launch
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.compiler.step import trace_step
from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.engine.skipping import KEPT
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.optimizers.base import Optimizer, State

Load = Callable[[str, torch.dtype], Launch]
"""Makes what launches the kernel of a source, for a dtype."""


class OnCuda(Compiled):
    """Steps on a GPU, launched on a stream of their own.

    Args:
        rows: the rows.
        load: loads kernels.

    Raises:
        Uncompilable: the step cannot be compiled; the message says why.
    """

    def __init__(self, rows: Rows, load: Load) -> None:
        self._load_kernel = load
        device = rows.x.device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._held: tuple[object, ...] = ()
        super().__init__(rows)

    def release(self) -> None:
        """Give up the memory of the rows, of which all records were read."""
        super().release()
        self._held = ()

    def __call__(self, rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
        """Launch up to `length` new records, and leave `rows` at the next point.

        The records are there for a stream that waits for their event.
        """
        if self._stream is None:
            return super().__call__(rows, length, interrupted)
        # Their memory is given back to the other stream, which has not waited for this one.
        self._held = rows.x, rows.state
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            records = super().__call__(rows, length, interrupted)
            records.event = torch.cuda.Event()
            records.event.record(self._stream)
        return records

    def _run(self, rows: Rows, records: ChunkRecords, state: Tensor) -> Tensor:
        """Launch the steps that write the new records, and return their summary (5, n)."""
        pending, n = rows.pending_count, len(rows.x)
        inputs, summary = StepInputs.of(rows, records.rates[pending:]), rows.x.new_empty((5, n))
        by_record = (records.points[pending:], records.loss[pending:], records.norm[pending:])
        rates = inputs.rates, inputs.rates.stride(0)
        others = inputs.noise, inputs.columns, state, summary
        self._launch(n, len(records.loss) - pending, (*by_record, *rates, *others))
        return summary

    def _launch(self, n: int, count: int, arguments: tuple[Tensor | int, ...]) -> None:
        """Launch `count` steps of n rows with the arguments that all kernels take."""
        raise NotImplementedError


class ThreadsOnCuda(OnCuda):
    """A row is a thread, whose step is written out."""

    def __init__(self, rows: Rows, load: Load = Kernel) -> None:
        self._unrecorded: Launch | None = None
        super().__init__(rows, load)

    def _load(self, rows: Rows) -> None:
        self._step = trace_step(*first_row_on_cpu(rows), value_and_gradient)
        self._advance = self._kernel(rows.x.dtype, recorded=True)
        self.skip = self._skip

    def _kernel(self, dtype: torch.dtype, *, recorded: bool) -> Launch:
        return self._load_kernel(source.kernel(self._step, dtype, recorded=recorded), dtype)

    def _launch(self, n: int, count: int, arguments: tuple[Tensor | int, ...]) -> None:
        best = arguments[-1]  # not written
        self._advance(n, count, count, *arguments, best)

    def _run_without_records(
        self, batch: Batch, n: int, count: int, arguments: tuple[Tensor | int, ...]
    ) -> None:
        if self._unrecorded is None:
            self._unrecorded = self._kernel(batch.start.dtype, recorded=False)
        self._unrecorded(n, count, KEPT, *arguments)


def first_row_on_cpu(rows: Rows) -> tuple[Loss, Optimizer, Tensor, State, bool]:
    """Return what the step of the first row takes, on the CPU: torch may choose others on a GPU."""
    loss, optimizer, x, state, has_noise = first_row(rows)
    x, cpu = x.cpu(), torch.device("cpu")
    loss = loss.with_columns(_to_cpu).to(x.dtype, cpu)
    state = {name: leaf.cpu() for name, leaf in state.items()}
    return loss, map_numbers(optimizer, _to_cpu), x, state, has_noise


def check_compilable_on_cuda(batch: Batch) -> None:
    """Refuse what has no compiled form on a GPU, besides what has none at all.

    Raises:
        Uncompilable: the message says why.
    """
    if batch.optimizer.needs:
        raise Uncompilable("device=cuda: searches and curvature are computed by torch")
    if batch.schedule.init(batch.lr):
        raise Uncompilable("device=cuda: schedules that follow the loss are computed by torch")
    if batch.loss.minibatch is not None:
        raise Uncompilable("device=cuda: steps on minibatches are computed by torch")


def _to_cpu(value: Number) -> Number:
    return value.cpu() if isinstance(value, Tensor) else value
