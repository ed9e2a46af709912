"""Tensors as one block of memory that compiled programs read.

Shapes: n rows, S stacked numbers of a row.
"""

import ctypes

import torch
from torch import Tensor

from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Optimizer


def collect_columns(loss: Loss, optimizer: Optimizer | None = None) -> list[Tensor]:
    """Return the columns of the loss, then of the optimizer, in the order of their trace."""
    columns = loss.numeric_columns()

    def collect(value: Number) -> Number:
        if isinstance(value, Tensor):
            columns.append(value)
        return value

    if optimizer is not None:
        map_numbers(optimizer, collect)
    return columns


def stack(tensors: list[Tensor], x: Tensor) -> Tensor:
    """Stack tensors (n, …) as the rows of one (S, n); one row of zeros if there are none."""
    flat = [tensor.reshape(len(x), -1).T for tensor in tensors] or [x.new_zeros((1, len(x)))]
    return torch.cat(flat).contiguous()


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return the address of a tensor's numbers, as C takes it."""
    return ctypes.c_void_p(tensor.data_ptr())
