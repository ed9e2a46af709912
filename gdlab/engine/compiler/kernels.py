"""Functions of rows as compiled loops over all rows.

A function takes a loss, and arguments in which every tensor has one entry per row; so has every
tensor that it returns. It is traced on the first row, and must neither branch on numbers nor loop
until a condition holds: a caller does that, between two calls.

Shapes: n rows, a multiple of the kernels' lanes; any shape … of one row's entry.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.compiler.library import load_function
from gdlab.engine.compiler.program import Operand, Program, Uncompilable
from gdlab.engine.compiler.source import definitions, operand_text, statements
from gdlab.engine.compiler.tracer import Tracer
from gdlab.losses.base import Loss

_MAX_LINES = 4000

_TENSOR = (Tensor,)

RowFunction = Callable[..., Any]


class Kernels:
    """Calls functions of rows, each by its own kernel, compiled when it is first called.

    A function that cannot be compiled is called as it is. Except for n, a function always gets
    tensors of the same shapes and dtypes.

    Args:
        lanes: n is a multiple of it.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._compiled: dict[Any, _Kernel | None] = {}
        self._columns: tuple[Loss, list[Tensor]] | None = None

    def __call__(self, function: RowFunction, loss: Loss, *arguments: Any) -> Any:
        """Return what a function of a loss and of tensors (n, …) returns: tensors (n, …)."""
        tensors: list[Tensor] = []
        key = function, _take_apart(arguments, tensors)
        if key not in self._compiled:
            try:
                self.compile(function, loss, *arguments)
            except Uncompilable:
                self._compiled[key] = None
        kernel = self._compiled[key]
        if kernel is None:
            return function(loss, *arguments)
        return kernel.run([*tensors, *self._columns_of(loss)])

    def compile(self, function: RowFunction, loss: Loss, *arguments: Any) -> None:
        """Compile the kernel with which a function of a loss and such arguments will be called.

        Raises:
            Uncompilable: the function cannot be compiled; the message says why.
        """
        tensors: list[Tensor] = []
        form = _take_apart(arguments, tensors)
        dtype = next(tensor.dtype for tensor in tensors if tensor.is_floating_point())
        self._compiled[function, form] = _Trace(dtype, self._lanes).kernel(
            function, loss, form, tensors
        )

    def _columns_of(self, loss: Loss) -> list[Tensor]:
        """Return the columns (n,) of a loss, in the order in which they are traced."""
        if self._columns is None or self._columns[0] is not loss:
            self._columns = loss, loss.numeric_columns()
        return self._columns[1]


@dataclass(frozen=True)
class _Kernel:
    """A compiled loop over rows.

    Attributes:
        function: takes n, and the addresses of what is read and written.
        form: of what it returns.
        shapes: of one row's entry of each tensor that it returns.
        dtypes: of these tensors.
    """

    function: Callable[..., None]
    form: Any
    shapes: Sequence[tuple[int, ...]]
    dtypes: Sequence[torch.dtype]

    def run(self, tensors: Sequence[Tensor]) -> Any:
        """Compute all rows of tensors (n, …)."""
        n = len(tensors[0])
        read = [_rows_innermost(tensor, n) for tensor in tensors]
        written = [
            torch.empty((*shape, n), dtype=dtype)
            for shape, dtype in zip(self.shapes, self.dtypes, strict=True)
        ]
        addresses = [tensor.data_ptr() for tensor in read]
        addresses += [tensor.data_ptr() for tensor in written]
        self.function(n, (ctypes.c_void_p * len(addresses))(*addresses))
        rows = [t.T if t.ndim == 2 else t.movedim(-1, 0) for t in written]
        return _put_together(self.form, iter(rows))


