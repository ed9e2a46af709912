"""C source of a step: all steps of a chunk for one block of rows, then for the next block.

Within a block every operation runs over its rows as one vector loop, and the point and the state
stay in the L1 cache through all steps.

Shapes in memory: points (K + 1, D, n), losses and norms (K, n), rates (K, n) or (n,), noise
(K, D, n), columns (C, n), state (S, n) and the summary of a chunk (5, n).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files

import numpy as np
import torch

from gdlab.engine.compiler.program import Operand, Program, Value
from gdlab.engine.compiler.step import Step
from gdlab.numerics.rowwise import LANES

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
TWO_ARGUMENTS = ("atan2", "pow")
_SCALAR = ("sqrt", "fabs", "floor", "ceil")  # instructions, of vectors as well
_CALLS = re.compile(r"\b([A-Z][A-Z0-9]+)\(")
VECTORS_OR_NONE = """\
#if !defined(__FMA__) && !defined(__aarch64__)
/* A loop that calls a function for the fused product and sum has no form for vectors. Every program
   of the same step must call the same functions. */
#undef VECTOR
#undef HAS_VECTORS
#define VECTOR
#define HAS_VECTORS 0
#endif"""


def c_source(step: Step, dtype: torch.dtype, lanes: int = LANES, *, recorded: bool = True) -> str:
    """Return the C source of a step: a function `advance`, documented in `advance.c`.

    Args:
        step: the step of one row.
        dtype: of its numbers.
        lanes: the number of rows is a multiple of it.
        recorded: whether all points are written, or only the last one and the best one.
    """
    is_double, dims = dtype == torch.float64, range(len(step.point))
    computed = statements(step.program, step.results, is_double, _c_name)
    summed, values, *moves = assignments(step, is_double, "[l]")
    parts = {
        "STEP": [*computed, summed, values],
        "BEST": [f"best[{d}][l] = value < least[l] ? x[{d}][l] : best[{d}][l];" for d in dims],
        "MOVE": moves,
    }
    numbers = len(dims) + len(step.state)
    block = min(lanes, _block_rows(numbers))
    sizes = f"enum {{ D = {len(dims)}, S = {len(step.state)}, B = {block} }};"
    source = (files("gdlab.engine.compiler") / "advance.c").read_text("utf-8")
    for name, part in parts.items():
        source = source.replace(f"/* {name} */", "\n".join(part))
    defined = definitions(parts["STEP"], is_double)
    head = [VECTORS_OR_NONE, *defined, f"#define RECORDED {int(recorded)}", sizes]
    return "\n".join(head) + "\n\n" + source


def definitions(lines: Sequence[str], is_double: bool) -> list[str]:
    """Return the definitions that statements need: the type T, functions and constants."""
    return [
        f"typedef {'double' if is_double else 'float'} T;",
        *(_declare(name, is_double) for name in functions_in(lines)),
        f"#define FMA __builtin_fma{'' if is_double else 'f'}",
        "#define MANTISSA(number) ((T)__builtin_frexp(number, (int[1]){0}))",
        "#define HALF (T)0.5",
        "#define ONE (T)1",
        f"#define HUGE __{'DBL' if is_double else 'FLT'}_MAX__",
        '#define NOT_A_NUMBER ((T)__builtin_nan(""))',
        "#define INFINITE ((T)__builtin_inf())",
    ]


def functions_in(lines: Sequence[str]) -> list[str]:
    """Return the functions of libm that statements call, sorted."""
    called = {name.lower() for line in lines for name in _CALLS.findall(line)}
    return sorted(called.intersection(_FUNCTIONS))


def _block_rows(numbers: int) -> int:
    """The number of rows in a block; fewer if a row has many numbers."""
    return 32 if numbers <= 24 else 16


def _declare(name: str, is_double: bool) -> str:
    """Declare a function of libm, and define its name in expressions."""
    real = "double" if is_double else "float"
    symbol = name if is_double else f"{name}f"
    arguments = ", ".join([real] * (2 if name in TWO_ARGUMENTS else 1))
    vector = "" if name in _SCALAR else "VECTOR "
    # Calls of functions with side effects would prevent vectorization of the loop.
    pure = "__attribute__((const)) "
    return f"{vector}{pure}{real} {symbol}({arguments});\n#define {name.upper()} {symbol}"


def assignments(step: Step, is_double: bool, row: str = "") -> Iterator[str]:
    """Return the statements that end a step.

    Args:
        step: the step of one row.
        is_double: whether numbers are of double precision.
        row: the index of the row in arrays of several.
    """

    def text(operand: Operand) -> str:
        return operand_text(operand, is_double)

    yield f"const T all = {' + '.join(f'x[{d}]{row}' for d in range(len(step.point)))};"
    yield f"const T value = {text(step.value)}, norm = {text(step.norm)};"
    for d, operand in enumerate(step.point):
        yield f"x[{d}]{row} = {text(operand)};"
    for s, operand in enumerate(step.state):
        yield f"state[{s}]{row} = {text(operand)};"


def statements(
    program: Program,
    results: Sequence[Operand],
    is_double: bool,
    name: Callable[[str], str] = str,
) -> Iterator[str]:
    """Return the statements that compute results.

    Args:
        program: the operations.
        results: the values that are needed.
        is_double: whether numbers are of double precision.
        name: returns the C name of an input.
    """
    for line in program.live_lines(results):
        yield statement(program, line, is_double, name)


def statement(
    program: Program, line: int, is_double: bool, name: Callable[[str], str] = str
) -> str:
    """Return the statement that computes the value of a line, as in `statements`."""
    expression, operands = program.lines[line]
    kind = "int" if program.kinds[line] == "truth" else "T"
    texts = (operand_text(operand, is_double) for operand in operands)
    return f"const {kind} v{line} = {name(expression).format(*texts)};"


def has_call(expression: str) -> bool:
    """Whether an expression calls a function of libm that has a form for vectors."""
    names = (name.lower() for name in _CALLS.findall(expression))
    return any(name in _FUNCTIONS and name not in _SCALAR for name in names)


def operand_text(operand: Operand, is_double: bool) -> str:
    """Return the C name of a value, or the text of a constant."""
    return f"v{operand.line}" if isinstance(operand, Value) else literal(operand, is_double)


def _c_name(expression: str) -> str:
    """Return the C name of an input; other expressions unchanged."""
    if expression == "rate":
        return "rate[l]"
    match = _INPUT.fullmatch(expression)
    return _NAMES[match[1]].format(*match.groups()) if match else expression


def literal(constant: float | bool, is_double: bool) -> str:
    """Write a constant exactly."""
    if isinstance(constant, bool):
        return str(int(constant))
    number = float(constant) if is_double else float(np.float32(constant))
    if not np.isfinite(number):
        return "NOT_A_NUMBER" if np.isnan(number) else f"({'-' * (number < 0)}INFINITE)"
    return f"((T){number.hex()})"
