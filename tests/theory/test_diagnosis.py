"""What is said of the ends of runs, compared with what is known of their losses."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gdlab
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.losses import MLP, Expression, Loss, Rosenbrock
from gdlab.optimizers import SGD, Adam
from gdlab.theory import diagnose
from gdlab.theory.curvature import is_affordable
from tests.helpers.batches import make_batch, rows_of


def formula(text: str, start: Any, **settings: Any) -> dict[str, Any]:
    return {"loss": "expression", "formula": text, "start": start, **settings}


NEWTON = {"optimizer": "newton", "lr": 1.0}

# settings of a run; its diagnosis, and parts of the sentence
CASES: dict[str, tuple[dict[str, Any], str | None, tuple[str, ...]]] = {
    "bowl": ({}, "minimum", ("a minimum", "from 1 to 15")),
    "local minimum": (
        {"loss": "rastrigin", "lr": 0.001},
        "minimum",
        # The second well of x² + 10 (1 − cos 2πx) is at 0.99496, 0.99496 above the first; the
        # second derivative there is 2 + 40π² cos(2πx) = 396.6.
        ("a local minimum, 1.99 above the known one", "from 397 to 397"),
    ),
    "saddle": (
        formula("(x**2 - 1)**2 + y**2", [0.01, 1.0], **NEWTON),
        "saddle",
        # H = diag(−4, 2) at 0
        ("a saddle of index 1", "between -4 and 2", "{x: 1, y: 0}", "optimizer.modified=true"),
    ),
    "saddle of more dimensions": (
        formula("x**2 - y**2 - z**2 + w**2", {"x": 1, "y": 0, "z": 0, "w": 1}),
        "saddle",
        ("of index 2", "between -2 and 2"),
    ),
    "maximum": (
        formula("cos(x) + cos(y)", [0.0, 0.0]),
        "maximum",
        ("are negative, -1;", "start=[0.0,0.1] is 0.005 lower"),
    ),
    "monkey saddle": (
        formula("x**3 - 3*x*y**2", [0.5, 0.2], steps=200, **NEWTON),
        "degenerate",
        (
            "2 eigenvalues, 2 of them zero up to rounding and to",
            "is lower, so that it is no minimum",
        ),
    ),
    "quartic": (
        formula("x**4 + y**2", [1.0, 1.0], **NEWTON),
        "degenerate",
        ("2 eigenvalues, 1 of them zero", "away along an axis is lower"),
    ),
    # Values differ by rounding, of the loss or of its terms: no neighbor is lower.
    "a trough of sines": (
        formula("sin(x) + 0*y", [0.0, 1.0]),
        "degenerate",
        ("1 of them zero", "no neighbor 0.001 away along an axis is lower"),
    ),
    "a trough of large sines": (
        formula("sin(x)*1000 + 0*y", [0.0, 1.0], lr=1e-4),
        "degenerate",
        ("1 of them zero", "no neighbor 0.001 away along an axis is lower"),
    ),
    "a trough of large terms": (
        formula("(cos(x) - y*0) + 1", [1.0, 1.0], lr=0.3),
        "degenerate",
        ("1 of them zero", "no neighbor 0.001 away along an axis is lower"),
    ),
    # By hand, the Hessians beside 0 are [[2, ±1], [±1, 2]].
    "a Hessian that jumps along the axes": (
        formula("abs(x)*abs(y) + x**2 + y**2", [1.0, 0.5]),
        "kink",
        ("no Hessian; no neighbor 0.001 away along an axis is lower",),
    ),
    # beside the tie, diag(2, 0) and diag(0, 2)
    "a Hessian that jumps along a diagonal": (
        formula("max(x**2, y**2)", [1.0, 2.0], lr=0.2),
        "kink",
        ("a kink of the gradient", "no Hessian"),
    ),
    "a Hessian that jumps along tilted lines": (
        formula("max(x**2, 2*x**2 + y**2, 3*y**2 + x*y) + 1", [1.0, 2.0], lr=0.05),
        "kink",
        ("a kink of the gradient", "no Hessian"),
    ),
    # Smooth and far from where they are flat: a tolerance too coarse for a loss is no kink.
    "a tail before a valley": (
        formula("-exp(-x**2)", [6.0]),
        "degenerate",
        ("Newton's step, 0.085 long", "is lower, so that it is no minimum"),  # 12/(2·71)
    ),
    "a tail of a power": (
        formula("x**2/(1 + x**2)", [1000.0]),
        "degenerate",
        ("Newton's step, 3.3e+02 long", "but {x: 667} is lower"),  # f″/f′ = −3/x
    ),
    "a small product of cosines": (
        formula("1e-12*cos(x)*cos(y)", [1.0, 0.2]),
        "degenerate",
        ("what kind of point is near", "is lower"),
    ),
    "a tail without end": (
        formula("exp(-x)", [0.0], lr=1.0, **{"stop.grad_tol": 1e-3}),
        "degenerate",
        ("Newton's step, 1 long", "is lower"),
    ),
    "a shallow bowl": (
        formula("1e-12*x**2", [3.0]),
        "minimum",
        ("3 away, by Newton's step, from a minimum: the second derivative is 2e-12",),
    ),
    "a shallow saddle": (
        formula("1e-12*(x**2 - y**2)", [3.0, 4.0]),
        "saddle",
        ("5 away, by Newton's step, from a saddle of index 1",),
    ),
    "a shallow hill": (
        formula("-1e-12*(x - 3)**2", [1.0]),
        "maximum",
        ("2 away, by Newton's step, from a maximum",),
    ),
    "a shallow slope": (
        formula("1e-12*x", [1.0]),
        "flat",
        ("the gradient norm 1e-12 is not; stop.grad_tol=1e-08 is too coarse",),
    ),
    # It is the known minimum (3, 2) that the run would reach.
    "a known minimum from afar": (
        {"loss": "himmelblau", "lr": 0.01, "stop.grad_tol": 1e-2},
        "minimum",
        ("a minimum: ",),
    ),
    # no jump: it is a curve of minima, and the Hessian varies smoothly
    "a hyperbola of minima": (
        formula("(x*y - 1)**2", [1.0, 2.0]),
        "degenerate",
        ("1 of them zero",),
    ),
    "valley": (
        {"loss": "quadratic", "loss.eigenvalues": [1.0, 0.0], "lr": 0.5, "steps": 100},
        "degenerate",
        ("one of many minima", "2 eigenvalues, 1 of them zero"),
    ),
    "plateau": (formula("1/(1 + exp(-x))", [800.0]), "flat", ("the gradient and the Hessian",)),
    "indefinite": (
        formula("x**2 + 3*x*y", [1.0, 1.0]),
        "unbounded",
        # the eigenvector of the eigenvalue 1 − √10 is (−3, √10 + 1) / |…| = (−0.585, 0.811)
        ("{x: -0.585, y: 0.811}", "eigenvalue -2.16"),
    ),
    "slope": (formula("x + 2*y", [1.0, 1.0]), "unbounded", ("{x: -0.447, y: -0.894}",)),
    "slope beside a bowl": (
        formula("x**2 - 3*y", [1.0, 0.0], steps=200),
        "unbounded",
        ("along {x: 0, y: 1}; no learning rate finds a minimum",),
    ),
    "slope beside a wide bowl": (
        formula("0.001*x**2 + y", [1.0, 0.0], steps=50),
        "unbounded",
        ("along {x: 0, y: -1};",),
    ),
    "inflection": (
        formula("x**3 + y**2", [1.0, 1.0]),
        "unbounded",
        ("along {x: -1, y: 0};", "near {x: 0.0033, y: 0}, where the gradient vanishes"),
    ),
    "logarithm without end": (formula("-ln(x)", [1.0]), "unbounded", ("{x: 1}",)),
    # Past a pole a run is thrown far away: no lr is small enough.
    **{
        f"pole of {text}": (
            formula(text, start, lr=lr),
            "unbounded",
            (f"towards a pole at {pole}, beside which", "no learning rate finds a minimum"),
        )
        for text, start, lr, pole in (
            ("1/x", [-1.0], 0.01, "{x: 0}"),
            ("-1/x**2", [1.0], 0.1, "{x: 0}"),
            ("log(abs(x))", [1.0], 0.1, "{x: 0}"),
            ("tan(x)", [1.0], 0.1, "{x: -1.57}"),
            ("1/(x - 1) - 1/(x - 2)", [0.0], 0.1, "{x: 1}"),
            ("-1/(x**2 + y**2)", [1.0, 1.0], 0.1, "{x: 0, y: 0}"),
        )
    },
    "no pole but a sharp valley": (formula("abs(x)**0.2", [1.0]), "growing", ("is too large",)),
    "bounded below without a minimizer": (formula("exp(-x)", [1.0]), "descending", ()),
    "beyond a logarithm": (
        formula("ln(x) + y", [1.0, 1.0]),
        "outside domain",
        (
            "step 6 leads to x=-0.00157, where the logarithm is not defined",
            "falls towards the edge of the domain at {x: 0, y: 0.4}, so that no lr helps",
        ),
    ),
    "beyond a root of something": (
        formula("sqrt(2*x - 1) + x", [1.0], lr=0.3),
        "outside domain",
        ("the argument=", "where the square root is not defined"),
    ),
    "over a logarithm that rises": (
        formula("x - ln(x)", [3.0], lr=5.0),
        "outside domain",
        ("the loss rises towards this edge, so that shorter steps stay inside",),
    ),
    "a start outside a logarithm": (
        formula("x - ln(x)", [-1.0]),
        "outside domain",
        ("the start has x=-1, where the logarithm is not defined",),
    ),
    "an infinite start": (formula("exp(x)", [1000.0]), None, ()),
    "above the limit": (
        {"loss": "rosenbrock", "lr": 0.1},
        "unstable",
        ("lr=0.1 is above 2/λ_max = 0.00133 at the start",),
    ),
    "above the limit without end": (
        {"loss": "rosenbrock", "lr": 0.003},
        "unstable",
        ("lr=0.003 is above 2/λ_max = 0.00286 at the last point", "was at step 806"),
    ),
    "above the limit of momentum": (
        {"optimizer": "momentum", "momentum": 0.5, "lr": 0.3},
        "unstable",
        ("lr=0.3 is above 2(1+β)/λ_max = 0.2 at the start",),
    ),
    "back and forth": (
        {"loss": "himmelblau", "start": [4.0, 4.0], "lr": 0.03},
        "oscillating",
        ("the best, 0.004801, was at step 800",),
    ),
    "without a limit": (
        {"loss": "rosenbrock", "optimizer": "adam", "lr": 30.0, "steps": 100},
        "growing",
        ("from 24.2 to 845.4", "lr=30 is too large"),
    ),
    "a large learning rate": (
        {"loss": "rosenbrock", "optimizer": "adam", "lr": 1000.0, "steps": 10},
        "growing",
        ("lr=1000 is too large",),
    ),
    "noise": ({"noise": 0.5, "lr": 0.05}, "noisy", ("noise.scale=0.5",)),
    "minibatches": (
        {"loss": "softmax", "data": "iris", "batch_size": 4, "lr": 2.0, "steps": 200},
        "noisy",
        ("a minibatch of 4 of 150 examples",),
    ),
    "raw columns": (
        {"loss": "mse", "data": "diabetes", "lr": 0.1, "steps": 100},
        "raw columns",
        ("λ_max is 1.47e+05 at the start and 8.05 with loss.standardize=true", "lr up to 0.248"),
    ),
    "far below the limit": (
        {"loss": "beale", "lr": 0.001},
        "descending",
        ("lr=0.001 is far below 2/λ_max = 0.0792 there",),
    ),
    "a steady rate": (
        {"lr": 0.001, "steps": 1000},
        "descending",
        # 15 x has become 1 x: 0.999^k ≤ 1e-8 after 18,412 steps, and a tenth of the rest more
        ("stop.grad_tol is reached with steps=21000",),
    ),
    "a rate of a fast direction": (
        formula("x**2/2 + 1e-5*y**2", [1e6, 1.0], lr=0.01, steps=100),
        "descending",
        # x needs 3,208 steps; y shrinks by 1 - 2e-7 in each
        ("needs at least steps=3200, more if the run slows down",),
    ),
    "a rate near the limit": (
        # 0.62^k ≤ 1e-8 after 39 steps; a little more curvature would make y unstable
        formula("x**2/2 + y**2/0.4", [1.0, 0.0], lr=0.38, steps=10),
        "descending",
        ("needs at least steps=39, more if the run slows down",),
    ),
    "a step too short to see the bottom": (
        {"lr": 1e-9},
        "descending",
        ("far below 2/λ_max = 0.133",),
    ),
    "a flat start": (
        formula("x**2/(1 + x**2)", [50.0]),  # bounded by 0, which it nears at x = 0
        "descending",
        ("still falling: by 8.18e-10 to 0.9996",),
    ),
    "at the limit": ({"loss": "sphere", "lr": 1.0}, "standstill", ("lr=1 is 2/λ_max",)),
    "weight decay": (
        {"loss": "booth", "lr": 0.05, "weight_decay": 1.0},
        "standstill",
        ("weight_decay=1 balances its gradient",),
    ),
    "a shrinking decay": (
        {"loss": "booth", "optimizer": "adamw", "lr": 0.05},
        "descending",
        ("weight_decay=0.01 keeps the gradient from 0",),
    ),
    "kink": (
        formula("abs(x) + abs(y)", [1.0, 0.5], lr=0.25),
        "kink",
        ("no derivative here; no neighbor 0.001 away along an axis is lower",),
    ),
    "kink that points up": (
        formula("x**2 - abs(x)", [0.0]),
        "kink",
        ("but {x: 0.001} is lower, so that it is no minimum",),
    ),
    "slope without curvature": (
        formula("abs(x) + abs(y)", [1.0, 1.0], **NEWTON),  # stalls: H is singular, g is not 0
        None,
        (),
    ),
    "search that ends at a kink": (
        formula("abs(x) + y**2", [1.0, 1.0], optimizer="bfgs", lr=1.0),
        "kink",
        ("no neighbor 0.001 away",),
    ),
    "around a kink": (
        formula("abs(x) + y**2", [1.0, 1.0], optimizer="adam", lr=0.01),
        "oscillating",
        ("around a kink near {x: 0, y: 0}", "cannot fall to stop.grad_tol=1e-08"),
    ),
    # The coordinate is rounded to 1.5e-8, so that no gradient is between 3e-8 and 0.
    "far out, where a smooth slope has steps": (
        formula("(x - 1e8)**2", [0.0]),
        "standstill",
        ("less than float64 resolves",),
    ),
    "far out in float32": (
        formula("(x - 1e8 - 3)**2", [0.0], dtype="float32"),
        "standstill",
        ("less than float32 resolves",),
    ),
    "far down a tail": (
        formula("log(1 + exp(-x))", [0.0], lr=1000.0),
        "degenerate",
        ("Newton's step, 1 long",),
    ),
    "around the tip of a cone": (
        formula("sqrt(x**2 + y**2)", [1.0, 1.0], steps=50),
        "oscillating",
        ("around a kink near {x: 0, y: 0}",),
    ),
    "around kinks off the axes, not one of y alone": (
        formula("max(x, -2*x) + abs(y - 1)", [1.0, 3.0], lr=0.07, steps=100),
        "oscillating",
        ("around a kink near {x: 0, y: 1}",),
    ),
    "far below the limit, but not at the start": (
        # 12 x² + 1 = 49 at x = 2
        formula("x**4 + x**2/2 + y**2/2", [2.0, 1.0], lr=0.02, steps=100),
        "descending",
        ("lr=0.02 is far below 2/λ_max", "there, which was 0.0408 at the start"),
    ),
    "maximum as sought": (
        formula("cos(x)", [1.0], maximize=True),
        "maximum",
        ("a maximum: the second derivative is -1",),
    ),
    "nothing to climb to": (
        formula("x**2 + y**2", [1.0, 1.0], maximize=True),
        "unbounded",
        ("unbounded above", "no learning rate finds a maximum"),
    ),
    "falling instead of climbing": (
        formula("-(x**2) - 10*y**2", [1.0, 1.0], lr=0.5, maximize=True),
        "growing",
        ("falling: the loss fell from -11 to",),
    ),
    "rounding": (
        {"loss": "beale", "dtype": "float32", "lr": 0.02, "steps": 5000, "stop": Stop(grad_tol=0)},
        "standstill",
        ("float32 resolves",),
    ),
    "steps without length": (
        {"loss": "rosenbrock", "lr": 1e-30, "steps": 50},
        "standstill",
        ("steps change it by less than float64 resolves",),
    ),
    "a rate that falls off": (
        formula("x**4 + y**4", [1.0, 1.0], lr=0.01),  # like 1/√t: at no rate, for long
        "descending",
        ("far below 2/λ_max = 13.5 there",),
    ),
    "one step": ({"steps": 1}, "descending", ("in the last 1 step",)),
    "target": ({"stop": Stop(loss=0.1)}, None, ()),
}


@pytest.mark.parametrize("name", CASES)
def test_what_happened_is_said_with_its_numbers(name: str) -> None:
    settings, diagnosis, parts = CASES[name]
    outcome = gdlab.run(**settings).outcome
    assert outcome.diagnosis == diagnosis, outcome
    assert (outcome.explanation is None) == (diagnosis is None)
    for part in parts:
        assert part in (outcome.explanation or "")


def ends(batch: Batch) -> list[Outcome]:
    outcomes = Outcomes(batch)
    for chunk in advance(batch):
        outcomes.add(chunk)
    diagnose(batch, outcomes)
    return [outcomes[row] for row in range(len(batch.lr))]


RATES = [1e-4, 1e-3, 2e-3, 3e-3, 0.01, 0.1]
BATCHES: dict[str, Batch] = {
    "sgd": make_batch(Rosenbrock(), lr=RATES, steps=400),
    "momentum": make_batch(Rosenbrock(), SGD(momentum=0.9), lr=RATES, steps=400),
    "adam": make_batch(Rosenbrock(dim=3), Adam(), lr=[1e-3, 0.1, 30.0], steps=400),
    "formula": make_batch(Expression("ln(x) + y"), lr=[0.01, 0.1, 1.0, 3.0], steps=200),
    "saddle": make_batch(Expression("(x**2-1)**2 + y**2"), lr=[0.1, 1.0], start=[0.0, 1.0]),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_run_is_told_the_same_alone_and_among_others(name: str) -> None:
    batch = BATCHES[name]
    together = ends(batch)
    assert any(outcome.diagnosis for outcome in together)
    for row, outcome in enumerate(together):
        (alone,) = ends(rows_of(batch, [row]))
        for field in ("diagnosis", "explanation", "lr_limit"):
            assert getattr(outcome, field) == getattr(alone, field), (row, field)


class OnceDifferentiable(torch.autograd.Function):
    """x² whose slope is computed without torch, so that it cannot be differentiated again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return 2 * x * grad


