"""Load compiled kernels to a GPU and launch them over torch's memory, on torch's stream."""

import ctypes
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gdlab.engine.compiler.cuda.nvrtc import bindings, compile_cached
from gdlab.engine.compiler.cuda.source import definitions
from gdlab.engine.compiler.program import Uncompilable

THREADS = 128
"""The threads of a block. A point and a state in registers leave room for few threads; neighbors
still write whole lines of memory."""

MOST_BLOCKS = 4096
"""The most blocks that take rows, one row after the other; a large GPU has some 2,000 at a time."""

Launch = Callable[..., None]
"""Runs a kernel `advance`: takes n and the kernel's other arguments, tensors or whole numbers."""


class Kernel:
    """A kernel `advance` on the current GPU, a thread for each row.

    Args:
        source: the kernel, without `source.definitions`.
        dtype: of its numbers.

    Raises:
        Uncompilable: it cannot be compiled or loaded, or `gdlab[cuda]` is not installed.
    """

    def __init__(self, source: str, dtype: torch.dtype) -> None:
        major, minor = torch.cuda.get_device_capability()
        torch.cuda.current_stream().synchronize()  # torch makes its context the current one
        cubin = compile_cached(f"{definitions(source, dtype)}\n{source}", f"sm_{major}{minor}")
        self._driver = bindings("driver")
        try:  # loaded for as long as the process lives, as torch's own kernels are
            module = self._call("cuModuleLoadData", cubin)
            self._function = self._call("cuModuleGetFunction", module, b"advance")
        except RuntimeError as error:  # the driver is older than the program
            raise Uncompilable(str(error)) from error

    def __call__(self, runs: int, *arguments: Tensor | int) -> None:
        """Launch the kernel for n rows on torch's current stream, without waiting for it.

        Args:
            runs: the number of rows, the kernel's first argument.
            arguments: the others, in its order; tensors are passed as the addresses of their
                numbers.
        """
        values = [value.data_ptr() if isinstance(value, Tensor) else value for value in arguments]
        types = [
            ctypes.c_void_p if isinstance(value, Tensor) else ctypes.c_longlong
            for value in arguments
        ]
        grid, block = (self.blocks(runs), 1, 1), (THREADS, 1, 1)
        stream = self._driver.CUstream(torch.cuda.current_stream().cuda_stream)
        passed = (runs, *values), (ctypes.c_longlong, *types)
        self._call("cuLaunchKernel", self._function, *grid, *block, 0, stream, passed, 0)

    def blocks(self, runs: int) -> int:
        """Return the number of blocks for n rows."""
        return -(-runs // THREADS)

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the driver and return what it gives.

        Raises:
            RuntimeError: it fails.
        """
        code, *values = getattr(self._driver, name)(*arguments)
        if code != self._driver.CUresult.CUDA_SUCCESS:
            _, text = self._driver.cuGetErrorString(code)
            raise RuntimeError(f"CUDA error: {name}: {text.decode() if text else code.name}")
        return values[0] if values else None


class BlockKernel(Kernel):
    """A kernel `advance` on the current GPU, a block of threads for each row."""

    def blocks(self, runs: int) -> int:
        """Return the number of blocks for n rows, each of which takes one row after the other."""
        return min(runs, MOST_BLOCKS)
