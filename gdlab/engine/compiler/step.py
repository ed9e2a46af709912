"""The step of one run as a program with inputs and outputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.compiler.program import Operand, Program, Uncompilable
from gdlab.engine.compiler.tracer import Tracer
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import norm
from gdlab.optimizers.base import Optimizer, State, check_step

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

    @property
    def results(self) -> list[Operand]:
        """All that the step computes."""
        return [self.value, self.norm, *self.point, *self.state]


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
    inputs = _Inputs(x.dtype)
    loss, optimizer = inputs.follow_columns(loss, optimizer)
    point, rate = inputs.follow(x, "x"), inputs.follow(x[:, :1], "rate", None)
    noise = inputs.follow(x, "noise") if has_noise else None
    leaves = inputs.follow_state(state)
    with inputs.tracer:
        value, grad = gradient(loss, point)
        length = norm(grad)
        at = optimizer.query(point, leaves)
        if at is not point:
            _, grad = gradient(loss, at)
        noisy = grad if noise is None else grad + noise
        after, new = check_step(optimizer.update(point, noisy, leaves, rate), x)
    if _shapes(new) != _shapes(state):
        raise Uncompilable("the optimizer changes the shape of its state")

    def operands(tensor: Tensor) -> list[Operand]:
        return inputs.tracer.array(tensor).reshape(-1).tolist()

    return Step(
        program=inputs.program,
        value=operands(value)[0],
        norm=operands(length)[0],
        point=operands(after),
        state=[operand for name in state for operand in operands(new[name])],
    )


def check_length(dim: int) -> None:
    """Refuse a step of so many coordinates D that it is too long, before anything is traced.

    Raises:
        Uncompilable: it is, since each coordinate takes an operation at least.
    """
    if dim > _MAX_LINES:
        raise Uncompilable(f"a step of one run takes more than {_MAX_LINES} operations")


class _Inputs:
    """Creates the inputs of a step: tensors that the tracer follows."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.program = Program(_MAX_LINES)
        self.tracer = Tracer(self.program, dtype)
        self._dtype = dtype
        self._columns = 0

    def follow(self, like: Tensor, name: str, first: int | None = 0) -> Tensor:
        """Follow a copy of a tensor as the inputs `name[first]`, …, or as `name` only."""
        tensor = like.detach().clone()
        array = np.empty(tensor.numel(), dtype=object)
        for i in range(len(array)):
            array[i] = self.program.apply(name if first is None else f"{name}[{first + i}]")
        self.tracer.follow(tensor, array.reshape(tuple(tensor.shape)))
        return tensor

    def follow_columns(self, loss: Loss, optimizer: Optimizer) -> tuple[Loss, Optimizer]:
        """Follow the columns of the loss, then those of the optimizer."""
        return loss.with_columns(self._follow_column), map_numbers(optimizer, self._follow_column)

    def _follow_column(self, value: Number) -> Number:
        if not isinstance(value, Tensor):
            return value
        self._columns += 1
        return self.follow(value, "column", self._columns - 1)

    def follow_state(self, state: State) -> dict[str, Tensor]:
        """Follow the leaves of an optimizer's state.

        Raises:
            Uncompilable: a leaf has another dtype than the point.
        """
        leaves, size = {}, 0
        for name, leaf in state.items():
            if leaf.dtype != self._dtype:
                raise Uncompilable(f"the optimizer's state {name} has dtype {leaf.dtype}")
            leaves[name] = self.follow(leaf, "state", size)
            size += leaf.numel()
        return leaves


def _shapes(state: State) -> dict[str, torch.Size]:
    return {name: leaf.shape for name, leaf in state.items()}
