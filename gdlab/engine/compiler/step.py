"""The step of one run as a program with inputs and outputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from gdlab.engine.compiler.operations import Array
from gdlab.engine.compiler.program import Operand, Program, Uncompilable
from gdlab.engine.compiler.tracer import Tracer
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Optimizer, State

_MAX_LINES = 6000


@dataclass(frozen=True)
class Step:
    """One step of one run.

    Attributes:
        program: the operations; inputs are values named as in C: the point `x[d]`, the rate
            `rate`, the noise `noise[d]`, the columns `column[c]`, the state `state[s]`.
        value: the loss at the point.
        norm: the norm of its gradient.
        point: the next point (D,).
        state: the next state (S,), the leaves concatenated.
    """

    program: Program
    value: Operand
    norm: Operand
    point: list[Operand]
    state: list[Operand]


def trace_step(
    loss: Loss,
    optimizer: Optimizer,
    x: Tensor,
    state: State,
    has_noise: bool,
    gradient: Callable[..., Any],
) -> Step:
    """Trace the step of a loss and an optimizer on one row.

    Args:
        loss: its `Number` fields are columns (1,).
        optimizer: its `Number` fields are columns (1, 1), or the number 0.
        x: a point (1, D).
        state: of the optimizer, for one row.
        has_noise: whether noise is added to the gradient.
        gradient: returns values (1,) and gradients (1, D).

    Raises:
        Uncompilable: something has no compiled form; the message says what.
    """
    program = Program(_MAX_LINES)
    tracer = Tracer(program, x.dtype)

    def follow(like: Tensor, name: str, first: int | None = 0) -> Tensor:
        fresh = like.detach().clone()
        array = np.empty(fresh.numel(), dtype=object)
        for at in range(len(array)):
            array[at] = program.apply(name if first is None else f"{name}[{first + at}]")
        tracer.follow(fresh, array.reshape(tuple(fresh.shape)))
        return fresh

    columns = 0

    def follow_column(value: Number) -> Number:
        nonlocal columns
        if not isinstance(value, Tensor):
            return value
        columns += 1
        return follow(value, "column", columns - 1)

    loss, optimizer = loss.with_columns(follow_column), map_numbers(optimizer, follow_column)
    point, rate = follow(x, "x"), follow(x[:, :1], "rate", None)
    noise = follow(x, "noise") if has_noise else None
    leaves, size = {}, 0
    for name, leaf in state.items():
        if leaf.dtype != x.dtype:
            raise Uncompilable(f"the optimizer's state {name} has dtype {leaf.dtype}")
        leaves[name] = follow(leaf, "state", size)
        size += leaf.numel()
    with tracer:
        value, grad = gradient(loss, point)
        norm = grad.square().sum(1).sqrt()
        at = optimizer.query(point, leaves)
        if at is not point:
            _, grad = gradient(loss, at)
        after, new = optimizer.update(point, grad if noise is None else grad + noise, leaves, rate)
    if after.shape != x.shape or {k: v.shape for k, v in new.items()} != {
        k: v.shape for k, v in state.items()
    }:
        raise Uncompilable("the optimizer changes the shape of the point or of its state")
    return Step(
        program=program,
        value=_flatten(tracer.array(value))[0],
        norm=_flatten(tracer.array(norm))[0],
        point=_flatten(tracer.array(after)),
        state=[operand for name in state for operand in _flatten(tracer.array(new[name]))],
    )


def _flatten(array: Array) -> list[Operand]:
    return array.reshape(-1).tolist()
