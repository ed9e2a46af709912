"""Optimizers with line searches and curvature, each with an oracle that takes the same steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gdlab.losses import Beale, Loss, Quadratic, Rosenbrock, Softmax, Wood
from gdlab.losses.transform import Transform
from gdlab.optimizers import (
    BFGS,
    LBFGS,
    AdGD,
    BarzilaiBorwein,
    ConjugateGradient,
    GaussNewton,
    LevenbergMarquardt,
    LineSearchDescent,
    NaturalGradient,
    Newton,
    NormalizedGradient,
    Optimizer,
    Polyak,
)
from optimizers import solver_oracles as oracles
from optimizers.solver_oracles import Path, path_of


@dataclass(frozen=True)
class SolverCase:
    """An optimizer on a loss, and an oracle that takes the same steps."""

    optimizer: Optimizer
    loss: Loss
    oracle: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    lr: float = 1.0
    steps: int = 10

    def __str__(self) -> str:
        given = ",".join(f"{k}={v}" for k, v in self.options.items())
        return f"{type(self.optimizer).__name__}({given}),{type(self.loss).__name__}"

    def points(self) -> np.ndarray:
        """Compute the oracle's points (steps + 1, D)."""
        return path_of(self.oracle, self.loss, self.lr, self.steps, **self.options)


BOWL = Quadratic(dim=6, condition=30, spectrum="geometric", center=0.5)
TILTED = Transform(rotation=1).of(Quadratic(dim=6, condition=30))
ROSENBROCK, BEALE, WOOD = Rosenbrock(), Beale(), Wood()
IRIS = Softmax(penalty=0.01)


def _of_step_sizes() -> list[SolverCase]:
    cases = []
    for loss in (BOWL, BEALE):
        cases += [
            SolverCase(NormalizedGradient(), loss, oracles.normalized, lr=0.01),
            SolverCase(Polyak(), loss, oracles.polyak, {"minimum": 0.0}, lr=0.7),
            SolverCase(Polyak(minimum=0.1), loss, oracles.polyak, {"minimum": 0.1}, steps=3),
            SolverCase(AdGD(), loss, oracles.adgd, lr=1e-4),
        ]
        for variant in (1, 2):
            optimizer, options = BarzilaiBorwein(variant=variant), {"variant": variant}
            cases.append(SolverCase(optimizer, loss, oracles.barzilai_borwein, options, lr=1e-3))
    return cases


def _of_searches() -> list[SolverCase]:
    cases = []
    table: dict[Literal["exact", "armijo"], tuple[Loss, ...]] = {
        "exact": (BOWL, TILTED),
        "armijo": (BOWL, ROSENBROCK, WOOD),
    }
    for search, losses in table.items():
        options = {"search": search}
        for loss in losses:
            descent = LineSearchDescent(line_search=search, c1=1e-4)
            cases += [
                SolverCase(descent, loss, oracles.descent, options),
                SolverCase(BFGS(line_search=search), loss, oracles.bfgs, options, steps=5),
                SolverCase(
                    LBFGS(line_search=search, history=3),
                    loss,
                    oracles.bfgs,
                    {**options, "last": 3},
                    steps=5,
                ),
            ]
    for beta in ("fr", "pr+", "hs"):
        optimizer = ConjugateGradient(beta=beta, line_search="exact")
        cases += [
            SolverCase(optimizer, loss, oracles.linear_cg, steps=4) for loss in (BOWL, TILTED)
        ]
    return cases


def _of_curvature() -> list[SolverCase]:
    cases = []
    for loss, lr in ((ROSENBROCK, 1.0), (BEALE, 0.5), (WOOD, 1.0)):
        armijo = {"search": "armijo"}
        cases += [
            SolverCase(Newton(), loss, oracles.newton, lr=lr, steps=5),
            SolverCase(Newton(damping=3.0), loss, oracles.newton, {"damping": 3.0}, lr=lr),
            SolverCase(
                Newton(line_search="armijo", modified=True, floor=1e-12),
                loss,
                oracles.newton,
                {**armijo, "modified": True},
                lr=lr,
                steps=5,
            ),
        ]
    cases.append(
        SolverCase(
            Newton(line_search="armijo"), ROSENBROCK, oracles.newton, {"search": "armijo"}, steps=5
        )
    )
    for loss in (BEALE, WOOD):
        cases += [
            SolverCase(GaussNewton(), loss, oracles.gauss_newton, lr=0.3, steps=5),
            SolverCase(
                GaussNewton(line_search="armijo"),
                loss,
                oracles.gauss_newton,
                {"search": "armijo"},
                steps=5,
            ),
            SolverCase(
                LevenbergMarquardt(damping=0.01),
                loss,
                oracles.levenberg_marquardt,
                {"damping": 0.01},
                lr=0.9,
                steps=5,
            ),
        ]
    cases.append(SolverCase(NaturalGradient(), IRIS, oracles.natural_gradient, lr=0.7, steps=4))
    return cases


SOLVERS = [*_of_step_sizes(), *_of_searches(), *_of_curvature()]
