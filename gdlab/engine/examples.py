"""The examples of a loss, as compiled programs take them.

Shapes: N examples, padded to whole vectors with copies of the last, whose weight is 0.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.writer import pad


class Examples:
    """Tables (N, …) with their numbers first and their examples last.

    Attributes:
        structure: the structure `Examples` of `examples.c`.
        weight: the weight of each in their mean (N,).
    """

    def __init__(self, tables: Sequence[Tensor], count: int, like: Tensor) -> None:
        self._tables = [_Columns.of(table) for table in tables]
        self.weight = weights(count, like)
        size, weight = len(self.weight), address(self.weight)
        columns = addresses([table.columns for table in self._tables])
        self.structure = examples_type(len(tables))(columns, weight, size, size)

    def joined(self) -> Tensor:
        """Return the numbers of all tables, one table after the other."""
        return torch.cat([self.weight[:0], *(table.columns.flatten() for table in self._tables)])


class _Columns:
    """A table (N, …) as columns (…, N), padded; programs of the same table share them."""

    _known: ClassVar[WeakValueDictionary[tuple[object, ...], "_Columns"]] = WeakValueDictionary()

    def __init__(self, table: Tensor) -> None:
        self._table = table  # as long as it is there, no other table has its address
        columns = table.reshape(len(table), -1).T
        last = columns[:, -1:].expand(-1, pad(len(table), table.dtype) - len(table))
        self.columns = torch.cat((columns, last), 1).contiguous()

    @classmethod
    def of(cls, table: Tensor) -> "_Columns":
        """Return the columns of a table, made now or before."""
        key = table.data_ptr(), tuple(table.shape), table.stride(), table.dtype, table._version
        found = cls._known.get(key)
        if found is None:
            found = cls._known[key] = cls(table)
        return found


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
