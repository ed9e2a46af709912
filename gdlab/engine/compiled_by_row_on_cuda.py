"""Compiled steps on a GPU of losses over examples, and of long points: a block for each row.

Shapes: n rows still running, S numbers of an optimizer's state.
"""

from torch import Tensor

from gdlab.engine.compiled_by_row import stack_rows
from gdlab.engine.compiled_on_cuda import Load, OnCuda, first_row_on_cpu
from gdlab.engine.compiler.arrays.program import OneRun, trace_program
from gdlab.engine.compiler.cuda.launch import MOST_BLOCKS, THREADS, BlockKernel
from gdlab.engine.examples import Examples
from gdlab.engine.metrics import Measure
from gdlab.engine.rows import Rows
from gdlab.schedules import Constant


class BlocksOnCuda(OnCuda):
    """A row is a block of threads, which divide its examples and its coordinates.

    Attributes:
        measures: compiled metrics; torch computes them on a GPU.
        work: memory for the arrays of each block.
    """

    def __init__(self, rows: Rows, load: Load = BlockKernel) -> None:
        self.measures: dict[str, Measure] = {}
        super().__init__(rows, load)

    def _load(self, rows: Rows) -> None:
        run = OneRun(*first_row_on_cpu(rows), Constant(), {}, rows.batch.steps)
        program = trace_program(run, THREADS)
        self._advance = self._load_kernel(program.source, rows.x.dtype)
        tables = [table.to(rows.x) for table in program.tables]
        self._examples = Examples(tables, run.loss.examples or 1, rows.x)
        self._tables = self._examples.joined()
        self.work = rows.x.new_empty((min(MOST_BLOCKS, len(rows.batch.lr)), program.work))

    def _stack_state(self, rows: Rows) -> Tensor:
        """Copy the state of the optimizer to a block of memory: (S, n), row after row."""
        return stack_rows(rows.state, rows.x)

    def _launch(self, n: int, count: int, arguments: tuple[Tensor | int, ...]) -> None:
        weight = self._examples.weight
        self._advance(n, count, *arguments, self._tables, weight, len(weight), self.work)
