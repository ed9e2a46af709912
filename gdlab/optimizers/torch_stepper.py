"""Steps of torch optimizers: rows as parameter groups of one optimizer, or one for each row.

Shapes: R runs, D dimensions, m rows that step.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gdlab.errors import CUSTOM_ERRORS, summarize_error

Evaluate: TypeAlias = Callable[[int, Tensor], tuple[Tensor, Tensor]]
"""Maps i and a point (D,) to the loss () of the i-th stepping row and its gradient (D,) there."""

_ROWS, _STEPS, _STEPS_OF_ROW_0 = 3, 12, 8
_SUPPORT: "dict[tuple[Any, ...], Support]" = {}


@dataclass(frozen=True)
class Factory:
    """Creates torch optimizers.

    Attributes:
        cls: the class.
        kwargs: its arguments, apart from the parameters and the learning rate.
        shapes: the shapes of a row's blocks.
    """

    cls: type[Optimizer]
    kwargs: Mapping[str, Any]
    shapes: tuple[tuple[int, ...], ...]

    def create(self, rows: Sequence[Sequence[nn.Parameter]], lr: Sequence[float]) -> Optimizer:
        """Create an optimizer with one parameter group for each row."""
        groups = [{"params": list(row), "lr": r} for row, r in zip(rows, lr, strict=True)]
        cls: Any = self.cls
        return cls(groups, lr=lr[0], **self.kwargs)

    def split(self, x: Tensor) -> list[list[Tensor]]:
        """Split points (m, D) into blocks, row by row: views where x is contiguous."""
        sizes = [torch.Size(shape).numel() for shape in self.shapes]
        return [
            [part.reshape(shape) for part, shape in zip(row.split(sizes), self.shapes, strict=True)]
            for row in x.unbind()
        ]


class Stepper:
    """The torch optimizers of a batch. It is mutable and advances with each step.

    Args:
        factory: creates the optimizers, at the first step.
        batched: whether all rows are groups of one optimizer; else each has its own.
    """

    def __init__(self, factory: Factory, *, batched: bool) -> None:
        self._factory, self._batched = factory, batched
        self._rows: dict[int, list[nn.Parameter]] = {}
        self._groups: dict[int, dict[str, Any]] = {}
        self._optimizers: dict[int, Optimizer] = {}

    def step(
        self,
        slots: Sequence[int],
        x: Tensor,
        grad: Tensor,
        lr: Tensor,
        evaluate: Evaluate | None = None,
    ) -> Tensor:
        """Return the next points (m, D) of some rows; rows left out are dropped for good.

        Args:
            slots: the numbers of the rows, all different (m).
            x: points (m, D).
            grad: gradients there (m, D).
            lr: learning rates (m, 1).
            evaluate: for optimizers whose step takes a closure.
        """
        rates = lr[:, 0].tolist()
        with default_dtype(x.dtype):
            if not self._rows:
                self._create(slots, x, rates)
            elif len(slots) < len(self._rows):
                self._drop(set(self._rows) - set(slots))
            rows = [self._rows[slot] for slot in slots]
            # Copies, because an optimizer may overwrite gradients that are still needed.
            grads = self._factory.split(grad.clone(memory_format=torch.contiguous_format))
            with torch.no_grad():
                for row, points, slopes in zip(rows, self._factory.split(x), grads, strict=True):
                    for parameter, point, slope in zip(row, points, slopes, strict=True):
                        parameter.copy_(point)
                        parameter.grad = slope
            for slot, rate in zip(slots, rates, strict=True):
                self._groups[slot]["lr"] = rate
            if evaluate is None:
                for optimizer in dict.fromkeys(self._optimizers.values()):
                    optimizer.step()
            else:
                for i, slot in enumerate(slots):
                    self._optimizers[slot].step(self._closure(rows[i], i, evaluate))
        return torch.stack([_join(row) for row in rows])

    def _closure(self, row: list[nn.Parameter], i: int, evaluate: Evaluate) -> Callable[[], float]:
        """Return a closure that evaluates the loss at a row's parameters and sets gradients."""

        def closure() -> float:
            with torch.enable_grad():
                value, grad = evaluate(i, _join(row))
            slopes = self._factory.split(grad[None].clone(memory_format=torch.contiguous_format))
            for parameter, slope in zip(row, slopes[0], strict=True):
                parameter.grad = slope
            return value  # type: ignore[return-value]  # a tensor, as closures usually return

        return closure

    def _create(self, slots: Sequence[int], x: Tensor, lr: list[float]) -> None:
        """Create parameters and optimizers."""
        copy = x.clone(memory_format=torch.contiguous_format)
        rows = [[nn.Parameter(block.clone()) for block in row] for row in self._factory.split(copy)]
        self._rows = dict(zip(slots, rows, strict=True))
        if self._batched:
            optimizers = [self._factory.create(rows, lr)] * len(rows)
            groups = optimizers[0].param_groups
        else:
            optimizers = [self._factory.create([row], [r]) for row, r in zip(rows, lr, strict=True)]
            groups = [optimizer.param_groups[0] for optimizer in optimizers]
        self._optimizers = dict(zip(slots, optimizers, strict=True))
        self._groups = dict(zip(slots, groups, strict=True))

    def _drop(self, slots: set[int]) -> None:
        """Remove rows, their groups and their state."""
        for slot in slots:
            optimizer = self._optimizers.pop(slot)
            del self._groups[slot]
            for parameter in self._rows.pop(slot):
                optimizer.state.pop(parameter, None)
        if self._batched:
            for optimizer in self._optimizers.values():
                optimizer.param_groups[:] = self._groups.values()
                break


