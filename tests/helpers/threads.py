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

HEADER, BLOCKS = (
    Path(__file__).with_name(name).read_text("utf-8") for name in ("threads.h", "blocks.h")
)
LAUNCH = """
void launch(const long long *size, T *const *p)
{
  for (row = 0; row < size[0]; row++)
    advance(size[0], size[1], size[2], p[0], p[1], p[2], p[3], size[3], p[4], p[5], p[6], p[7],
            p[8]);
}
"""


LAUNCH_BLOCK = """
static const long long *s;
static T *const *p;

static void run(void)
{
  advance(s[0], s[1], p[0], p[1], p[2], p[3], s[2], p[4], p[5], p[6], p[7], p[8], p[9], s[3],
          p[10]);
  running--;
}

void launch(const long long *sizes, T *const *pointers)
{
  s = sizes;
  p = pointers;
  run_threads(run, REVERSED);
}
"""


class Threads:
    """A kernel of a thread for each row, as `gdlab.engine.compiler.cuda.launch.Kernel`."""

    header, launch = "", LAUNCH

    def __init__(self, source: str, dtype: torch.dtype) -> None:
        lines, lanes = source.splitlines(), VECTOR_BYTES // dtype.itemsize
        head = [VECTORS_OR_NONE, *definitions(lines, dtype == torch.float64), self.header, HEADER]
        head.append(f"enum {{ VECTOR_LANES = {lanes} }};")
        for name in functions_in(lines):
            pairs = "_PAIRS" if name in TWO_ARGUMENTS else ""
            head.append(f"ONE_OF_MANY{pairs}({name}, {name.upper()})\n#undef {name.upper()}")
            head.append(f"#define {name.upper()} one_{name}")
        self._launch = load_function("\n".join((*head, source, self.launch)), "launch")

    def __call__(self, *arguments: Tensor | int) -> None:
        """Run all threads."""
        sizes = [value for value in arguments if isinstance(value, int)]
        tensors = [value.data_ptr() for value in arguments if isinstance(value, Tensor)]
        self._launch(
            (ctypes.c_longlong * len(sizes))(*sizes), (ctypes.c_void_p * len(tensors))(*tensors)
        )


class Blocks(Threads):
    """A kernel of a block for each row, as `gdlab.engine.compiler.cuda.launch.BlockKernel`."""

    header, launch = f"#define REVERSED 0\n{BLOCKS}", LAUNCH_BLOCK


class ReversedBlocks(Blocks):
    """The same, whose threads run in the reverse order."""

    header = f"#define REVERSED 1\n{BLOCKS}"
