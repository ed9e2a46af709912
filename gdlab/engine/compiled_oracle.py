"""Steps of optimizers that query an oracle, with their parts compiled.

A line search ends at another trial in each row, and equations are solved by LAPACK. So the steps
are those of eager mode, but what lies between their branches is one compiled loop over all rows.

Shapes: n rows, D dimensions.
"""

from collections.abc import Callable

import torch

from gdlab.engine import eager
from gdlab.engine.compiler.kernels import Kernels
from gdlab.engine.compiler.program import Uncompilable, errors_as_uncompilable
from gdlab.engine.records import ChunkRecords
from gdlab.engine.rows import Rows
from gdlab.optimizers.oracle import evaluate

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}


class CompiledOracle:
    """Advances the rows of a batch whose optimizer has an oracle.

    Raises:
        Uncompilable: the loss and its gradient cannot be compiled; the message says why.
    """

    skip = None

    def __init__(self, rows: Rows) -> None:
        self._kernels = Kernels(rows.batch.lanes)
        with errors_as_uncompilable():
            self._kernels.compile(evaluate, rows.loss, rows.x)
            self.compare_with_torch(rows)

    def __call__(self, rows: Rows, length: int, interrupted: Callable[[], bool]) -> ChunkRecords:
        """Make up to `length` new records, and leave `rows` at the next point."""
        assert rows.oracle is not None
        rows.oracle.kernels = self._kernels
        return eager.advance(rows, length, interrupted)

    def release(self) -> None:
        """Do nothing: the oracle of the rows holds what is theirs."""

    def compare_with_torch(self, rows: Rows) -> None:
        """Compare the first losses (n, 1) and gradients (n, D) with those that torch computes.

        Raises:
            Uncompilable: they differ, for instance because Python branches on the numbers.
        """
        tolerance = _TOLERANCE[rows.x.dtype]
        pairs = zip(
            self._kernels(evaluate, rows.loss, rows.x), evaluate(rows.loss, rows.x), strict=True
        )
        for compiled, expected in pairs:
            finite = torch.isfinite(compiled) & torch.isfinite(expected)
            largest = torch.where(finite, expected.abs(), 0.0).amax(1, keepdim=True)
            error = torch.where(finite, (compiled - expected).abs(), 0.0)
            if (error > tolerance * (1 + largest)).any():
                raise Uncompilable("its compiled form gives other values than torch")
