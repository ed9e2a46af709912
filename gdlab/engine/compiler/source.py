"""C source of a step: all steps of a chunk for one block of rows, then for the next block.

Within a block every operation runs over its rows as one vector loop, and the point and the state
stay in the L1 cache through all steps.

Shapes in memory: points (K + 1, D, n), losses and norms (K, n), rates (K, n) or (n,), noise
(K, D, n), columns (C, n), state (S, n) and the summary of a chunk (5, n).
"""

import re
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import torch

from gdlab.engine.compiler.program import Operand, Value
from gdlab.engine.compiler.step import Step

_INPUT = re.compile(r"(\w+)\[(\d+)\]")
_NAMES = {
    **dict.fromkeys(("x", "state"), "{0}[{1}][l]"),
    **dict.fromkeys(("noise", "column"), "{0}[{1} * n + l]"),
}
_FUNCTIONS = (
    *("sqrt", "fabs", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh"),
    *("asinh", "acosh", "atanh", "erf", "erfc", "floor", "ceil", "pow"),
)
_TWO_ARGUMENTS = ("atan2", "pow")
_CALLS = re.compile(r"\b([A-Z][A-Z0-9]+)\(")


def c_source(step: Step, dtype: torch.dtype) -> str:
    """Return the C source of a step: a function `advance`, documented in `advance.c`."""
    is_double = dtype == torch.float64
    statements = list(_statements(step, is_double))
    called = sorted({name for line in statements for name in _CALLS.findall(line)} - {"FMA"})
    numbers = len(step.point) + len(step.state)
    head = [
        "#ifdef __AVX__\n#include <immintrin.h>\n#endif",
        f"typedef {'double' if is_double else 'float'} T;",
        f"enum {{ D = {len(step.point)}, S = {len(step.state)}, B = {_block_rows(numbers)} }};",
        *(_declare(name.lower(), is_double) for name in called if name.lower() in _FUNCTIONS),
        f"#define FMA __builtin_fma{'' if is_double else 'f'}",
        "#define HALF (T)0.5",
        "#define ONE (T)1",
        f"#define HUGE __{'DBL' if is_double else 'FLT'}_MAX__",
    ]
    frame = (files("gdlab.engine.compiler") / "advance.c").read_text("utf-8")
    return "\n".join(head) + "\n\n" + frame.replace("/* STEP */", "\n".join(statements))


def _block_rows(numbers: int) -> int:
    """The number of rows in a block; fewer if a row has many numbers."""
    return 32 if numbers <= 24 else 16


def _declare(name: str, is_double: bool) -> str:
    """Declare a function of libm, and define its name in expressions."""
    real = "double" if is_double else "float"
    symbol = name if is_double else f"{name}f"
    arguments = ", ".join([real] * (2 if name in _TWO_ARGUMENTS else 1))
    vector = "" if name in ("sqrt", "fabs", "floor", "ceil") else "VECTOR "
    # Calls of functions with side effects would prevent vectorization of the loop.
    pure = "__attribute__((const)) "
    return f"{vector}{pure}{real} {symbol}({arguments});\n#define {name.upper()} {symbol}"


def _statements(step: Step, is_double: bool) -> Iterator[str]:
    """The statements for one row `l` of a block."""

    def text(operand: Operand) -> str:
        return f"v{operand.line}" if isinstance(operand, Value) else _literal(operand, is_double)

    results = [step.value, step.norm, *step.point, *step.state]
    inputs = [operand for _, operands in step.program.lines for operand in operands]
    kinds = {value.line: value.kind for value in inputs if isinstance(value, Value)}
    for line in step.program.live_lines(results):
        expression, operands = step.program.lines[line]
        kind = "int" if kinds.get(line) == "truth" else "T"
        yield f"const {kind} v{line} = {_c_name(expression).format(*map(text, operands))};"
    yield f"const T all = {' + '.join(f'x[{d}][l]' for d in range(len(step.point)))};"
    yield f"const T value = {text(step.value)}, norm = {text(step.norm)};"
    for d, operand in enumerate(step.point):
        yield f"x[{d}][l] = {text(operand)};"
    for s, operand in enumerate(step.state):
        yield f"state[{s}][l] = {text(operand)};"


def _c_name(expression: str) -> str:
    """Return the C name of an input; other expressions unchanged."""
    if expression == "rate":
        return "rate[l]"
    match = _INPUT.fullmatch(expression)
    return _NAMES[match[1]].format(*match.groups()) if match else expression


def _literal(constant: float | bool, is_double: bool) -> str:
    """Write a constant exactly."""
    if isinstance(constant, bool):
        return str(int(constant))
    number = float(constant) if is_double else float(np.float32(constant))
    if not np.isfinite(number):
        return '(T)__builtin_nan("")' if np.isnan(number) else f"((T){'-' * (number < 0)}1 / 0)"
    return f"((T){number.hex()})"
