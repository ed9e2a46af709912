"""Any `torch.optim.Optimizer`, torch's own or another library's, as an optimizer.

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

from gdlab.errors import SettingError
from gdlab.fields.custom_classes import import_class, summarize_error
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting
from gdlab.losses.base import Layout
from gdlab.optimizers.base import State
from gdlab.optimizers.oracle import Oracle, OracleOptimizer
from gdlab.optimizers.torch_stepper import Evaluate, Maker, Stepper, Trial, needs_closure, tried

_OWN_NAMES = ("self", "params", "lr")


class Torch(OracleOptimizer):
    """A torch optimizer as an optimizer: it takes the steps of the class that `cls` names.

    A batch has one optimizer with a parameter group for each run, which has the run's learning
    rate and, as its parameters, the blocks of the layout; one gradient serves all. The step costs
    what torch needs for a group, times the number of runs: optimizers of gdlab's own are faster.

    Some optimizers mix their groups (a norm or a step size over all of them). That is tried out
    beforehand, and each run then has an optimizer of its own; so it is where a step takes a
    closure, as that of `torch.optim.LBFGS`. One that draws at random, or wants more than gradients
    and losses, is refused.

    While an optimizer is made and steps, torch's default dtype is that of the run, so that its
    counters have that precision too. An optimizer has its state in itself and moves on with every
    `update`: unlike other optimizers', a state can be used once.

    Attributes:
        cls: the dotted name of a subclass of `torch.optim.Optimizer`.
        kwargs: what it is called with, beside parameters and learning rate.
    """

    cls: str = "torch.optim.Adam"
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = _arguments(self._class)
        if "lr" not in names:
            raise SettingError(f"cls={self.cls}: takes no lr, and every run has one")
        for name, value in self.kwargs.items():
            if name in _OWN_NAMES:
                what = "the setting lr" if name == "lr" else "given by gdlab"
                raise SettingError(f"kwargs.{name}={format_value(value)}: is {what}")
            if name not in names and None not in names:
                known = [f"kwargs.{known}" for known in names if known not in _OWN_NAMES]
                raise unknown_setting(f"kwargs.{name}", format_value(value), known)
        error = self._refusal(self.kwargs)
        if error is not None:
            why = f"cannot be made ({summarize_error(error)})"
            raise SettingError(f"{self._to_blame()}: {why}") from error

    def _refusal(self, kwargs: Mapping[str, Any]) -> Exception | None:
        """What the class raises where it cannot be made so."""
        try:
            maker = Maker(self._class, kwargs, ((2, 2),))
            maker.made([[nn.Parameter(torch.ones(2, 2))]], [0.1])
        except Exception as error:  # another library's class may raise anything
            return error
        return None

    def _to_blame(self) -> str:
        """Which of `kwargs`, or all of them, the class cannot be made with; else the class."""
        for name, value in self.kwargs.items():
            if self._refusal({k: v for k, v in self.kwargs.items() if k != name}) is None:
                parameter = inspect.signature(self._class).parameters.get(name)
                known = (
                    "" if parameter is None else f", by default {format_value(parameter.default)}"
                )
                return f"kwargs.{name}={format_value(value)}{known}: {self.cls}"
        if self.kwargs and self._refusal({}) is None:
            return f"kwargs={format_value(self.kwargs)}: {self.cls}"
        return f"cls={self.cls}"

    @property
    def is_traceable(self) -> bool:
        """It steps in its own way."""
        return False

    @property
    def needs(self) -> Set[str]:  # type: ignore[override]  # it depends on the class named
        """Losses at other points, where the class's step takes a closure."""
        return frozenset({"evaluate"} if needs_closure(self._class) else ())

    @cached_property
    def _class(self) -> type[Optimizer]:
        return import_class("cls", self.cls, Optimizer, "torch.optim.Optimizer")

    def _maker(self, shapes: tuple[tuple[int, ...], ...]) -> Maker:
        return Maker(self._class, self.kwargs, shapes)

    def _trial(self, layout: Layout, dtype: torch.dtype, device: torch.device) -> Trial:
        return tried(self._maker(_shapes(layout)), dtype, device)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Which of the optimizer's parameters are whose; they are made at the first step.

        Raises:
            SettingError: the optimizer cannot be used for these parameters.
        """
        trial = self._trial(layout, x.dtype, x.device)
        if trial.why is not None:
            raise SettingError(f"optimizer.cls={self.cls}: {trial.why}")
        seats = torch.arange(len(x), device=x.device)[:, None].as_subclass(_Seats)
        seats.stepper = Stepper(
            self._maker(_shapes(layout)), together=trial.why_not_batched is None
        )
        return {"seat": seats}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """One step of the optimizer."""
        return self._stepped(x, grad, state, lr, range(len(x)))

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step of an optimizer that takes a closure, run by run."""
        awake = oracle.awake[:, 0].nonzero()[:, 0].tolist()

        def evaluate(row: int, point: Tensor) -> tuple[Tensor, Tensor]:
            if torch.equal(point, x[row]):  # known already
                return oracle.value[row, 0], grad[row]
            others, which = x.clone(), torch.zeros_like(oracle.awake)
            others[row], which[row] = point, True
            value, slope = oracle.evaluate(others, which)
            return value[row, 0], slope[row]

        return self._stepped(x, grad, state, lr, awake, evaluate)

    def _stepped(
        self,
        x: Tensor,
        grad: Tensor,
        state: State,
        lr: Tensor,
        awake: Sequence[int],
        evaluate: Evaluate | None = None,
    ) -> tuple[Tensor, State]:
        """One step of some rows; those with the same seat, which are padding, share it."""
        leaf = state["seat"]
        assert isinstance(leaf, _Seats)
        seats: list[int] = leaf[:, 0].tolist()
        first: dict[int, int] = {}
        for row in awake:
            first.setdefault(seats[row], row)
        rows = list(first.values())
        at = torch.tensor(rows, device=x.device)

        def evaluate_row(i: int, point: Tensor) -> tuple[Tensor, Tensor]:
            assert evaluate is not None
            return evaluate(rows[i], point)

        given = None if evaluate is None else evaluate_row
        stepped = leaf.stepper.step(list(first), x[at], grad[at], lr[at], given)
        place = {seat: i for i, seat in enumerate(first)}
        after = x.clone()
        after[list(awake)] = stepped[[place[seats[row]] for row in awake]]
        return after, state

    def why_not_batched(self, layout: Layout, dtype: torch.dtype) -> str | None:
        """Where its parameter groups mix, or it takes only one."""
        why = self._trial(layout, dtype, torch.device("cpu")).why_not_batched
        return None if why is None else f"{self.cls}: {why}"


class _Seats(Tensor):
    """Which of an optimizer's parameters are each row's, (n, 1); what is taken of it keeps it."""

    stepper: Stepper

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(result, cls) and args and isinstance(args[0], cls):
            result.stepper = args[0].stepper
        return result


def _arguments(cls: type) -> list[str | None]:
    """The names of what a class is called with; None among them where any name will do."""
    parameters = inspect.signature(cls).parameters.values()
    return [None if p.kind is p.VAR_KEYWORD else p.name for p in parameters]


def _shapes(layout: Layout) -> tuple[tuple[int, ...], ...]:
    return tuple(shape for _, shape in layout)