class Once(Loss):
    """A bowl of which autograd has no Hessian."""

    @property
    def dim(self) -> int:
        return 1

    @property
    def start(self) -> tuple[float, ...]:
        return (1.0,)

    @property
    def is_traceable(self) -> bool:
        return False

    def __call__(self, x: Tensor) -> Tensor:
        value = OnceDifferentiable.apply(x)
        assert isinstance(value, Tensor)
        return value.sum(-1)


def test_nothing_is_said_of_a_hessian_that_autograd_lacks() -> None:
    (outcome,) = ends(make_batch(Once(), lr=[0.4]))
    assert (str(outcome.status), outcome.diagnosis, outcome.lr_limit) == ("converged", None, None)


def test_the_hessian_of_a_network_costs_little_beside_its_run() -> None:
    few, many = (make_batch(MLP(widths=(64, 64)), lr=[0.1], steps=steps) for steps in (2, 1000))
    assert not is_affordable(few.loss, few.steps)
    assert is_affordable(many.loss, many.steps)  # 32 products, as much as 96 of 1,000 gradients


def test_the_limit_is_that_of_the_hessian() -> None:
    outcome = gdlab.run("quadratic", "momentum", 0.01, momentum=0.5, condition=50.0).outcome
    # 2 (1 + β) / L with L = 50; exact
    assert outcome.lr_limit == pytest.approx(2 * 1.5 / 50, rel=1e-14)
    assert np.isfinite(outcome.final_loss)


def test_a_minimum_that_is_hit_on_the_way_downhill_is_no_pole() -> None:
    swept = gdlab.sweep(
        "quadratic", lr=[0.145, 0.2], seed=range(840, 990), start="random", steps=99
    )
    assert {*swept.results["diagnosis"]} == {"unstable"}
