"""Tables of cases: losses and what the literature says of them; rules and their options."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gdlab.fields import Number
from gdlab.losses import MSE, Himmelblau, Loss, PointLoss, Quadratic, Rosenbrock
from gdlab.losses.base import per_point
from gdlab.optimizers import SGD, Adagrad, Adam, RMSprop, Rule

REFERENCE: Mapping[str, Mapping[str, Any]] = json.loads(
    (Path(__file__).parent / "reference" / "problems.json").read_text("utf-8")
)
"""Published problems, each value recomputed in 60-digit arithmetic and rounded to float64."""


@dataclass(frozen=True)
class LossCase:
    """A loss, and the published problem that it is."""

    id: str
    loss: Loss


ELLIPSOID = tuple(2 * 10 ** (6 * i / 9) for i in range(10))

PUBLISHED = [
    LossCase("mgh01", Rosenbrock()),
    LossCase("rosen4", Rosenbrock(dim=4)),
    LossCase("rosen10", Rosenbrock(dim=10)),
    LossCase("himmelblau", Himmelblau()),
    LossCase("quad_k100", Quadratic(condition=100)),
    LossCase("ellipsoid1e6", Quadratic(eigenvalues=ELLIPSOID)),
]


class Waves(Loss):
    """Steep waves on a wide valley: exp and cos."""

    dim: int = 3  # type: ignore[assignment]
    pitch: Number = 3.0

    @property
    def start(self) -> Tensor:
        return self.tensor([1.3, -0.7, 0.4])

    def __call__(self, x: Tensor) -> Tensor:
        valley = torch.exp(0.5 * x) + torch.exp(-0.5 * x)
        return (valley + torch.cos(per_point(self.pitch) * x)).sum(-1)


class Squash(Loss):
    """A logistic regression of one example: sigmoid and softplus."""

    dim: int = 5  # type: ignore[assignment]

    @property
    def start(self) -> Tensor:
        return self.tensor([2.0, -1.0, 0.5, -0.25, 3.0])

    def __call__(self, x: Tensor) -> Tensor:
        softplus = torch.nn.functional.softplus(x)
        return (torch.sigmoid(2 * x) + softplus + 0.05 * x.square()).sum(-1)


class Quartic(Loss):
    """Double wells: x**4."""

    dim: int = 2  # type: ignore[assignment]

    @property
    def start(self) -> Tensor:
        return self.tensor([0.9, -1.7])

    def __call__(self, x: Tensor) -> Tensor:
        return (x**4 - x**2 + 0.1 * x).sum(-1)


class Angle(Loss):
    """A spiral: atan2 of two coordinates."""

    dim: int = 2  # type: ignore[assignment]

    @property
    def start(self) -> Tensor:
        return self.tensor([0.8, 0.6])

    def __call__(self, x: Tensor) -> Tensor:
        angle = torch.atan2(x[..., 1], 1.5 + x[..., 0])
        return angle.square() + 0.3 * (x[..., 0] - angle).square()


class Barrier(PointLoss):
    """A logarithmic barrier, written for one point."""

    dim: int = 2  # type: ignore[assignment]
    weight: Number = 0.2

    @property
    def start(self) -> Tensor:
        return self.tensor([1.5, 0.4])

    def point(self, x: Tensor) -> Tensor:
        return x.square().sum() - self.weight * torch.log(x).sum()


@dataclass(frozen=True)
class RuleCase:
    """A rule and the torch optimizer with the same options."""

    rule: Rule
    oracle: type[torch.optim.Optimizer]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        given = ",".join(f"{k}={v}" for k, v in self.options.items())
        return f"{self.oracle.__name__}({given.replace(' ', '')})"


def _products(**choices: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """All combinations of the options."""
    for values in itertools.product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


BOTH = (False, True)


def _sgd() -> Iterator[RuleCase]:
    for options in _products(
        momentum=(0.0, 0.9),
        dampening=(0.0, 0.3),
        weight_decay=(0.0, 0.1),
        nesterov=BOTH,
        maximize=BOTH,
    ):
        # torch refuses nesterov with dampening or without momentum.
        if not options["nesterov"] or (options["momentum"] and not options["dampening"]):
            yield RuleCase(SGD(**options), torch.optim.SGD, options)


def _adam() -> Iterator[RuleCase]:
    for options in _products(
        betas=((0.9, 0.999), (0.3, 0.8), (0.0, 0.95)),
        eps=(1e-8, 1e-2),
        weight_decay=(0.0, 0.1),
        amsgrad=BOTH,
        maximize=BOTH,
    ):
        yield RuleCase(Adam(**options), torch.optim.Adam, options)
        decoupled = Adam(**options, decoupled_weight_decay=True)
        yield RuleCase(decoupled, torch.optim.AdamW, options)


def _rmsprop() -> Iterator[RuleCase]:
    for options in _products(
        alpha=(0.99, 0.4),
        eps=(1e-8, 1e-2),
        weight_decay=(0.0, 0.1),
        momentum=(0.0, 0.9),
        centered=BOTH,
        maximize=BOTH,
    ):
        yield RuleCase(RMSprop(**options), torch.optim.RMSprop, options)


def _adagrad() -> Iterator[RuleCase]:
    for options in _products(
        lr_decay=(0.0, 0.1),
        weight_decay=(0.0, 0.1),
        initial_accumulator_value=(0.0, 0.5),
        eps=(1e-10, 1e-2),
        maximize=BOTH,
    ):
        yield RuleCase(Adagrad(**options), torch.optim.Adagrad, options)


RULES = [*_sgd(), *_adam(), *_rmsprop(), *_adagrad()]

DIABETES = MSE(data="diabetes", standardize=True)