def _join(row: Sequence[nn.Parameter]) -> Tensor:
    """Concatenate a row's parameters to its point (D,)."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in row])


@dataclass(frozen=True)
class Support:
    """Whether an optimizer can be used, and how.

    Attributes:
        why_refused: why it cannot be used; None if it can.
        why_not_batched: why rows cannot be groups of one optimizer; None if they can.
    """

    why_refused: str | None = None
    why_not_batched: str | None = None


def needs_closure(cls: type[Optimizer]) -> bool:
    """Return whether the `step` of a class requires a closure."""
    parameters = list(inspect.signature(cls.step).parameters.values())[1:]
    return any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


def check_support(factory: Factory, dtype: torch.dtype, device: torch.device) -> Support:
    """Try an optimizer on synthetic gradients: three rows separately, and as one batch.

    Rows are batched only if they then take exactly the same steps as separately, also after one of
    them has been dropped.
    """
    key = (factory.cls, repr(factory.kwargs), factory.shapes, dtype, device)
    if key not in _SUPPORT:
        try:
            _SUPPORT[key] = _try_steps(factory, dtype, device)
        except CUSTOM_ERRORS as error:
            _SUPPORT[key] = Support(why_refused=f"cannot take a step ({summarize_error(error)})")
    return _SUPPORT[key]


def _try_steps(factory: Factory, dtype: torch.dtype, device: torch.device) -> Support:
    has_closure = needs_closure(factory.cls)
    with torch.random.fork_rng(devices=[]):
        before = torch.random.get_rng_state()
        alone = [_simulate(factory, [row], dtype, device)[0] for row in range(_ROWS)]
        if not torch.equal(before, torch.random.get_rng_state()):
            why = "draws random numbers in its step, which the run's seed does not control"
            return Support(why_refused=why)
        if has_closure:
            return Support(why_not_batched="its step takes a closure")
        try:
            batched = _simulate(factory, list(range(_ROWS)), dtype, device)
        except CUSTOM_ERRORS as error:  # it may refuse several groups
            return Support(why_not_batched=summarize_error(error))
    is_same = all(
        torch.equal(one.nan_to_num(), other.nan_to_num())
        for one, other in zip(alone, batched, strict=True)
    )
    return Support(why_not_batched=None if is_same else "its parameter groups affect each other")


def _simulate(
    factory: Factory, rows: list[int], dtype: torch.dtype, device: torch.device
) -> list[Tensor]:
    """Return the last points (D,) of rows with synthetic gradients; row 0 is dropped early."""
    dim = sum(torch.Size(shape).numel() for shape in factory.shapes)
    generator = torch.Generator().manual_seed(0)
    grads = torch.randn((_STEPS + 1, _ROWS, dim), generator=generator)
    grads[:, 1] *= 100  # so that a sum over all groups has a visible effect
    grads = grads.to(device, dtype)
    # Closures evaluate a quadratic.
    evaluate = (lambda i, x: (x.square().sum() / 2, x)) if needs_closure(factory.cls) else None
    stepper, at = Stepper(factory, batched=len(rows) > 1), {row: grads[-1, row] for row in rows}
    for step in range(_STEPS):
        active = [row for row in rows if row > 0 or step < _STEPS_OF_ROW_0]
        if not active:
            break
        lr = torch.tensor([[0.01 / (1 + row)] for row in active], dtype=dtype)
        x = torch.stack([at[row] for row in active])
        x = stepper.step(active, x, grads[step, active], lr, evaluate)
        at |= dict(zip(active, x, strict=True))
    return list(at.values())


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Set torch's default dtype, which an optimizer's counters have, within a `with` block."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
