"""Any `torch.optim.Optimizer`, from torch or another library.

Shapes: R runs, D dimensions, n rows still running (padded).
"""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gdlab.errors import CUSTOM_ERRORS, SettingError, summarize_error
from gdlab.fields.custom_classes import import_class
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import State
from gdlab.optimizers.oracle import Oracle, OracleOptimizer
from gdlab.optimizers.torch_stepper import (
    Evaluate,
    Factory,
    Stepper,
    Support,
    check_support,
    needs_closure,
)

_RESERVED = ("self", "params", "lr")


class Torch(OracleOptimizer):
    """A torch optimizer: the steps of the class `cls`.

    A batch has one torch optimizer with a parameter group for each run, which has the run's
    learning rate and, as its parameters, the blocks of the layout; one gradient call serves all.
    The step costs what torch needs per group, times the number of runs: gdlab's own optimizers are
    faster.

    Some optimizers mix their groups (a norm or a step size over all of them). A trial beforehand
    detects this, and each run then has a torch optimizer of its own; so does a class whose step
    takes a closure, such as `torch.optim.LBFGS`. A class that draws random numbers, or needs more
    than gradients and losses, is refused.

    While an optimizer is created and steps, torch's default dtype is that of the run, so that its
    counters have that precision too. The torch optimizer holds its own state and advances with
    every `update`: unlike with other optimizers, a state can be used only once.

    Attributes:
        cls: dotted name of a subclass of `torch.optim.Optimizer`.
        kwargs: its arguments, apart from the parameters and the learning rate.
    """

    cls: str = "torch.optim.Adam"
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = _parameter_names(self._class)
        if "lr" not in names:
            raise SettingError(f"cls={self.cls}: must accept lr, which every run has")
        for name, value in self.kwargs.items():
            if name in _RESERVED:
                what = "must be given as the setting lr" if name == "lr" else "is set by gdlab"
                raise SettingError(f"kwargs.{name}={format_value(value)}: {what}")
            if name not in names and None not in names:
                known = [f"kwargs.{known}" for known in names if known not in _RESERVED]
                raise unknown_setting(f"kwargs.{name}", format_value(value), known)
        error = self._try_to_create(self.kwargs)
        if error is not None:
            why = f"cannot be created ({summarize_error(error)})"
            raise SettingError(f"{self._find_bad_setting()}: {why}") from error

    def short_names(self) -> Mapping[str, str]:
        """Return the names of all settings, and those of the arguments of the class."""
        names = (name for name in _parameter_names(self._class) if name not in (*_RESERVED, None))
        return {name: f"kwargs.{name}" for name in names} | dict(super().short_names())

    def _try_to_create(self, kwargs: Mapping[str, Any]) -> BaseException | None:
        """Return the exception that the class raises with these arguments, or None."""
        try:
            factory = Factory(self._class, kwargs, ((2, 2),))
            factory.create([[nn.Parameter(torch.ones(2, 2))]], [0.1])
        except CUSTOM_ERRORS as error:
            return error
        return None

    def _find_bad_setting(self) -> str:
        """Return the item of `kwargs` that the class rejects, else all of them, else the class."""
        for name, value in self.kwargs.items():
            if self._try_to_create({k: v for k, v in self.kwargs.items() if k != name}) is None:
                parameter = inspect.signature(self._class).parameters.get(name)
                default = (
                    "" if parameter is None else f", by default {format_value(parameter.default)}"
                )
                return f"kwargs.{name}={format_value(value)}{default}: {self.cls}"
        if self.kwargs and self._try_to_create({}) is None:
            return f"kwargs={format_value(self.kwargs)}: {self.cls}"
        return f"cls={self.cls}"

    @property
    def shown_name(self) -> str:
        """The name of the class `cls`, without its module."""
        return self.cls.rpartition(".")[2]

    @property
    def is_traceable(self) -> bool:
        """False: the class may do anything in its step."""
        return False

    @property
    def needs(self) -> Set[str]:  # type: ignore[override]  # it depends on the class named
        """Losses at other points, if the class's step takes a closure."""
        return frozenset({"evaluate"} if needs_closure(self._class) else ())

    @cached_property
    def _class(self) -> type[Optimizer]:
        return import_class("cls", self.cls, Optimizer, "torch.optim.Optimizer")

    def _factory(self, layout: Layout) -> Factory:
        return Factory(self._class, self.kwargs, tuple(shape for _, shape in layout))

    def _support(self, layout: Layout, dtype: torch.dtype, device: torch.device) -> Support:
        return check_support(self._factory(layout), dtype, device)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Assign a slot of the torch optimizer to each row; it is created at the first step.

        Raises:
            SettingError: the optimizer cannot be used for these parameters.
        """
        support = self._support(layout, x.dtype, x.device)
        if support.why_refused is not None:
            raise SettingError(f"optimizer.cls={self.cls}: {support.why_refused}")
        slots = torch.arange(len(x), device=x.device)[:, None].as_subclass(_Slots)
        slots.stepper = Stepper(self._factory(layout), batched=support.why_not_batched is None)
        return {"slot": slots}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step of the optimizer."""
        return self._step(x, grad, state, lr, range(len(x)))

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step of an optimizer that takes a closure, run by run."""
        awake = oracle.awake[:, 0].nonzero()[:, 0].tolist()

        def evaluate(row: int, point: Tensor) -> tuple[Tensor, Tensor]:
            if torch.equal(point, x[row]):  # already evaluated
                return oracle.value[row, 0], grad[row]
            points, which = x.clone(), torch.zeros_like(oracle.awake)
            points[row], which[row] = point, True
            value, slope = oracle.evaluate(points, which)
            return value[row, 0], slope[row]

        return self._step(x, grad, state, lr, awake, evaluate)

    def _step(
        self,
        x: Tensor,
        grad: Tensor,
        state: State,
        lr: Tensor,
        awake: Sequence[int],
        evaluate: Evaluate | None = None,
    ) -> tuple[Tensor, State]:
        """Take one step in the rows `awake`; padding rows share the slot of the row they repeat."""
        slots = state["slot"]
        assert isinstance(slots, _Slots)
        slot_of: list[int] = slots[:, 0].tolist()
        first: dict[int, int] = {}
        for row in awake:
            first.setdefault(slot_of[row], row)
        rows = list(first.values())
        at = torch.tensor(rows, device=x.device)

        def evaluate_row(i: int, point: Tensor) -> tuple[Tensor, Tensor]:
            assert evaluate is not None
            return evaluate(rows[i], point)

        closure = None if evaluate is None else evaluate_row
        stepped = slots.stepper.step(list(first), x[at], grad[at], lr[at], closure)
        position = {slot: i for i, slot in enumerate(first)}
        after = x.clone()
        after[list(awake)] = stepped[[position[slot_of[row]] for row in awake]]
        return after, state

    def why_not_batched(self, layout: Layout, dtype: torch.dtype) -> str | None:
        """Explain why each run has its own torch optimizer; None if they share one."""
        why = self._support(layout, dtype, torch.device("cpu")).why_not_batched
        return None if why is None else f"{self.cls}: {why}"


class _Slots(Tensor):
    """The slot of each row in a stepper (n, 1); indexing keeps the reference to the stepper."""

    stepper: Stepper

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(result, cls) and args and isinstance(args[0], cls):
            result.stepper = args[0].stepper
        return result


def _parameter_names(cls: type) -> list[str | None]:
    """Return the names of a class's arguments; None among them if it accepts any keyword."""
    parameters = inspect.signature(cls).parameters.values()
    return [None if p.kind is p.VAR_KEYWORD else p.name for p in parameters]
