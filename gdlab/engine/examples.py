"""The examples of a loss, as compiled programs take them.

Shapes: N examples, padded to whole vectors with copies of the last, whose weight is 0.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.writer import pad


class Examples:
    """Tables (N, …) with their numbers first and their examples last.

    Attributes:
        structure: the structure `Examples` of `examples.c`.
    """

    def __init__(self, tables: Sequence[Tensor], count: int, like: Tensor) -> None:
        self._columns = [_columns_of(table) for table in tables]
        self._weight = weights(count, like)
        size = len(self._weight)
        weight = address(self._weight)
        self.structure = examples_type(len(tables))(addresses(self._columns), weight, size, size)


def _columns_of(table: Tensor) -> Tensor:
    """Return a table (N, …) as columns (…, N), padded."""
    columns = table.reshape(len(table), -1).T
    last = columns[:, -1:].expand(-1, pad(len(table), table.dtype) - len(table))
    return torch.cat((columns, last), 1).contiguous()


def weights(count: int, like: Tensor) -> Tensor:
    """Return the weights of examples in their mean, padded."""
    values = like.new_zeros(pad(count, like.dtype))
    values[:count] = 1 / count
    return values


def address(tensor: Tensor | None, first: int = 0) -> int | None:
    """Return the address of the numbers of a tensor from an index on."""
    return None if tensor is None else tensor[first:].data_ptr()


def addresses(tensors: Sequence[Tensor]) -> Any:
    """Return the addresses of tensors, as an array that is never empty."""
    return (ctypes.c_void_p * (len(tensors) + 1))(*map(address, tensors))


@cache
def examples_type(tables: int) -> type[ctypes.Structure]:
    """Return the type of the structure `Examples`, for programs with so many tables."""
    fields = [
        ("table", ctypes.c_void_p * (tables + 1)),
        ("weight", ctypes.c_void_p),
        ("stride", ctypes.c_long),
        ("count", ctypes.c_long),
    ]
    return type("Examples", (ctypes.Structure,), {"_fields_": fields})
