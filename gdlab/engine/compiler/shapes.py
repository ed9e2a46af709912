"""Torch operations that move numbers without computing any.

An array here is a numpy array of operands: values of a program and constants.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gdlab.engine.compiler.program import Uncompilable

Array = np.ndarray
Operation = Callable[..., Any]


def _expand(a: Array, shape: Sequence[int], **_: Any) -> Array:
    lead = len(shape) - a.ndim
    sizes = [a.shape[i - lead] if n == -1 else n for i, n in enumerate(shape)]
    return np.broadcast_to(a, sizes)


def _squeeze(a: Array, dim: Any = None) -> Array:
    dims = range(a.ndim) if dim is None else np.atleast_1d(dim).tolist()
    return a.squeeze(tuple(axis for axis in dims if a.ndim and a.shape[axis] == 1))


def _slice(
    a: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    return a[_index_along(dim, slice(start, end, step), a.ndim)]


def _split(a: Array, size: int, dim: int = 0) -> list[Array]:
    return np.split(a, range(size, a.shape[dim], size), axis=dim)


def _index_along(dim: int, index: Any, ndim: int) -> tuple[Any, ...]:
    return (slice(None),) * (dim % ndim) + (index,)


def _scatter(grad: Array, sizes: Sequence[int], dim: int, index: Any) -> Array:
    """Return zeros of a shape with an array at one index or slice of an axis."""
    result = np.full(sizes, 0.0, dtype=object)
    result[_index_along(dim, index, len(sizes))] = grad
    return result


def index_array(a: Array, indices: Sequence[Any]) -> Array:
    """Index an array as torch does; None selects a whole axis."""
    selection = tuple(slice(None) if index is None else index for index in indices)
    if any(isinstance(index, np.ndarray) and index.dtype.kind == "O" for index in selection):
        raise Uncompilable("an index that depends on the point has no compiled form")
    return a[selection]


SHAPES: dict[str, Operation] = {
    "view": lambda a, shape: a.reshape(shape),
    "_unsafe_view": lambda a, shape: a.reshape(shape),
    "reshape": lambda a, shape: a.reshape(shape),
    "unsqueeze": lambda a, dim: np.expand_dims(a, dim),
    "squeeze": _squeeze,
    "permute": lambda a, dims: a.transpose(dims),
    "transpose": lambda a, first, second: a.swapaxes(first, second),
    "t": lambda a: a.T,
    "select": lambda a, dim, index: a[_index_along(dim, index, a.ndim)],
    "slice": _slice,
    "expand": _expand,
    "stack": lambda arrays, dim=0: np.stack(arrays, axis=dim),
    "cat": lambda arrays, dim=0: np.concatenate(arrays, axis=dim),
    "split": _split,
    "unbind": lambda a, dim=0: list(np.moveaxis(a, dim, 0)),
    "detach": lambda a: a,
    "clone": lambda a, **_: a,
    "alias": lambda a: a,
    "real": lambda a: a,
    "copy": lambda a, source, *_: np.broadcast_to(source, a.shape),
    "broadcast_in_dim": lambda a, shape, dims: np.broadcast_to(
        a.reshape([a.shape[dims.index(axis)] if axis in dims else 1 for axis in range(len(shape))]),
        shape,
    ),
    "lift_fresh_copy": lambda a: a,
    "flip": lambda a, dims: np.flip(a, dims),
    "roll": lambda a, shifts, dims=(): np.roll(a, shifts, dims or None),
    "index": index_array,
    "index_select": lambda a, dim, index: a.take(index, axis=dim),
    "select_backward": lambda grad, sizes, dim, index: _scatter(grad, sizes, dim, index),
    "slice_backward": lambda grad, sizes, dim, start, end, step: _scatter(
        grad, sizes, dim, slice(start, end, step)
    ),
}
