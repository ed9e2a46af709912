"""Tensors as one block of memory that compiled programs read.

Shapes: n rows, S stacked numbers of a row.
"""

import ctypes

import torch
from torch import Tensor

from gdlab.fields.declared import Configured, Number, map_numbers
from gdlab.losses.base import Loss


def collect_columns(loss: Loss, *others: Configured) -> list[Tensor]:
    """Return the columns of a loss, then of an optimizer and so on, in the order of their trace."""
    columns = loss.numeric_columns()

    def collect(value: Number) -> Number:
        if isinstance(value, Tensor):
            columns.append(value)
        return value

    for other in others:
        map_numbers(other, collect)
    return columns


def stack(tensors: list[Tensor], x: Tensor) -> Tensor:
    """Stack tensors (n, …) as the rows of one (S, n); one row of zeros if there are none."""
    flat = [tensor.reshape(len(x), -1).T for tensor in tensors] or [x.new_zeros((1, len(x)))]
    return torch.cat(flat).contiguous()


def rows_innermost(values: Tensor) -> Tensor:
    """Return values (K, n) with those of neighboring rows side by side in memory."""
    return values if values.stride(1) == 1 else values.contiguous()


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return the address of a tensor's numbers, as C takes it."""
    return ctypes.c_void_p(tensor.data_ptr())
