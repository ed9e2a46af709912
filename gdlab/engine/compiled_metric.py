"""A metric that is a mean over examples, computed by a compiled program.

Shapes: D dimensions, k records, n rows, C columns.
"""

import ctypes
from contextlib import suppress
from functools import cache

from torch import Tensor

from gdlab.engine.compiler.arrays.measure import trace_metric
from gdlab.engine.compiler.arrays.writer import pad
from gdlab.engine.compiler.library import load_function
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.examples import Examples, address, examples_type
from gdlab.engine.metrics import Measure
from gdlab.engine.parallel import PRODUCTS_PER_THREAD, in_parts
from gdlab.engine.stacking import collect_columns, pointer, stack
from gdlab.losses.base import Loss


def compile_metrics(loss: Loss, x: Tensor, threads: int) -> dict[str, Measure]:
    """Compile those metrics of a loss that have a compiled form, by name.

    Args:
        loss: the loss of one row.
        x: its point (1, D).
        threads: the maximum number of threads.
    """
    compiled: dict[str, Measure] = {}
    for name in loss.partial_metrics:
        with suppress(Uncompilable):  # torch computes the others
            compiled[name] = CompiledMetric(loss, name, x, threads)
    return compiled


class CompiledMetric:
    """Computes a metric of a loss at points.

    Args:
        loss: the loss of one row.
        name: of the metric, one of `loss.partial_metrics`.
        x: its point (1, D).
        threads: the maximum number of threads.

    Raises:
        Uncompilable: it has no compiled form, or gives another value than torch.
    """

    def __init__(self, loss: Loss, name: str, x: Tensor, threads: int) -> None:
        program = trace_metric(loss, name, x)
        self._function = load_function(program.source, "measure")
        tables = [table.to(x.dtype) for table in program.tables]
        self._count = loss.partial_metrics[name].examples
        self._examples = Examples(tables, self._count, x)
        self._type = _points_type(len(tables))
        self._work = x.new_empty((threads, pad(program.work, x.dtype)))
        # Rounding may decide whether an example is a hit.
        difference = (self(loss, x[None])[0] - loss.metrics[name](x)).abs()
        if bool((difference > 1.5 / self._count).any()):
            raise Uncompilable(f"the compiled form of {name} gives another value than torch")

    def __call__(self, loss: Loss, x: Tensor) -> Tensor:
        """Return the metric (k, n) at points x (k, n, D)."""
        records, n, dim = x.shape
        values, columns = x.new_empty((records, n)), stack(collect_columns(loss), x[0])
        numbers = address(x), x.stride(0), x.stride(2), x.stride(1), address(columns)
        points = self._type(*numbers, address(values), n, records, self._examples.structure)

        def measure_rows(begin: int, end: int, thread: int) -> None:
            bounds = ctypes.c_long(begin), ctypes.c_long(end)
            self._function(*bounds, ctypes.byref(points), pointer(self._work[thread]))

        work = values.numel() * dim * self._count
        in_parts(measure_rows, n, min(len(self._work), n, work // PRODUCTS_PER_THREAD))
        return values


@cache
def _points_type(tables: int) -> type[ctypes.Structure]:
    """The structure `Points` of `measure.c`, for programs with so many tables."""
    strides = ("record", "coordinate", "run")
    fields = [("point", ctypes.c_void_p), *((name, ctypes.c_long) for name in strides)]
    fields += [("column", ctypes.c_void_p), ("value", ctypes.c_void_p)]
    fields += [("runs", ctypes.c_long), ("records", ctypes.c_long)]
    fields += [("all", examples_type(tables))]
    return type("Points", (ctypes.Structure,), {"_fields_": fields})
