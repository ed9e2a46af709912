"""Steps of torch optimizers: many rows as the parameter groups of one, or each row in its own.

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

from gdlab.fields.custom_classes import summarize_error

Evaluate: TypeAlias = Callable[[int, Tensor], tuple[Tensor, Tensor]]
"""The loss () and its gradient (D,) of the i-th of the rows that step, at another point (D,)."""

_ROWS, _STEPS, _LEAVES_AFTER = 3, 12, 8
_TRIALS: "dict[tuple[Any, ...], Trial]" = {}


@dataclass(frozen=True)
class Maker:
    """How optimizers are made.

    Attributes:
        cls: the class.
        kwargs: what it is called with beside parameters and learning rate.
        shapes: of the blocks of a row.
    """

    cls: type[Optimizer]
    kwargs: Mapping[str, Any]
    shapes: tuple[tuple[int, ...], ...]

    def made(self, rows: Sequence[Sequence[nn.Parameter]], lr: Sequence[float]) -> Optimizer:
        """An optimizer with one parameter group for each row."""
        groups = [{"params": list(row), "lr": r} for row, r in zip(rows, lr, strict=True)]
        kind: Any = self.cls
        return kind(groups, lr=lr[0], **self.kwargs)

    def blocks(self, x: Tensor) -> list[list[Tensor]]:
        """The blocks of points (m, D), row by row: views where x is contiguous."""
        sizes = [torch.Size(shape).numel() for shape in self.shapes]
        return [
            [part.reshape(shape) for part, shape in zip(row.split(sizes), self.shapes, strict=True)]
            for row in x.unbind()
        ]


class Stepper:
    """The torch optimizers of the rows of a batch. It moves on with each step.

    Args:
        maker: makes the optimizers, at the first step.
        together: whether all rows are groups of one optimizer; else each has its own.
    """

    def __init__(self, maker: Maker, *, together: bool) -> None:
        self._maker, self._together = maker, together
        self._rows: dict[int, list[nn.Parameter]] = {}
        self._groups: dict[int, dict[str, Any]] = {}
        self._optimizers: dict[int, Optimizer] = {}

    def step(
        self,
        seats: Sequence[int],
        x: Tensor,
        grad: Tensor,
        lr: Tensor,
        evaluate: Evaluate | None = None,
    ) -> Tensor:
        """The next points (m, D) of some rows; rows that are left out do not come back.

        Args:
            seats: the rows' numbers, each its own (m).
            x: points (m, D).
            grad: gradients there (m, D).
            lr: learning rates (m, 1).
            evaluate: for optimizers that take a closure.
        """
        rates = lr[:, 0].tolist()
        with standard_dtype(x.dtype):
            if not self._rows:
                self._begin(seats, x, rates)
            elif len(seats) < len(self._rows):
                self._let_go(set(self._rows) - set(seats))
            rows = [self._rows[seat] for seat in seats]
            # Copies: an optimizer may write into its gradients, which others still need.
            grads = self._maker.blocks(grad.clone(memory_format=torch.contiguous_format))
            with torch.no_grad():
                for row, points, slopes in zip(rows, self._maker.blocks(x), grads, strict=True):
                    for parameter, point, slope in zip(row, points, slopes, strict=True):
                        parameter.copy_(point)
                        parameter.grad = slope
            for seat, rate in zip(seats, rates, strict=True):
                self._groups[seat]["lr"] = rate
            if evaluate is None:
                for optimizer in dict.fromkeys(self._optimizers.values()):
                    optimizer.step()
            else:
                for i, seat in enumerate(seats):
                    self._optimizers[seat].step(self._closure(rows[i], i, evaluate))
        return torch.stack([_joined(row) for row in rows])

    def _closure(self, row: list[nn.Parameter], i: int, evaluate: Evaluate) -> Callable[[], float]:
        """What evaluates the loss where the parameters of a row are, and leaves the gradient."""

        def closure() -> float:
            with torch.enable_grad():
                value, grad = evaluate(i, _joined(row))
            slopes = self._maker.blocks(grad[None].clone(memory_format=torch.contiguous_format))
            for parameter, slope in zip(row, slopes[0], strict=True):
                parameter.grad = slope
            return value  # type: ignore[return-value]  # a tensor, as everyone's closures return

        return closure

    def _begin(self, seats: Sequence[int], x: Tensor, lr: list[float]) -> None:
        """Make parameters and optimizers."""
        copy = x.clone(memory_format=torch.contiguous_format)
        rows = [[nn.Parameter(block.clone()) for block in row] for row in self._maker.blocks(copy)]
        self._rows = dict(zip(seats, rows, strict=True))
        if self._together:
            optimizers = [self._maker.made(rows, lr)] * len(rows)
            groups = optimizers[0].param_groups
        else:
            optimizers = [self._maker.made([row], [r]) for row, r in zip(rows, lr, strict=True)]
            groups = [optimizer.param_groups[0] for optimizer in optimizers]
        self._optimizers = dict(zip(seats, optimizers, strict=True))
        self._groups = dict(zip(seats, groups, strict=True))

    def _let_go(self, gone: set[int]) -> None:
        """Forget rows, their groups and what is remembered of them."""
        for seat in gone:
            optimizer = self._optimizers.pop(seat)
            del self._groups[seat]
            for parameter in self._rows.pop(seat):
                optimizer.state.pop(parameter, None)
        if self._together:
            for optimizer in self._optimizers.values():
                optimizer.param_groups[:] = self._groups.values()
                break


def _joined(row: Sequence[nn.Parameter]) -> Tensor:
    """The point (D,) that a row's parameters are."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in row])


