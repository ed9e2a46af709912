"""Kernels of a GPU on a processor: their threads run one after the other."""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from gdlab.engine.compiler.library import load_function
from gdlab.engine.compiler.source import (
    TWO_ARGUMENTS,
    VECTORS_OR_NONE,
    definitions,
    functions_in,
)
from gdlab.numerics.rowwise import VECTOR_BYTES

HEADER = Path(__file__).with_name("threads.h").read_text("utf-8")
LAUNCH = """
void launch(const long long *size, T *const *p)
{
  for (row = 0; row < size[0]; row++)
    advance(size[0], size[1], size[2], p[0], p[1], p[2], p[3], size[3], p[4], p[5], p[6], p[7],
            p[8]);
}
"""


class Threads:
    """A kernel `advance`, as `gdlab.engine.compiler.cuda.launch.Kernel`."""

    def __init__(self, source: str, dtype: torch.dtype) -> None:
        lines, lanes = source.splitlines(), VECTOR_BYTES // dtype.itemsize
        head = [VECTORS_OR_NONE, *definitions(lines, dtype == torch.float64), HEADER]
        head.append(f"enum {{ VECTOR_LANES = {lanes} }};")
        for name in functions_in(lines):
            pairs = "_PAIRS" if name in TWO_ARGUMENTS else ""
            head.append(f"ONE_OF_MANY{pairs}({name}, {name.upper()})\n#undef {name.upper()}")
            head.append(f"#define {name.upper()} one_{name}")
        self._launch = load_function("\n".join((*head, source, LAUNCH)), "launch")

    def __call__(self, *arguments: Tensor | int) -> None:
        """Run all threads."""
        sizes = [value for value in arguments if isinstance(value, int)]
        tensors = [value.data_ptr() for value in arguments if isinstance(value, Tensor)]
        self._launch(
            (ctypes.c_longlong * len(sizes))(*sizes), (ctypes.c_void_p * len(tensors))(*tensors)
        )
