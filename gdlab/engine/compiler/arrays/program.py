"""The C program of steps that are computed one run after the other."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gdlab.engine.compiler.arrays.graph import View
from gdlab.engine.compiler.arrays.totals import Totals
from gdlab.engine.compiler.arrays.writer import ArrayProgram, Writer, align
from gdlab.engine.compiler.program import Uncompilable
from gdlab.fields.declared import map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.numerics.rowwise import norm
from gdlab.optimizers.base import Optimizer, State, check_step
from gdlab.schedules.base import Memory, Schedule, check_next

_FRAMES = ("kernels.c", "examples.c", "minibatches.c", "frame.c")
_ON_PROCESSOR = tuple(f"arrays/{name}" for name in _FRAMES)
_ON_GPU = ("cuda/kernels.cu", "arrays/examples.c", "cuda/block.cu")


@dataclass(frozen=True)
class OneRun:
    """What the step of one run takes.

    Attributes:
        loss: its `Number` fields are columns (1,). If it is a mean over examples, it computes the
            loss of chosen ones.
        optimizer: its `Number` fields are columns (1, 1), or the number 0.
        x: a point (1, D).
        state: of the optimizer, for one run.
        has_noise: whether noise is added to the gradient.
        schedule: its `Number` fields are columns (1,).
        memory: of the schedule, for one run; empty unless it follows the losses.
        steps: the maximum number of steps.
    """

    loss: Loss
    optimizer: Optimizer
    x: Tensor
    state: State
    has_noise: bool
    schedule: Schedule
    memory: Memory
    steps: int


def trace_program(run: OneRun, threads: int = 0) -> ArrayProgram:
    """Trace the step of one run.

    Args:
        run: the run.
        threads: of a block of a GPU that computes it; 0 for a processor.

    Raises:
        Uncompilable: something has no compiled form; the message says what.
    """
    writer, x = _StepWriter(run.x.dtype, threads), run.x
    loss = run.loss.with_columns(writer.follow_column)
    optimizer = map_numbers(run.optimizer, writer.follow_column)
    writer.write_gradient(loss, x)
    writer.write_length(x)
    queries = writer.write_query(optimizer, x, run.state)
    writer.write_rate(run)
    writer.write_update(optimizer, x, run.state)
    return writer.program(run, queries)


class _StepWriter(Writer):
    """Traces the parts of a step."""

    def write_gradient(self, loss: Loss, x: Tensor) -> None:
        """Write the loss and its gradient, from a mean over examples if it is one."""
        trace = self._trace_whole if loss.examples is None else self._trace_example
        value, slope = trace(loss, self.tracer.follow(x, "x"))
        self.write("gradient", ("x", "column"), {"value": value, "slope": slope})

    def _trace_whole(self, loss: Loss, point: Tensor) -> tuple[View, View]:
        """Trace the loss and its gradient."""
        with self.tracer:
            value, grad = value_and_gradient(loss, point)
        return self.tracer.view(value), self.tracer.view(grad)

    def _trace_example(self, loss: Loss, point: Tensor) -> tuple[View, View]:
        """Trace the loss of one example and its gradient, and take their means."""
        tracer, chosen = self.tracer, self.tracer.choose()
        weight = self.follow_weight(point)
        with tracer:
            leaf = point.detach().requires_grad_()
            value = loss.partial(leaf, chosen)
            if value.shape != (1,) or not value.requires_grad:
                raise Uncompilable("the loss of one example is not one number that depends on x")
            (grad,) = torch.autograd.grad(value, leaf, weight)
        totals = Totals()
        mean = totals.product(tracer.view(value.detach()), tracer.view(weight))
        return mean, totals.of(tracer.view(grad))

    def write_length(self, x: Tensor) -> None:
        """Write the norm of a gradient."""
        slope = self.tracer.follow(x, "slope")
        with self.tracer:
            result = norm(slope)
        self.write("length", ("slope",), {"norm": self.tracer.view(result)})

    def write_query(self, optimizer: Optimizer, x: Tensor, state: State) -> bool:
        """Write the point at which the optimizer asks for the gradient; return whether it moves."""
        point, leaves = self.tracer.follow(x, "x"), self._follow_leaves(state, "state")
        with self.tracer:
            at = optimizer.query(point, leaves)
        self.write("query", ("x", "column", "state"), {"at": self.tracer.view(at)})
        return at is not point

    def write_rate(self, run: OneRun) -> None:
        """Write the rate of a schedule that follows the losses, and its next state."""
        tracer, one = self.tracer, run.x[0, :1]
        base, value, step = (tracer.follow(one, name) for name in ("base", "value", "step"))
        leaves, rate = self._follow_leaves(run.memory, "memory"), base
        if leaves:
            schedule: Any = map_numbers(run.schedule, self.follow_column)
            with tracer:
                returned = schedule.lr(step, base, leaves, value, run.steps)
                rate, leaves = check_next(returned, base)
        outputs = {"rate": tracer.view(rate), **self._outputs(run.memory, leaves, "memory")}
        self.write("follow", ("base", "step", "value", "column", "memory"), outputs)

    def write_update(self, optimizer: Optimizer, x: Tensor, state: State) -> None:
        """Write the next point and the next state."""
        tracer = self.tracer
        point, slope = tracer.follow(x, "x"), tracer.follow(x, "slope")
        rate, leaves = tracer.follow(x[:, :1], "rate"), self._follow_leaves(state, "state")
        with tracer:
            after, new = check_step(optimizer.update(point, slope, leaves, rate), x)
        outputs = {"after": tracer.view(after), **self._outputs(state, new, "state")}
        self.write("update", ("x", "slope", "rate", "column", "state"), outputs)

    def _follow_leaves(self, leaves: State, array: str) -> dict[str, Tensor]:
        """Follow the leaves of a state, which lie one after the other in an array."""
        followed, place = {}, 0
        for name, leaf in leaves.items():
            if leaf.dtype != self._dtype:
                raise Uncompilable(f"the {_OWNERS[array]}'s state {name} has dtype {leaf.dtype}")
            followed[name] = self.tracer.follow(leaf, f"({array} + {place})")
            place += leaf.numel()
        return followed

    def _outputs(self, before: State, after: State, array: str) -> dict[str, View]:
        """Return the leaves of the next state by where they are stored."""
        shapes = [{name: leaf.shape for name, leaf in state.items()} for state in (before, after)]
        if shapes[0] != shapes[1]:
            raise Uncompilable(f"the {_OWNERS[array]} changes the shape of its state")
        outputs, place = {}, 0
        for name, leaf in before.items():
            outputs[f"({array} + {place})"] = self.tracer.view(after[name])
            place += leaf.numel()
        return outputs

    def program(self, run: OneRun, queries: bool) -> ArrayProgram:
        """Return the program."""
        loss, examples = run.loss, run.loss.examples or 0
        sizes = {
            "D": run.x.numel(),
            "S": sum(leaf.numel() for leaf in run.state.values()),
            "H": sum(leaf.numel() for leaf in run.memory.values()),
            "N": examples,
            "SIZE": loss.minibatch or 0,
            "HALF_BITS": rng.half_bits(examples),
            "QUERIES": int(queries),
            "NOISY": int(run.has_noise),
        }
        frames = _ON_GPU if self._threads else _ON_PROCESSOR
        source, constants = self.finish(frames, sizes, examples, loss.minibatch or 0)
        block = constants["B"]
        if self._threads:
            numbers = sum(constants[name] for name in ("CP", "DP", "DP", "TILE", "SHARED"))
            return ArrayProgram(source, self.tracer.tables, numbers + align(1))
        by_run = block * sum(constants[name] for name in ("CP", "DP", "DP", "SHARED"))
        work = by_run + constants["PART"] + constants["TILE"]
        return ArrayProgram(source, self.tracer.tables, work, block)


_OWNERS = {"state": "optimizer", "memory": "schedule"}
"""Whose state lies in an array."""