@dataclass(frozen=True)
class Trial:
    """What trying an optimizer showed.

    Attributes:
        why: it cannot be used at all; None where it can.
        why_not_batched: why its rows cannot be groups of one optimizer; None where they can.
    """

    why: str | None = None
    why_not_batched: str | None = None


def needs_closure(cls: type[Optimizer]) -> bool:
    """Whether its step cannot be called without a closure."""
    parameters = list(inspect.signature(cls.step).parameters.values())[1:]
    return any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


def tried(maker: Maker, dtype: torch.dtype, device: torch.device) -> Trial:
    """Try an optimizer on made-up gradients: three rows alone, and together.

    Rows are together only where they then take the very steps that they take alone, also once one
    of them has left.
    """
    key = (maker.cls, repr(maker.kwargs), maker.shapes, dtype, device)
    if key not in _TRIALS:
        try:
            _TRIALS[key] = _tried(maker, dtype, device)
        except Exception as error:  # another library's class may raise anything
            _TRIALS[key] = Trial(why=f"cannot take a step ({summarize_error(error)})")
    return _TRIALS[key]


def _tried(maker: Maker, dtype: torch.dtype, device: torch.device) -> Trial:
    has_closure = needs_closure(maker.cls)
    with torch.random.fork_rng(devices=[]):
        before = torch.random.get_rng_state()
        alone = [_path(maker, [row], dtype, device)[0] for row in range(_ROWS)]
        if not torch.equal(before, torch.random.get_rng_state()):
            return Trial(why="draws at random as it steps; a run's seed would have no say in it")
        if has_closure:
            return Trial(why_not_batched="its step takes a closure")
        try:
            together = _path(maker, list(range(_ROWS)), dtype, device)
        except Exception as error:  # it may refuse several groups
            return Trial(why_not_batched=summarize_error(error))
    mixed = "the parameter groups of one have a say in each other's steps"
    return Trial(why_not_batched=None if all(map(_same, alone, together)) else mixed)


def _path(maker: Maker, rows: list[int], dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """Where made-up gradients take some rows, the first of all rows for fewer steps: (D,) each."""
    dim = sum(torch.Size(shape).numel() for shape in maker.shapes)
    generator = torch.Generator().manual_seed(0)
    made = torch.randn((_STEPS + 1, _ROWS, dim), generator=generator)
    made[:, 1] *= 100  # what is summed over all groups then shows
    made = made.to(device, dtype)
    # Closures see a bowl.
    bowl = (lambda i, x: (x.square().sum() / 2, x)) if needs_closure(maker.cls) else None
    stepper, at = Stepper(maker, together=len(rows) > 1), {row: made[-1, row] for row in rows}
    for step in range(_STEPS):
        going = [row for row in rows if row > 0 or step < _LEAVES_AFTER]
        if not going:
            break
        lr = torch.tensor([[0.01 / (1 + row)] for row in going], dtype=dtype)
        x = torch.stack([at[row] for row in going])
        x = stepper.step(going, x, made[step, going], lr, bowl)
        at |= dict(zip(going, x, strict=True))
    return list(at.values())


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.nan_to_num(), other.nan_to_num())


@contextmanager
def standard_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Let torch make numbers of a type, those that an optimizer counts with among them."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
