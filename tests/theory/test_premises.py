"""Theory is said only where its premises hold, and then agrees with the exact recurrence."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlab import theory
from gdlab.config.loading import settings_from_flat
from gdlab.config.settings import Settings
from gdlab.display.summary import prediction_lines, warning
from gdlab.losses import MSE, Hilbert, Loss, Quadratic, Saddle
from gdlab.optimizers import SGD, Adam, HeavyBall, Optimizer
from gdlab.optimizers.wrappers import ClipNorm, WeightDecay
from gdlab.schedules import Cosine

DIABETES: dict[str, Any] = {"loss": "mse", "loss.data": "diabetes", "loss.standardize": True}

# settings, the line of theory in the summary without its source; "" for none
SAID: list[tuple[dict[str, Any], str]] = [
    ({"loss": "trid"}, "stable below lr=0.526 = 2/λ_max; fastest with lr=0.5"),
    ({**DIABETES, "lr": 0.1}, "stable below lr=0.2485 = 2/λ_max; fastest with lr=0.248"),
    ({**DIABETES, "lr": 0.1, "loss.batch_size": 1}, ""),
    ({"loss": "trid", "noise.scale": 0.1}, ""),
    ({"loss": "trid", "schedule": "cosine"}, ""),
    ({"loss": "trid", "schedule": "warmup_cosine"}, ""),
    ({"loss": "trid", "optimizer": "adam"}, ""),
    ({"loss": "trid", "optimizer": "clip_norm"}, ""),
    (
        {"loss": "saddle"},
        "grows at every lr from almost every start: the Hessian has the eigenvalue -2",
    ),
    ({"loss": "saddle", "optimizer": "adam"}, ""),
    (
        {"loss": "quadratic", "loss.eigenvalues": [3.0, -1.0]},
        "grows at every lr from almost every start: the Hessian has the eigenvalue -1",
    ),
    # weight decay of 3 makes the eigenvalues −2 and 2 positive
    (
        {"loss": "saddle", "optimizer.weight_decay": 3.0},
        "stable below lr=0.4 = 2/(λ_max + weight_decay)",
    ),
    ({"loss": "quadratic", "loss.eigenvalues": [3.0, 0.0]}, "unstable above lr=0.6667 = 2/λ_max"),
    ({"loss": "quadratic", "loss.eigenvalues": [0.0, 0.0]}, ""),
    # the least eigenvalue is lost in the rounding of the largest
    (
        {"loss": "hilbert", "loss.dim": 12, "optimizer": "heavy_ball"},
        "unstable above lr=2.117 = 2(1+β)/λ_max",
    ),
    (
        {"loss.condition": 1.0, "optimizer": "heavy_ball"},
        "stable below lr=3.8 = 2(1+β)/λ_max; fastest with lr=1, momentum=0",
    ),
    # ((√κ − 1)/(√κ + 1))² = 0.99996
    (
        {"loss.condition": 1e10, "optimizer": "heavy_ball"},
        "stable below lr=3.8e-10 = 2(1+β)/λ_max; fastest with lr=4e-10, momentum=0.99996",
    ),
]


@pytest.mark.parametrize(("flat", "line"), SAID)
def test_theory_is_said_where_its_premises_hold(flat: dict[str, Any], line: str) -> None:
    lines = dict(prediction_lines(settings_from_flat(flat), None))
    assert lines.get("theory", " ()").rpartition(" (")[0] == line


# a loss, an optimizer, and which of limit, growth, optimal lr, optimum and rate are known
KNOWN: list[tuple[Loss, Optimizer, str]] = [
    (Quadratic(), SGD(), "limit lr optimum rate"),
    (Quadratic(), HeavyBall(), "limit lr optimum rate"),
    (Quadratic(), SGD(momentum=0.5), "limit optimum rate"),
    (Quadratic(), SGD(weight_decay=0.1), "limit lr"),
    (Quadratic(), WeightDecay(SGD(), 0.1, decoupled=False), "limit lr"),
    (Quadratic(), WeightDecay(SGD(), 0.1), ""),
    (Quadratic(), ClipNorm(SGD()), ""),
    (Quadratic(), Adam(), ""),
    (Quadratic(), SGD(maximize=True), ""),
    (Quadratic(eigenvalues=(0.0, 1.0)), SGD(), "limit"),
    (Quadratic(eigenvalues=(0.0, 1.0)), SGD(weight_decay=0.1), "limit lr"),
    (Quadratic(eigenvalues=(-1.0, 1.0)), SGD(), "growth"),
    (Quadratic(eigenvalues=(-2.0, -1.0)), HeavyBall(), "growth"),
    (Quadratic(eigenvalues=(-2.0, -1.0)), Adam(), ""),
    (Saddle(), SGD(weight_decay=1.0), "growth"),
    (Saddle(), SGD(weight_decay=2.0), "limit"),
    (Saddle(), SGD(weight_decay=3.0), "limit lr"),
    (Hilbert(dim=12), SGD(), "limit"),
    (MSE(), SGD(), "limit lr optimum rate"),
    (MSE(batch_size=1), SGD(), ""),
]


@pytest.mark.parametrize(("loss", "optimizer", "known"), KNOWN)
def test_what_is_known_of_a_loss_and_an_optimizer(
    loss: Loss, optimizer: Optimizer, known: str
) -> None:
    numbers = {
        "limit": theory.stability_limit(loss, optimizer),
        "growth": theory.growth(loss, optimizer),
        "lr": theory.optimal_lr(loss, optimizer),
        "optimum": theory.optimum(loss, optimizer),
        "rate": theory.rate(loss, optimizer, 0.01),
    }
    assert {name for name, number in numbers.items() if number is not None} == set(known.split())


def test_each_claim_has_its_premises_as_data() -> None:
    everywhere = {theory.Premise.FULL_BATCH, theory.Premise.NO_NOISE, theory.Premise.CONSTANT_LR}
    claims = (theory.stability_limit, theory.growth, theory.optimal_lr, theory.optimum, theory.rate)
    for claim in claims:
        assert everywhere < claim.premises
    assert theory.Premise.DEFINITE in theory.rate.premises
    bowl = settings_from_flat({})
    assert theory.rate.of(bowl, 0.1) == theory.rate(bowl.loss, bowl.optimizer, 0.1)
    assert theory.rate.of(bowl.replace(schedule=Cosine()), 0.1) is None


def radius(run: Settings, eigenvalue: float) -> float:
    """The spectral radius of one step along an eigenvector, on (x, buffer)."""
    given = run.optimizer.settings()
    lr, beta = run.lr, given.get("momentum", 0.0)
    h = eigenvalue + given.get("weight_decay", 0.0)
    buffer = np.array([(1 - given.get("dampening", 0.0)) * h, beta])
    direction = np.array([h, 0.0]) + beta * buffer if given.get("nesterov") else buffer
    if beta == 0:
        direction = np.array([h, 0.0])
    step = np.array([np.array([1.0, 0.0]) - lr * direction, buffer])
    return float(np.abs(np.linalg.eigvals(step)).max())


SIGNS = {
    "definite": st.floats(0.01, 10),
    "singular": st.just(0.0) | st.floats(0.01, 10),
    "indefinite": st.floats(-10, -0.01) | st.floats(0.01, 10),
}
EIGENVALUES = st.sampled_from(sorted(SIGNS)).flatmap(
    lambda kind: st.lists(SIGNS[kind], min_size=1, max_size=4)
)
MOMENTUM = st.sampled_from([0.0, 0.3, 0.9])
DECAY = st.sampled_from([0.0, 0.0, 0.5, 4.0])
OPTIMIZERS = (
    st.builds(SGD, momentum=MOMENTUM, weight_decay=DECAY)
    | st.builds(SGD, momentum=MOMENTUM, dampening=st.just(0.4), weight_decay=DECAY)
    | st.builds(SGD, momentum=MOMENTUM, weight_decay=DECAY, nesterov=st.just(True))
    | st.builds(HeavyBall, momentum=MOMENTUM)
)


@given(EIGENVALUES, OPTIMIZERS, st.floats(-3, 1))
@settings(max_examples=50)
def test_what_theory_says_agrees_with_the_recurrence(
    eigenvalues: list[float], optimizer: Optimizer, exponent: float
) -> None:
    flat = {"loss.eigenvalues": eigenvalues, "lr": 10.0**exponent}
    run = settings_from_flat(flat).replace(optimizer=optimizer)
    radii = [radius(run, eigenvalue) for eigenvalue in eigenvalues]
    line = dict(prediction_lines(run, None)).get("theory", "")
    limit = theory.stability_limit.of(run)
    rounding = 1e-7  # half of the digits are lost at a double root; observed 2e-8
    if limit is not None and "stable below" in line and run.lr < limit:
        assert max(radii) <= 1 + rounding
    if limit is not None and run.lr > limit * (1 + rounding):
        assert warning(run) is not None
        assert max(radii) > 1
    if "grows at every lr" in line:
        assert max(radii) > 1
        assert warning(run) is None
    rate, best = theory.rate.of(run, run.lr), theory.optimum.of(run)
    if rate is not None:
        assert rate.per_step == pytest.approx(max(radii), rel=rounding)
    if best is not None and rate is not None:
        fastest = optimizer if best.momentum is None else optimizer.replace(momentum=best.momentum)
        at_best = theory.rate(run.loss, fastest, float(best.lr))
        assert at_best is None or at_best.per_step <= rate.per_step * (1 + rounding)
