"""CUDA C of a step: all steps of a chunk for one row, on a thread of its own.

The kernel is written in what CUDA C and C have in common. What differs is defined before it: `T`,
`KERNEL`, `ROW`, the constants and the functions of libm. So the same text runs on a processor, one
thread after the other.
"""

import re
from importlib.resources import files

import torch

from gdlab.engine.compiler.source import assignments, functions_in, statements
from gdlab.engine.compiler.step import Step

_COLUMN = re.compile(r"column\[(\d+)\]")
_NOISE = re.compile(r"noise\[(\d+)\]")


def kernel(step: Step, dtype: torch.dtype, *, recorded: bool) -> str:
    """Return a kernel `advance`, documented in `thread.cu`, without the definitions that it needs.

    Args:
        step: the step of one row.
        dtype: of its numbers.
        recorded: whether all points are written, or only the last one and the best one.
    """
    is_double = dtype == torch.float64
    dim, size = len(step.point), len(step.state)
    columns = [match[1] for text, _ in step.program.lines if (match := _COLUMN.fullmatch(text))]
    computed = statements(step.program, step.results, is_double, _name)
    summed, values, *moves = assignments(step, is_double)
    parts = {
        "BEGIN": [f"x[{d}] = x_[{d} * n + i];" for d in range(dim)]
        + [f"state[{s}] = memory[{s} * n + i];" for s in range(size)]
        + [f"column[{c}] = column_[{c} * n + i];" for c in columns],
        "STEP": [*computed, summed, values],
        "MOVE": moves,
        "END": [f"memory[{s} * n + i] = state[{s}];" for s in range(size)],
    }
    source = (files("gdlab.engine.compiler.cuda") / "thread.cu").read_text("utf-8")
    for name, part in parts.items():
        source = source.replace(f"/* {name} */", "\n".join(part))
    sizes = f"enum {{ D = {dim}, S = {size}, C = {len(columns)} }};"
    return f"#define RECORDED {int(recorded)}\n{sizes}\n\n{source}"


def _name(expression: str) -> str:
    """Return the C name of an input; other expressions unchanged."""
    return _NOISE.sub(r"noise[\1 * n]", expression)


def definitions(source: str, dtype: torch.dtype) -> str:
    """Return what a kernel needs on a GPU, in CUDA C."""
    is_double = dtype == torch.float64
    end = "" if is_double else "f"
    lines = [
        f"typedef {'double' if is_double else 'float'} T;",
        *(f"#define {name.upper()} {name}{end}" for name in functions_in(source.splitlines())),
        f"#define FMA fma{end}",
        "#define HALF (T)0.5",
        "#define ONE (T)1",
        f"#define HUGE {'0x1.fffffffffffffp+1023' if is_double else '0x1.fffffep+127f'}",
        "#define NOT_A_NUMBER ((T)__int_as_float(0x7fc00000))",
        "#define INFINITE ((T)__int_as_float(0x7f800000))",
        f"static __device__ T MANTISSA(T number) {{ int e; return frexp{end}(number, &e); }}",
        '#define KERNEL extern "C" __global__',
        "#define FUNCTION static __device__",
        "#define CONSTANT static __device__ const",
        # A row is a thread.
        "#define ROW (blockIdx.x * (long long)blockDim.x + threadIdx.x)",
        # A row is a block, whose threads divide the examples and the coordinates.
        "#define BLOCK (long long)blockIdx.x",
        "#define BLOCKS gridDim.x",
        "#define BARRIER __syncthreads();",
        "#define ALONE if (threadIdx.x == 0)",
        "#define FOR_EACH(i, n) for (long i = threadIdx.x; i < n; i += blockDim.x)",
        "#define FOR_EACH_EXAMPLE for (int u = threadIdx.x, l = 0; u < w; u += blockDim.x)",
    ]
    return "\n".join(lines)