class _Trace:
    """Traces a function on one row."""

    def __init__(self, dtype: torch.dtype, lanes: int) -> None:
        self._dtype, self._lanes = dtype, lanes
        self._program = Program(_MAX_LINES)
        self._tracer = Tracer(self._program, dtype)
        self._dtypes: list[torch.dtype] = []

    def kernel(
        self, function: RowFunction, loss: Loss, form: Any, tensors: Sequence[Tensor]
    ) -> _Kernel:
        """Return the kernel of a function of a loss and of arguments in this form."""
        rows = iter([self._follow(tensor[:1]) for tensor in tensors])
        loss = loss.with_columns(
            lambda value: self._follow(value[:1]) if isinstance(value, Tensor) else value
        )
        with self._tracer:
            returned = function(loss, *_put_together(form, rows))
        results: list[Tensor] = []
        form = _take_apart(returned, results)
        if any(result.dtype not in (self._dtype, torch.bool) for result in results):
            raise Uncompilable("a result has another dtype than the point")
        operands = [self._tracer.array(result).reshape(-1).tolist() for result in results]
        compiled = load_function(self._source(operands, results), "kernel")
        compiled.argtypes = ctypes.c_long, ctypes.POINTER(ctypes.c_void_p)  # type: ignore[attr-defined]  # a function of ctypes
        shapes = [tuple(result.shape[1:]) for result in results]
        return _Kernel(compiled, form, shapes, [result.dtype for result in results])

    def _follow(self, row: Tensor) -> Tensor:
        """Follow a copy of one row's entry of an argument."""
        if row.dtype not in (self._dtype, torch.bool):
            raise Uncompilable(f"an argument has dtype {row.dtype}")
        number, row = len(self._dtypes), row.detach().clone()
        self._dtypes.append(row.dtype)
        array = np.empty(row.numel(), dtype=object)
        for i in range(len(array)):
            kind = "truth" if row.dtype == torch.bool else "number"
            array[i] = self._program.apply(f"a{number}[{i} * n + l]", kind=kind)
        self._tracer.follow(row, array.reshape(tuple(row.shape)))
        return row

    def _source(self, operands: Sequence[Sequence[Operand]], results: Sequence[Tensor]) -> str:
        """Return the C source of a function `kernel` that computes blocks of `lanes` rows."""
        is_double = self._dtype == torch.float64
        wanted = [operand for row in operands for operand in row]
        lines = list(statements(self._program, wanted, is_double))
        stores = [
            f"r{number}[{i} * n + l] = {operand_text(operand, is_double)};"
            for number, row in enumerate(operands)
            for i, operand in enumerate(row)
        ]
        declared = [("const ", f"a{i}", dtype) for i, dtype in enumerate(self._dtypes)]
        declared += [("", f"r{i}", result.dtype) for i, result in enumerate(results)]
        pointers = [
            f"{const}{'unsigned char' if dtype == torch.bool else 'T'} *restrict {name} = p[{i}];"
            for i, (const, name, dtype) in enumerate(declared)
        ]
        loops = [
            f"for (long b = 0; b < n; b += {self._lanes})",
            "#pragma omp simd",
            f"for (long l = b; l < b + {self._lanes}; l++) {{",
        ]
        head = "void kernel(long n, void *const *p)\n{"
        body = [*pointers, *loops, *lines, *stores, "}", "}"]
        return "\n".join((*definitions(lines, is_double), head, *body)) + "\n"


def _rows_innermost(tensor: Tensor, n: int) -> Tensor:
    """Return a tensor with the numbers of a tensor (n, …) in memory as those of (…, n)."""
    stride = tensor.stride()
    if stride[0] == 1 and (tensor.shape[1:] == (1,) or stride[1:] == (n,)):
        return tensor  # nearly always, and faster to see than by a view
    return tensor.movedim(0, -1).contiguous()


def _take_apart(value: Any, tensors: list[Tensor]) -> Any:
    """Append the tensors in nested tuples and dicts to a list; return the form without them."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return _TENSOR
    if isinstance(value, tuple):
        return type(value), *[_take_apart(item, tensors) for item in value]
    if isinstance(value, dict):
        return dict, tuple(value), *[_take_apart(item, tensors) for item in value.values()]
    return None, value


def _put_together(form: Any, tensors: Iterator[Tensor]) -> Any:
    """Return the value of a form, with tensors in their places."""
    kind, *parts = form
    if kind is None:
        return parts[0]
    if kind is Tensor:
        return next(tensors)
    if kind is dict:
        names, *items = parts
        return {name: _put_together(i, tensors) for name, i in zip(names, items, strict=True)}
    items = [_put_together(item, tensors) for item in parts]
    return tuple(items) if kind is tuple else kind(*items)
