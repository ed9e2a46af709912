"""C source of a step for few rows: all steps of a chunk for one row, then for the next row.

The point and the state of the row stay in registers; the steps of many rows at once store them
after each step and load them before the next, which takes longer than a short step. Every bit is
that of a row among many: functions of libm are called in their form for vectors, with the arguments
of several coordinates in one call.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files

import torch

from gdlab.engine.compiler.program import Program, Value
from gdlab.engine.compiler.source import (
    VECTORS_OR_NONE,
    assignments,
    definitions,
    has_call,
    operand_text,
    statement,
)
from gdlab.engine.compiler.step import Step
from gdlab.numerics.rowwise import VECTOR_BYTES

_COLUMN = re.compile(r"column\[(\d+)\]")


def row_source(step: Step, dtype: torch.dtype) -> str:
    """Return the C source of a step: a function `advance`, as that of `source.c_source`."""
    is_double, lanes = dtype == torch.float64, VECTOR_BYTES // dtype.itemsize
    dim, size = len(step.point), len(step.state)
    columns = [match[1] for text, _ in step.program.lines if (match := _COLUMN.fullmatch(text))]
    lines = [*_statements(step, is_double, lanes), *assignments(step, is_double)]
    lines += [f"after[{d} * n] = x[{d}];" for d in range(dim)]
    parts = {
        "BEGIN": [f"x[{d}] = x_[{d} * n + i];" for d in range(dim)]
        + [f"state[{s}] = memory[{s} * n + i];" for s in range(size)]
        + [f"column[{c}] = column_[{c} * n + i];" for c in columns],
        "STEP": lines,
        "END": [f"memory[{s} * n + i] = state[{s}];" for s in range(size)],
    }
    sizes = f"enum {{ D = {dim}, S = {size}, C = {len(columns)}, L = {lanes} }};"
    source = (files("gdlab.engine.compiler") / "row.c").read_text("utf-8")
    for name, part in parts.items():
        source = source.replace(f"/* {name} */", "\n".join(part))
    head = [VECTORS_OR_NONE, *definitions(lines, is_double), sizes]
    return "\n".join(head) + "\n\n" + source


def _statements(step: Step, is_double: bool, lanes: int) -> Iterator[str]:
    """The statements of a step, with up to `lanes` equal calls at once."""
    program = step.program
    for lines, calls in _stages(program, program.live_lines(step.results)):
        for line in lines:
            yield statement(program, line, is_double, _c_name)
        for group in calls:
            for first in range(0, len(group), lanes):
                yield from _call(program, group[first : first + lanes], is_double, lanes)


def _stages(program: Program, live: list[int]) -> Iterator[tuple[list[int], list[list[int]]]]:
    """Sort lines by the most calls on a way to them.

    Returns:
        For each number of calls, the lines that are no calls, and the calls that need them,
        those of the same expression together.
    """
    stage: dict[int, int] = {}
    plain: dict[int, list[int]] = defaultdict(list)
    calls: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for line in live:
        expression, operands = program.lines[line]
        inputs = [operand.line for operand in operands if isinstance(operand, Value)]
        stage[line] = max((stage[i] + has_call(program.lines[i][0]) for i in inputs), default=0)
        same = calls[stage[line]][expression] if has_call(expression) else plain[stage[line]]
        same.append(line)
    for number in range(max(stage.values(), default=0) + 1):
        yield plain[number], list(calls[number].values())


def _call(program: Program, group: list[int], is_double: bool, lanes: int) -> Iterator[str]:
    """The statements that compute lines of the same expression at once.

    Lanes that are left repeat the last one, whose numbers take no longer than it does.
    """
    expression, operands = program.lines[group[0]]
    filled = [*group, *[group[-1]] * (lanes - len(group))]
    names = [f"a{group[0]}_{number}" for number in range(len(operands))]
    for number, name in enumerate(names):
        texts = [operand_text(program.lines[line][1][number], is_double) for line in filled]
        yield f"T {name}[L];\n*(Lanes *){name} = (Lanes){{{', '.join(texts)}}};"
    result = f"r{group[0]}"
    yield f"T {result}[L];\n#pragma omp simd"
    yield f"for (int l = 0; l < (HAS_VECTORS ? L : {len(group)}); l++)"
    yield f"{result}[l] = {expression.format(*(f'{name}[l]' for name in names))};"
    yield from (f"const T v{line} = {result}[{lane}];" for lane, line in enumerate(group))


def _c_name(expression: str) -> str:
    """Return the C name of an input; other expressions unchanged."""
    return expression.replace("]", " * n]") if expression.startswith("noise[") else expression
