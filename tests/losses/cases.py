"""Losses, and what the literature says about them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gdlab import losses
from gdlab.fields.declared import Number
from gdlab.losses import MSE, Loss, PointLoss, Quadratic, Rosenbrock
from gdlab.losses.base import per_point

_TABLES = json.loads((Path(__file__).parent / "problems.json").read_text("utf-8"))

REFERENCE: dict[str, Mapping[str, Any]] = {
    entry["id"]: entry for entry in (*_TABLES["problems"], *_TABLES["regressions"])
}
"""Published problems, each value recomputed in 60-digit arithmetic and rounded to float64."""


@dataclass(frozen=True)
class LossCase:
    """A loss, and the published problem that it implements.

    Attributes:
        id: of the problem in `REFERENCE`.
        loss: the loss.
        published: the values of a problem that is not in problems.json, by the same keys: dim, x0,
            f_x0, grad_x0, x_star, f_star, hess_eig_x_star.
    """

    id: str
    loss: Loss
    published: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.published is not None:
            REFERENCE[self.id] = {"id": self.id, **self.published}


PUBLISHED = [
    LossCase("mgh01", Rosenbrock()),
    LossCase("sphere", losses.Sphere()),
    LossCase("quad_k100", Quadratic(condition=100)),
    LossCase("quad_rot25", losses.RotatedQuadratic()),
    LossCase("booth", losses.Booth()),
    LossCase("matyas", losses.Matyas()),
    LossCase("nesterov10", losses.Nesterov()),
    LossCase("hilbert5", losses.Hilbert()),
    LossCase("sumsq10", losses.SumSquares()),
    LossCase("trid6", losses.Trid()),
    LossCase("ellipsoid1e6", losses.Ellipsoid()),
    LossCase("rosen4", Rosenbrock(dim=4)),
    LossCase("rosen10", Rosenbrock(dim=10)),
    LossCase("himmelblau", losses.Himmelblau()),
    LossCase("mccormick", losses.McCormick()),
    LossCase("camel3", losses.ThreeHumpCamel()),
    LossCase("camel6", losses.SixHumpCamel()),
    LossCase("goldstein_price", losses.GoldsteinPrice()),
    LossCase("easom", losses.Easom()),
    LossCase("ackley2", losses.Ackley()),
    LossCase("rastrigin2", losses.Rastrigin()),
    LossCase("styblinski_tang2", losses.StyblinskiTang()),
    LossCase("levy2", losses.Levy()),
    LossCase("griewank2", losses.Griewank()),
    LossCase("branin", losses.Branin()),
    LossCase("bohachevsky1", losses.Bohachevsky()),
    LossCase("dixon_price4", losses.DixonPrice()),
    LossCase("zakharov5", losses.Zakharov()),
    LossCase("schwefel226_2", losses.Schwefel()),
    LossCase("michalewicz2", losses.Michalewicz()),
    LossCase("drop_wave", losses.DropWave()),
    LossCase("schaffer2", losses.Schaffer2()),
    LossCase("cube", losses.Cube()),
    LossCase("hartmann3", losses.Hartmann3()),
    LossCase("hartmann6", losses.Hartmann6()),
    LossCase("logsumexp2", losses.LogSumExp()),
    LossCase("forrester", losses.Forrester()),
    LossCase("double_well", losses.DoubleWell()),
    LossCase("qing4", losses.Qing()),
    LossCase("saddle2", losses.Saddle()),
    LossCase("monkey_saddle", losses.MonkeySaddle()),
    LossCase("shubert2", losses.Shubert()),
]
"""The classical problems; those of Moré, Garbow and Hillstrom are in mgh_cases.py."""


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


DIABETES = MSE(data="diabetes", standardize=True)
