"""A pool of memory for the records of chunks, reused once nothing refers to it."""

import math
import sys

import numpy as np
import torch
from torch import Tensor

_MAX_ARRAYS = 6
_CACHE_LINE = 64  # bytes; tensors are aligned to it
_OWN_REFERENCES = 3  # held by the list, the loop variable and the argument of getrefcount


class BufferPool:
    """Allocates uninitialized tensors; on the CPU from arrays that no tensor uses any more.

    The operating system must clear fresh memory before it can be written, which takes longer than
    many a step. NumPy arrays ask for large pages and count their references.
    """

    def __init__(self) -> None:
        self._arrays: list[np.ndarray] = []

    def empty(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a tensor of a shape, with the dtype and device of another tensor."""
        if like.device.type != "cpu":
            return like.new_empty(shape)
        count, dtype = math.prod(shape), str(like.dtype).removeprefix("torch.")
        array = self._free_array(count + _CACHE_LINE, dtype)
        first = -array.ctypes.data % _CACHE_LINE // array.itemsize
        return torch.from_numpy(array[first : first + count]).view(shape)

    def _free_array(self, count: int, dtype: str) -> np.ndarray:
        for array in self._arrays:
            is_free = sys.getrefcount(array) == _OWN_REFERENCES
            if is_free and array.dtype == dtype and count <= array.size <= 2 * count:
                return array
        self._arrays = [*self._arrays[1 - _MAX_ARRAYS :], np.empty(count, dtype)]
        return self._arrays[-1]
