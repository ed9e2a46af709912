"""The C program of steps that are computed one run after the other."""

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

_FRAMES = ("kernels.c", "examples.c", "minibatches.c", "frame.c")
_ON_PROCESSOR = tuple(f"arrays/{name}" for name in _FRAMES)
_ON_GPU = ("cuda/kernels.cu", "arrays/examples.c", "cuda/block.cu")


def trace_program(
    loss: Loss,
    optimizer: Optimizer,
    x: Tensor,
    state: State,
    has_noise: bool,
    threads: int = 0,
) -> ArrayProgram:
    """Trace the step of one run.

    Args:
        loss: its `Number` fields are columns (1,). If it is a mean over examples, it computes the
            loss of chosen ones.
        optimizer: its `Number` fields are columns (1, 1), or the number 0.
        x: a point (1, D).
        state: of the optimizer, for one run.
        has_noise: whether noise is added to the gradient.
        threads: of a block of a GPU that computes a run; 0 for a processor.

    Raises:
        Uncompilable: something has no compiled form; the message says what.
    """
    writer = _StepWriter(x.dtype, threads)
    loss = loss.with_columns(writer.follow_column)
    optimizer = map_numbers(optimizer, writer.follow_column)
    writer.write_gradient(loss, x)
    writer.write_length(x)
    queries = writer.write_query(optimizer, x, state)
    writer.write_update(optimizer, x, state)
    return writer.program(x, state, loss, queries, has_noise)


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
        point, leaves = self.tracer.follow(x, "x"), self._follow_state(state)
        with self.tracer:
            at = optimizer.query(point, leaves)
        self.write("query", ("x", "column", "state"), {"at": self.tracer.view(at)})
        return at is not point

    def write_update(self, optimizer: Optimizer, x: Tensor, state: State) -> None:
        """Write the next point and the next state."""
        tracer = self.tracer
        point, slope = tracer.follow(x, "x"), tracer.follow(x, "slope")
        rate, leaves = tracer.follow(x[:, :1], "rate"), self._follow_state(state)
        with tracer:
            after, new = check_step(optimizer.update(point, slope, leaves, rate), x)
        if {name: new[name].shape for name in new} != {name: state[name].shape for name in state}:
            raise Uncompilable("the optimizer changes the shape of its state")
        outputs, place = {"after": tracer.view(after)}, 0
        for name, leaf in state.items():
            outputs[f"(state + {place})"] = tracer.view(new[name])
            place += leaf.numel()
        self.write("update", ("x", "slope", "rate", "column", "state"), outputs)

    def _follow_state(self, state: State) -> dict[str, Tensor]:
        """Follow the leaves of an optimizer's state."""
        leaves, place = {}, 0
        for name, leaf in state.items():
            if leaf.dtype != self._dtype:
                raise Uncompilable(f"the optimizer's state {name} has dtype {leaf.dtype}")
            leaves[name] = self.tracer.follow(leaf, f"(state + {place})")
            place += leaf.numel()
        return leaves

    def program(
        self, x: Tensor, state: State, loss: Loss, queries: bool, has_noise: bool
    ) -> ArrayProgram:
        """Return the program."""
        examples = loss.examples or 0
        sizes = {
            "D": x.numel(),
            "S": sum(leaf.numel() for leaf in state.values()),
            "N": examples,
            "SIZE": loss.minibatch or 0,
            "HALF_BITS": rng.half_bits(examples),
            "QUERIES": int(queries),
            "NOISY": int(has_noise),
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
