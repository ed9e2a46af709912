"""Trace what torch computes for one run and one example as a graph of operations on arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gdlab.engine.compiler.arrays.graph import (
    Argument,
    Node,
    View,
    contiguous,
    make_node,
    with_axis,
)
from gdlab.engine.compiler.dispatch import CONVERSIONS, SHAPE_ONLY, decompose, name_of, tensors_in
from gdlab.engine.compiler.expressions import NUMBERS, TRUTHS
from gdlab.engine.compiler.program import Uncompilable

_MAX_CONSTANT = 4096

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
        # By address; holding the tensors keeps the addresses from being reused.
        self._nodes: dict[int, tuple[Tensor, Node]] = {}
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
        return self._keep(tensor, Node("input", name, (), sizes, contiguous(sizes), per_example))

    def choose(self) -> Tensor:
        """Return the index (1, 1) of an example, which may only select from tables."""
        self._chosen = torch.zeros((1, 1), dtype=torch.int64)
        return self._chosen

    def view(self, tensor: Tensor) -> View:
        """Return a followed tensor as a view, another one as a constant."""
        found = self._find(tensor)
        if found is not None:
            return found
        if tensor.numel() > _MAX_CONSTANT:
            raise Uncompilable(f"a constant of {tensor.numel():,} numbers has no compiled form")
        sizes, values = tuple(tensor.shape), np.array(tensor.detach().tolist(), dtype=float)
        return Node("constant", "", (), sizes, contiguous(sizes), False, values=values).whole()

    def _find(self, tensor: Any) -> View | None:
        if not isinstance(tensor, Tensor):
            return None
        found = self._nodes.get(_address(tensor))
        if found is None:
            return None
        return View(found[1], *_window(tensor))

    def _keep(self, tensor: Tensor, node: Node) -> Tensor:
        """Follow a tensor as a view of a node, and return it."""
        self._nodes[_address(tensor)] = tensor, node
        return tensor

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and record it if it takes a followed tensor."""
        kwargs, name = kwargs or {}, name_of(func)
        tensors = tensors_in((args, kwargs))
        if self._chosen is not None and any(tensor is self._chosen for tensor in tensors):
            return self._take_example(func, name, args)
        if name in SHAPE_ONLY or not any(self._find(tensor) for tensor in tensors):
            return func(*args, **kwargs)
        if func._schema.is_mutable:
            return self._write(func, name.removesuffix("_"), args, kwargs)
        if name in ELEMENTWISE and kwargs.get("rounding_mode") is None:
            return self._compute(func, "elementwise", name, args, kwargs)
        if name in _REDUCTIONS:
            return self._reduce(func, name, args, kwargs)
        record = getattr(self, f"_record_{name}", None)
        if record is not None:
            return record(func, args, kwargs)
        if func.is_view or name in _VIEWS:
            return func(*args, **kwargs)
        with self:
            return decompose(func, args, kwargs)

    def _take_example(self, func: Any, name: str, args: Sequence[Any]) -> Tensor:
        """Record that a table (N, …) is indexed by the chosen example."""
        is_index = name == "index" and len(args[1]) == 1 and args[1][0] is self._chosen
        if not is_index or self._find(args[0]) is not None:
            raise Uncompilable("an index that depends on the example has no compiled form")
        table = args[0]
        result = func(*args)
        key = _address(table), *_window(table)
        if key not in self._tables:
            sizes = tuple(result.shape)
            name = f"table[{len(self._tables)}]"
            node = Node("input", name, (), sizes, contiguous(sizes), True)
            self._tables[key] = table, node
        return self._keep(result, self._tables[key][1])

    def _compute(self, func: Any, kind: Any, name: str, args: Any, kwargs: Any) -> Tensor:
        """Run an operation with one result, and record it with all its arguments."""
        operands = [self._argument(arg) for arg in args]
        details = {key: self._argument(value) for key, value in kwargs.items()}
        result = func(*args, **kwargs)
        return self._add(result, kind, name, operands, details)

    def _reduce(self, func: Any, name: str, args: Any, kwargs: Any) -> Tensor:
        """Run a reduction over some axes of a tensor, and record it."""
        view, ndim = self.view(args[0]), args[0].ndim
        dims = args[1] if len(args) > 1 else kwargs.get("dim")
        dims = range(ndim) if dims in (None, [], ()) else [dims] if isinstance(dims, int) else dims
        axes = {axis % max(ndim, 1) for axis in dims}
        return self._add(func(*args, **kwargs), "reduce", name, [view], {"axes": axes})

    def _argument(self, value: Any) -> Any:
        """Return a tensor as a view, or as a number where all its numbers are equal."""
        if not isinstance(value, Tensor):
            return value
        if (
            self._find(value) is None
            and value.numel()
            and bool((value == value.flatten()[0]).all())
        ):
            return value.flatten()[0].item()
        return self.view(value)

    def _add(
        self, result: Tensor, kind: Any, name: str, args: Sequence[Any], details: Any = None
    ) -> Tensor:
        """Follow a result as a new node."""
        sizes, strides = tuple(result.shape), result.stride()
        return self._keep(result, make_node(kind, name, args, sizes, strides, details))

    def _write(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Record an operation that writes into its first argument."""
        target = args[0]
        base, part = self._storage_and_part(target)
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
        self._nodes[_address(target)] = target, node
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

    def _storage_and_part(self, target: Tensor) -> tuple[View, View]:
        """Return all of the storage of a tensor as a view, and the tensor's part of it."""
        found = self._find(target)
        if found is None:
            owner = target if target._base is None else target._base
            whole = self.view(owner)
            return whole, View(whole.node, *_window(target))
        return found.node.whole(), found

    # Operations that have a kind of their own.

    def _record_mm(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        a, b = (with_axis(self.view(arg), 0) for arg in args)
        result = func(*args, **kwargs)
        node = make_node("product", "mm", (a, b), (1, *result.shape), (0, *result.stride()))
        return self._keep(result, node)

    def _record_bmm(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        a, b = map(self.view, args)
        return self._add(func(*args, **kwargs), "product", "bmm", (a, b))

    def _record_mv(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        a, b = (with_axis(self.view(arg), 0) for arg in args)
        result = func(*args, **kwargs)
        pair = a, with_axis(b, 2)
        node = make_node("product", "mv", pair, (1, *result.shape, 1), (0, 1, 0))
        return self._keep(result, node)

    def _record_dot(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        a, b = (with_axis(self.view(arg), 0) for arg in args)
        result = func(*args, **kwargs)
        pair = with_axis(a, 0), with_axis(b, 2)
        return self._keep(result, make_node("product", "dot", pair, (1, 1, 1), (0, 0, 0)))

    def _record_cat(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        tensors, axis = args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0)
        parts = [self.view(tensor) for tensor in tensors if tensor.numel()]
        result = func(*args, **kwargs)
        return self._add(result, "join", "cat", parts, {"axis": axis % result.ndim})

    def _record_stack(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        result = func(*args, **kwargs)
        axis %= result.ndim
        parts = [with_axis(self.view(tensor), axis) for tensor in args[0]]
        return self._add(result, "join", "stack", parts, {"axis": axis})

    def _record_argmax(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        return self._reduce(func, "argmax", args, kwargs)

    def _record_var(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        a, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
        keeps = kwargs.get("keepdim", False)
        correction = args[2] if len(args) > 2 else kwargs.get("correction", 1)
        with self:
            mean = a.mean(dims, keepdim=True)
            squares = (a - mean).square().sum(dims, keepdim=keeps)
            return squares / (a.numel() // mean.numel() - correction)

    def _record_gather(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        source, axis, index = self.view(args[0]), args[1], self.view(args[2])
        result = func(*args, **kwargs)
        details = {"axis": axis % max(args[0].ndim, 1)}
        return self._add(result, "gather", "gather", (source, index), details)

    def _record_scatter_add(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        base, axis = self.view(args[0]), args[1] % max(args[0].ndim, 1)
        index, values = self.view(args[2]), self.view(args[3])
        operands = base, index, values
        return self._add(func(*args, **kwargs), "scatter", "scatter", operands, {"axis": axis})

    def _record_slice_backward(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        _, sizes, axis, start, end, step = args
        result = func(*args, **kwargs)
        window = torch.empty_strided(sizes, result.stride(), device="meta")
        at = (slice(None),) * (axis % len(sizes)) + (slice(start, end, step),)
        return self._add_padded(result, args[0], window[at])

    def _record_select_backward(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        _, sizes, axis, index = args
        result = func(*args, **kwargs)
        window = torch.empty_strided(sizes, result.stride(), device="meta")
        return self._add_padded(result, args[0], window.select(axis, index))

    def _add_padded(self, result: Tensor, part: Tensor, window: Tensor) -> Tensor:
        """Follow zeros with an array written into a window of them."""
        at = _window(window)
        sizes, strides = tuple(result.shape), result.stride()
        zeros = Node("constant", "", (), sizes, strides, False, values=np.zeros(()))
        operands = zeros.whole(), self.view(part)
        return self._add(result, "assign", "pad", operands, {"part": at})


_VIEWS = frozenset(("_unsafe_view", "_reshape_alias", "lift_fresh_copy"))
"""Operations whose result shares its argument's storage, though torch does not say so."""


def _window(tensor: Tensor) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """The offset, shape and strides of a tensor in its storage."""
    return int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride())


def _address(tensor: Tensor) -> int:
    """The address of a tensor's storage."""
    return tensor.untyped_storage().data_ptr()
