"""Memory for the records of chunks, used again once nobody holds them."""

import math
import sys

import numpy as np
import torch
from torch import Tensor

_MOST_HELD = 6
_LINE = 64  # bytes of a cache line, on which tensors begin
_OWN_REFERENCES = 3  # the list's, the loop's and the question's own


class BufferPool:
    """Gives uninitialised tensors; on the CPU out of arrays that no tensor looks at any more.

    Fresh memory must be cleared by the system before it can be written, which takes longer than
    many a step. NumPy's arrays ask for large pages, and count who refers to them.
    """

    def __init__(self) -> None:
        self._arrays: list[np.ndarray] = []

    def empty(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """A tensor of a shape, with the type and on the device of another."""
        if like.device.type != "cpu":
            return like.new_empty(shape)
        count, kind = math.prod(shape), str(like.dtype).removeprefix("torch.")
        array = self._array(count + _LINE, kind)
        first = -array.ctypes.data % _LINE // array.itemsize
        return torch.from_numpy(array[first : first + count]).view(shape)

    def _array(self, count: int, kind: str) -> np.ndarray:
        for array in self._arrays:
            is_free = sys.getrefcount(array) == _OWN_REFERENCES
            if is_free and array.dtype == kind and count <= array.size <= 2 * count:
                return array
        self._arrays = [*self._arrays[1 - _MOST_HELD :], np.empty(count, kind)]
        return self._arrays[-1]
