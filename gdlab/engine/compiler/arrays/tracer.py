"""Trace what torch computes for one run and one example as a graph of operations on arrays."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gdlab.engine.compiler.arrays.graph import Argument, Node, View, contiguous, make_node
from gdlab.engine.compiler.arrays.recorders import RECORDERS
from gdlab.engine.compiler.arrays.storages import Storages, address, window
from gdlab.engine.compiler.dispatch import CONVERSIONS, SHAPE_ONLY, decompose, name_of, tensors_in
from gdlab.engine.compiler.expressions import NUMBERS, TRUTHS
from gdlab.engine.compiler.program import Uncompilable

ELEMENTWISE = frozenset(
    (
        *NUMBERS,
        *TRUTHS,
        *("add", "sub", "rsub", "addcmul", "addcdiv", "lerp", "mul", "pow", "masked_fill"),
        *("clamp", "clamp_min", "clamp_max", "clone", "copy", "fill"),
        *CONVERSIONS,
    )
)
"""The operations that compute each number of their result from one number of each operand."""

_REDUCTIONS = frozenset(("sum", "mean", "prod", "amax", "amin"))


class ArrayTracer(TorchDispatchMode):
    """Follows the storages of tensors through torch's operations, and records a graph.

    Raises:
        Uncompilable: an operation is unknown, or Python reads a number of a followed tensor.
    """

    def __init__(self) -> None:
        super().__init__()
        self._storages = Storages()
        self._chosen: Tensor | None = None
        self._tables: dict[tuple[Any, ...], tuple[Tensor, Node]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not import its own compiler."""
        return False

    @property
    def tables(self) -> list[Tensor]:
        """The tables (N, …) of which the trace takes the chosen example."""
        return [table for table, _ in self._tables.values()]

    def follow(self, like: Tensor, name: str, *, per_example: bool = False) -> Tensor:
        """Return a copy of a tensor that is followed as the input `name`."""
        tensor = like.detach().clone(memory_format=torch.contiguous_format)
        sizes = tuple(tensor.shape)
        node = Node("input", name, (), sizes, contiguous(sizes), per_example)
        return self.keep(tensor, node)

    def view(self, tensor: Tensor) -> View:
        """Return a followed tensor as a view, another one as a constant."""
        return self._storages.view(tensor)

    def keep(self, tensor: Tensor, node: Node) -> Tensor:
        """Follow a tensor as a node, and return it."""
        return self._storages.keep(tensor, node)

    def choose(self) -> Tensor:
        """Return the index (1, 1) of an example, which may only select from tables."""
        self._chosen = torch.zeros((1, 1), dtype=torch.int64)
        return self._chosen

    def add(
        self, result: Tensor, kind: Any, name: str, args: Sequence[Any], details: Any = None
    ) -> Tensor:
        """Follow a result as a new node."""
        sizes, strides = tuple(result.shape), result.stride()
        return self.keep(result, make_node(kind, name, args, sizes, strides, details))

    def reduce(self, func: Any, name: str, args: Any, kwargs: Any) -> Tensor:
        """Run a reduction over some axes of a tensor, and record it."""
        view, ndim = self.view(args[0]), args[0].ndim
        dims = args[1] if len(args) > 1 else kwargs.get("dim")
        dims = range(ndim) if dims in (None, [], ()) else [dims] if isinstance(dims, int) else dims
        axes = {axis % max(ndim, 1) for axis in dims}
        return self.add(func(*args, **kwargs), "reduce", name, [view], {"axes": axes})

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and record it if it takes a followed tensor."""
        kwargs, name = kwargs or {}, name_of(func)
        tensors = tensors_in((args, kwargs))
        if self._chosen is not None and any(tensor is self._chosen for tensor in tensors):
            return self._take_example(func, name, args)
        if name in SHAPE_ONLY or not any(self._storages.find(tensor) for tensor in tensors):
            return func(*args, **kwargs)
        if func._schema.is_mutable:
            return self._write(func, name.removesuffix("_"), args, kwargs)
        if name in ELEMENTWISE and kwargs.get("rounding_mode") is None:
            return self._compute(func, name, args, kwargs)
        if name in _REDUCTIONS:
            return self.reduce(func, name, args, kwargs)
        if name in RECORDERS:
            return RECORDERS[name](self, func, args, kwargs)
        if func.is_view or name in _VIEWS:
            return func(*args, **kwargs)
        with self:
            return decompose(func, args, kwargs)

    def _take_example(self, func: Any, name: str, args: Sequence[Any]) -> Tensor:
        """Record that a table (N, …) is indexed by the chosen example."""
        is_index = name == "index" and len(args[1]) == 1 and args[1][0] is self._chosen
        if not is_index or self._storages.find(args[0]) is not None:
            raise Uncompilable("an index that depends on the example has no compiled form")
        table = args[0]
        result = func(*args)
        key = address(table), *window(table)
        if key not in self._tables:
            sizes = tuple(result.shape)
            name = f"table[{len(self._tables)}]"
            node = Node("input", name, (), sizes, contiguous(sizes), True)
            self._tables[key] = table, node
        return self.keep(result, self._tables[key][1])

    def _compute(self, func: Any, name: str, args: Any, kwargs: Any) -> Tensor:
        """Run an elementwise operation, and record it with all its arguments."""
        operands = [self._argument(arg) for arg in args]
        details = {key: self._argument(value) for key, value in kwargs.items()}
        result = func(*args, **kwargs)
        return self.add(result, "elementwise", name, operands, details)

    def _argument(self, value: Any) -> Any:
        """Return a tensor as a view, or as a number where all its numbers are equal."""
        if not isinstance(value, Tensor):
            return value
        if (
            self._storages.find(value) is None
            and value.numel()
            and bool((value == value.flatten()[0]).all())
        ):
            return value.flatten()[0].item()
        return self.view(value)

    def _write(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Record an operation that writes into its first argument."""
        target = args[0]
        base, part = self._storages.whole_and_part(target)
        if name == "scatter_add" and part.is_whole:
            _, axis, index, values = (self._argument(arg) for arg in args)
            details = {"axis": axis % max(target.ndim, 1)}
            operands = part, index, values
            node = make_node("scatter", name, operands, part.sizes, part.strides, details)
        else:
            source = self._written(func, name, part, args, kwargs)
            details = {"part": (part.offset, part.sizes, part.strides)}
            node = make_node("assign", name, (base, source), base.sizes, base.strides, details)
        result = func(*args, **kwargs)
        self.keep(target, node)
        return result

    def _written(self, func: Any, name: str, part: View, args: Any, kwargs: Any) -> Argument:
        """Return what an operation writes into a part of a storage."""
        if name in ("copy", "fill", "zero"):
            return self._argument(args[1]) if len(args) > 1 else 0.0
        if name not in ELEMENTWISE:
            raise Uncompilable(f"the operation {func} has no compiled form")
        operands = [part, *(self._argument(arg) for arg in args[1:])]
        details = {key: self._argument(value) for key, value in kwargs.items()}
        layout = part.sizes, contiguous(part.sizes)
        return make_node("elementwise", name, operands, *layout, details).whole()


_VIEWS = frozenset(("_unsafe_view", "_reshape_alias"))
"""Operations whose result shares its argument's storage, though torch does not say so."""
