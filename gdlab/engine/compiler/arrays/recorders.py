"""How operations of torch that have a kind of their own in the graph are recorded.

Each function runs an operation and follows its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.graph import Node, make_node, with_axis
from gdlab.engine.compiler.arrays.storages import window

if TYPE_CHECKING:
    from gdlab.engine.compiler.arrays.tracer import ArrayTracer

Recorder: TypeAlias = "Callable[[ArrayTracer, Any, Any, Any], Tensor]"


def _mm(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    a, b = (with_axis(tracer.view(arg), 0) for arg in args)
    result = func(*args, **kwargs)
    node = make_node("product", "mm", (a, b), (1, *result.shape), (0, *result.stride()))
    return tracer.keep(result, node)


def _bmm(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    a, b = map(tracer.view, args)
    return tracer.add(func(*args, **kwargs), "product", "bmm", (a, b))


def _mv(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    a, b = (with_axis(tracer.view(arg), 0) for arg in args)
    result = func(*args, **kwargs)
    pair = a, with_axis(b, 2)
    node = make_node("product", "mv", pair, (1, *result.shape, 1), (0, 1, 0))
    return tracer.keep(result, node)


def _dot(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    a, b = (with_axis(tracer.view(arg), 0) for arg in args)
    result = func(*args, **kwargs)
    pair = with_axis(a, 0), with_axis(b, 2)
    return tracer.keep(result, make_node("product", "dot", pair, (1, 1, 1), (0, 0, 0)))


def _cat(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    tensors, axis = args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0)
    parts = [tracer.view(tensor) for tensor in tensors if tensor.numel()]
    result = func(*args, **kwargs)
    return tracer.add(result, "join", "cat", parts, {"axis": axis % result.ndim})


def _stack(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    result = func(*args, **kwargs)
    axis %= result.ndim
    parts = [with_axis(tracer.view(tensor), axis) for tensor in args[0]]
    return tracer.add(result, "join", "stack", parts, {"axis": axis})


def _argmax(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    return tracer.reduce(func, "argmax", args, kwargs)


def _var(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    a, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
    keeps = kwargs.get("keepdim", False)
    correction = args[2] if len(args) > 2 else kwargs.get("correction", 1)
    with tracer:
        mean = a.mean(dims, keepdim=True)
        squares = (a - mean).square().sum(dims, keepdim=keeps)
        return squares / (a.numel() // mean.numel() - correction)


def _gather(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    source, axis, index = tracer.view(args[0]), args[1], tracer.view(args[2])
    result = func(*args, **kwargs)
    details = {"axis": axis % max(args[0].ndim, 1)}
    return tracer.add(result, "gather", "gather", (source, index), details)


def _scatter_add(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    base, axis = tracer.view(args[0]), args[1] % max(args[0].ndim, 1)
    index, values = tracer.view(args[2]), tracer.view(args[3])
    operands = base, index, values
    return tracer.add(func(*args, **kwargs), "scatter", "scatter", operands, {"axis": axis})


def _slice_backward(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    _, sizes, axis, start, end, step = args
    result = func(*args, **kwargs)
    into = torch.empty_strided(sizes, result.stride(), device="meta")
    at = (slice(None),) * (axis % len(sizes)) + (slice(start, end, step),)
    return _add_padded(tracer, result, args[0], into[at])


def _select_backward(tracer: ArrayTracer, func: Any, args: Any, kwargs: Any) -> Tensor:
    _, sizes, axis, index = args
    result = func(*args, **kwargs)
    into = torch.empty_strided(sizes, result.stride(), device="meta")
    return _add_padded(tracer, result, args[0], into.select(axis, index))


def _add_padded(tracer: ArrayTracer, result: Tensor, part: Tensor, into: Tensor) -> Tensor:
    """Follow zeros with an array written into a part of them."""
    at = window(into)
    sizes, strides = tuple(result.shape), result.stride()
    zeros = Node("constant", "", (), sizes, strides, False, values=np.zeros(()))
    operands = zeros.whole(), tracer.view(part)
    return tracer.add(result, "assign", "pad", operands, {"part": at})


RECORDERS: Mapping[str, Recorder] = {
    "mm": _mm,
    "bmm": _bmm,
    "mv": _mv,
    "dot": _dot,
    "cat": _cat,
    "stack": _stack,
    "argmax": _argmax,
    "var": _var,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "slice_backward": _slice_backward,
    "select_backward": _select_backward,
}
"""What records the operations that have a kind of their own, by their names in torch."""
