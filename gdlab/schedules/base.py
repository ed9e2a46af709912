"""The base class of schedules, and the constant schedule.

Most schedules are a closed form in the step number, evaluated for a chunk of steps and all runs at
once. A schedule that follows the recorded losses has a state and is evaluated at every step.

Shapes: R runs, K steps.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Configured
from gdlab.fields.returned import check_pair, check_state, check_tensor

Memory: TypeAlias = Mapping[str, Tensor]
"""The state of a schedule that follows the losses: tensors (R,) by name."""


class Schedule(Configured):
    """The learning rate of each step, computed from the base rate.

    >>> import gdlab
    >>> class Halving(gdlab.Schedule):
    ...     def factor(self, step, steps):
    ...         return 0.5**step
    >>> gdlab.run("sphere", lr=0.1, schedule=Halving(), steps=3).history.lr[:3].tolist()
    [0.1, 0.05, 0.025]

    A `Number` field may be a column of shape (R,). A subclass implements `factor`; one that follows
    the losses implements `init` and `lr` instead.
    """

    __module__ = "gdlab"

    def check(self, steps: int) -> None:
        """Check that the settings fit a run with this maximum number of steps.

        Raises:
            SettingError: names the setting that does not fit.
        """

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Compute the factors (K, R) of the base rate.

        Args:
            step: step numbers from 0, as floats: (K, R).
            steps: maximum number of steps of the run.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement factor")

    def rates(self, step: Tensor, base: Tensor, steps: int) -> Tensor:
        """Compute the learning rates (K, R) at steps (K,) from the base rates (R,)."""
        # The step numbers are expanded to all runs, so that each takes the same vector path.
        grid = step[:, None].expand(-1, len(base)).to(base.dtype).contiguous()
        factor: Any = self.factor(grid, steps)
        must = "factor must return a tensor like step,"
        return check_tensor(factor, must, grid.shape, -1) * base

    def init(self, base: Tensor) -> Memory:
        """Return the state before the first step; empty if rates only depend on the step."""
        return {}

    def lr(
        self, step: int, base: Tensor, state: Memory, loss: Tensor, steps: int
    ) -> tuple[Tensor, Memory]:
        """Compute the learning rates (R,) of one step, and the state after it.

        Args:
            step: its number, from 0; a tensor (R,) while the step is compiled: a schedule by which
                Python decides something has no compiled form.
            base: the base rates (R,).
            state: the state before the step.
            loss: the losses (R,) at the points that the step leaves; NaN where not computed.
            steps: maximum number of steps of the run.
        """
        return self.rates(torch.tensor([step], device=base.device), base, steps)[0], state


def initial_memory(schedule: Schedule, base: Tensor) -> Memory:
    """Return the state of a schedule before the first step, checked.

    Args:
        schedule: the schedule.
        base: the base rates (R,).

    Raises:
        SettingError: it returned no state.
    """
    state: Any = schedule.init(base)
    try:
        return check_state(state, "init", len(base))
    except TypeError as error:
        raise SettingError(f"schedule={schedule.shown_name}: {error}") from error


def rates_of(schedule: Schedule, step: Tensor, base: Tensor, steps: int) -> Tensor:
    """Return the learning rates (K, R) of steps (K,), checked.

    Raises:
        TypeError: the schedule returned no tensor.
        ValueError: it has another shape.
    """
    rates: Any = schedule.rates(step, base, steps)
    return check_tensor(rates, "rates must return a tensor", (len(step), len(base)), -1)


def check_next(returned: Any, base: Tensor) -> tuple[Tensor, Memory]:
    """Return the rates (R,) and the state that `lr` returned, if they are that.

    Raises:
        TypeError: they have not the form (rates, state), or a part of it has another type.
        ValueError: the rates have another shape.
    """
    must, runs = "lr must return (rates, state)", len(base)
    rates, state = check_pair(returned, must, runs)
    check_tensor(rates, f"{must} with rates", base.shape, runs, base.dtype)
    return rates, check_state(state, "lr", runs)


class Constant(Schedule):
    """lr at every step."""

    def factor(self, step: Tensor, steps: int) -> Tensor:
        """Return 1."""
        return torch.ones_like(step)

    def rates(self, step: Tensor, base: Tensor, steps: int) -> Tensor:
        """Return the base rates, expanded to all steps."""
        return base.expand(len(step), -1)
