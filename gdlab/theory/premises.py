"""What a claim of theory presumes, and which of it holds for a run."""

import enum
import functools
from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

import torch

from gdlab.config.settings import Settings
from gdlab.losses.base import Loss
from gdlab.optimizers.base import Optimizer, any_nonzero
from gdlab.schedules import Constant

P = ParamSpec("P")
T = TypeVar("T")

_EPSILON = torch.finfo(torch.float64).eps


class Premise(enum.Enum):
    """A condition without which a claim of theory may be false.

    The Hessian is that of the loss, plus the coupled weight decay of the optimizer. One premise is
    not in this list because nobody can test it before rounding decides: a start with a component
    along every eigenvector. Almost every start has one, and the sentences say so.
    """

    CONSTANT_HESSIAN = "the Hessian is constant, and its extreme eigenvalues are known"
    FULL_BATCH = "each step uses all examples"
    NO_NOISE = "no noise is added to the gradient"
    CONSTANT_LR = "the learning rate is constant"
    STEEP = "the largest eigenvalue is positive"
    DEFINITE = "all eigenvalues are positive"
    SEMIDEFINITE = "no eigenvalue is negative"
    INDEFINITE = "an eigenvalue is negative"


EXACT_STEPS = frozenset({Premise.CONSTANT_HESSIAN, Premise.FULL_BATCH})
"""What every claim presumes of the loss."""

STEADY_RUN = frozenset({Premise.NO_NOISE, Premise.CONSTANT_LR})
"""What every claim presumes of the run."""


class Claim(Generic[P, T]):
    """A number that theory gives for a loss and an optimizer, with what it presumes.

    Args:
        value: computes the number from a loss, an optimizer and further arguments; None where the
            optimizer has no theory.
        premises: what it presumes besides `EXACT_STEPS` and `STEADY_RUN`.
    """

    def __init__(
        self, value: Callable[Concatenate[Loss, Optimizer, P], T | None], *premises: Premise
    ) -> None:
        self.premises = EXACT_STEPS | STEADY_RUN | frozenset(premises)
        self._value = value
        functools.update_wrapper(self, value)

    def __call__(
        self, loss: Loss, optimizer: Optimizer, *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Return the number for a steady run; None if a premise fails, or it is unknown."""
        holds = self.premises <= STEADY_RUN | _premises_of_problem(loss, optimizer)
        return self._value(loss, optimizer, *args, **kwargs) if holds else None

    def of(self, settings: Settings, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return the number for a run; None if a premise fails, or it is unknown."""
        if not self.premises <= premises_of(settings):
            return None
        return self._value(settings.objective, settings.optimizer, *args, **kwargs)


def claim(
    *premises: Premise,
) -> Callable[[Callable[Concatenate[Loss, Optimizer, P], T | None]], Claim[P, T]]:
    """Make a function of a loss and an optimizer a claim with premises."""
    return lambda value: Claim(value, *premises)


def premises_of(settings: Settings) -> frozenset[Premise]:
    """Return the premises that hold for a run."""
    holding = set(_premises_of_problem(settings.objective, settings.optimizer))
    if not any_nonzero(settings.noise.scale):
        holding.add(Premise.NO_NOISE)
    if isinstance(settings.schedule, Constant):
        holding.add(Premise.CONSTANT_LR)
    return frozenset(holding)


def _premises_of_problem(loss: Loss, optimizer: Optimizer) -> frozenset[Premise]:
    """Return the premises that hold for a loss and an optimizer, whatever the run."""
    holding = set()
    if loss.minibatch is None:
        holding.add(Premise.FULL_BATCH)
    if loss.curvature is not None:
        holding |= {Premise.CONSTANT_HESSIAN, *_signs(loss, optimizer)}
    return frozenset(holding)


def _signs(loss: Loss, optimizer: Optimizer) -> set[Premise]:
    """Return what holds of the signs of the eigenvalues; those lost in rounding count as zero."""
    least, largest = (end + float(optimizer.coupled_decay) for end in eigenvalues(loss))
    zero = loss.dim * _EPSILON * max(abs(least), abs(largest))
    signs = {Premise.INDEFINITE} if least < -zero else {Premise.SEMIDEFINITE}
    if least > zero:
        signs.add(Premise.DEFINITE)
    if largest > zero:
        signs.add(Premise.STEEP)
    return signs


def eigenvalues(loss: Loss) -> tuple[float, float]:
    """Return the extreme eigenvalues of the constant Hessian of a loss.

    Raises:
        ValueError: the loss has no constant Hessian.
    """
    if loss.curvature is None:
        raise ValueError(f"{type(loss).__name__} has no constant Hessian")
    least, largest = map(float, loss.curvature)
    return least, largest
