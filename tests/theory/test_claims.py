"""Predictions of theory, confirmed by running the engine."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import Finished, finish, make_batch
from helpers.gradients import plain_descent
from losses.cases import REFERENCE

from gdlab import theory
from gdlab.config.loading import resolve_choice
from gdlab.engine.batch import Stop
from gdlab.engine.status import Status
from gdlab.losses import MSE, Loss, Quadratic, Rosenbrock
from gdlab.losses.function import Function
from gdlab.optimizers import SGD, Adam, HeavyBall, Optimizer

BOWL = Quadratic(condition=100)
WORST_START = (100.0, 1.0)
NO_TOLERANCE = Stop(grad_tol=0)


def descend(
    loss: Loss, lr: float, steps: int, optimizer: Optimizer | None = None, start: object = None
) -> Finished:
    (run,) = finish(make_batch(loss, optimizer, [lr], steps=steps, start=start, stop=NO_TOLERANCE))
    return run


def test_gradient_descent_with_the_optimal_lr_converges_at_the_rate_of_kappa() -> None:
    run = descend(BOWL, 2 / 101, 700, start=WORST_START)
    k = np.arange(701)
    predicted = 5050 * (99 / 101) ** (2 * k)
    # Observed 3e-14: each of 700 products rounds.
    np.testing.assert_allclose(run.history.loss, predicted, rtol=1e-12)
    assert int(np.argmax(run.history.loss < 1e-6)) == 559


@pytest.mark.parametrize(
    ("lr", "form", "digits"),
    [(0.0199, ".3e", "4.317e-05"), (0.02, ".17g", "1"), (0.0201, ".2f", "20959.16")],
)
def test_gradient_descent_at_its_stability_limit(lr: float, form: str, digits: str) -> None:
    x2 = abs(descend(BOWL, lr, 1000, start=WORST_START).outcome.x[1])
    assert format(x2, form) == digits
    assert x2 == pytest.approx(abs(1 - 100 * lr) ** 1000, rel=1e-11)  # observed 2e-13


def test_at_the_limit_the_steep_coordinate_keeps_its_size_exactly() -> None:
    history = descend(BOWL, 0.02, 1000, start=WORST_START).history
    assert (np.abs(history.x[:, 1]) == 1.0).all()


def test_heavy_ball_with_optimal_settings_has_rate_nine_elevenths() -> None:
    """Both eigenvalues then have a double root ±ρ: x_k = (1 + c k) (±ρ)ᵏ x_0."""
    rho, k = 9 / 11, np.arange(151)
    run = descend(BOWL, 4 / 121, 150, SGD(momentum=81 / 121), WORST_START)
    flat = 100 * (1 + 2 / 11 * k) * rho**k
    steep = (1 + 20 / 11 * k) * (-rho) ** k
    # A double root magnifies rounding in proportion to k. Observed 4e-13.
    np.testing.assert_allclose(run.history.x, np.column_stack((flat, steep)), rtol=1e-10)


def test_the_first_step_of_adam_is_the_sign_of_the_gradient() -> None:
    g = np.array([1e-12, -1e-8, 1e-3, 2.5, -7e6, 0.0])
    bowl = Quadratic(dim=6, condition=1)  # its gradient is the point
    run = descend(bowl, 0.1, 1, Adam(), g)
    expected = 0.1 * g / (np.abs(g) + 1e-8)
    np.testing.assert_allclose(g - run.history.x[1], expected, rtol=0, atol=1e-8)  # observed 4e-9
    # Coordinates where x − step does not round the step away:
    np.testing.assert_allclose(
        (g - run.history.x[1])[:4], expected[:4], rtol=1e-14
    )  # observed 6e-16


def test_curvature_of_rosenbrock_at_its_minimizer() -> None:
    one = torch.ones(2, dtype=torch.float64)
    sharpest = theory.sharpness(Rosenbrock(), one)
    assert sharpest == pytest.approx(REFERENCE["mgh01"]["hess_eig_x_star"][1], rel=1e-11)  # 3e-12
    limit = theory.local_stability_limit(Rosenbrock(), SGD(), one)
    assert limit is not None
    assert f"{limit:.8f}" == "0.00199680"


def test_curvature_of_rosenbrock_at_its_start() -> None:
    limit = theory.local_stability_limit(Rosenbrock(), SGD(), Rosenbrock().start)
    # The Hessian is [[1330, 480], [480, 200]].
    largest = 765 + math.sqrt(565**2 + 480**2)
    assert limit == pytest.approx(2 / largest, rel=1e-14)  # observed 0
    assert f"{2 / largest:.5f}" == "0.00133"


def test_gradient_descent_on_rosenbrock() -> None:
    history = descend(Rosenbrock(), 1e-3, 1000).history
    assert history.x[1].tolist() == pytest.approx([-0.9844, 1.088], rel=1e-14)  # observed 2e-16
    assert f"{history.loss[10]:.7f}" == "4.0924737"
    assert f"{history.loss[1000]:.7f}" == "0.4535290"


def double_well() -> Function:
    return Function(lambda x: (x[0] ** 2 - 1) ** 2, start=(0.5,))


def test_a_double_well_is_stable_below_a_quarter_and_cycles_above() -> None:
    below, above = finish(
        make_batch(double_well(), lr=[0.2475, 0.2525], steps=4000, stop=Stop(grad_tol=1e-12))
    )
    assert below.outcome.status == Status.CONVERGED
    assert abs(below.outcome.x[0]) == pytest.approx(1, rel=1e-12)  # observed 2e-13
    assert above.outcome.status == Status.MAX_STEPS
    before, last = above.history.x[-2:, 0]
    assert abs(last - before) > 0.01  # the cycle grows like the square root of the excess
    limit = theory.local_stability_limit(double_well(), SGD(), torch.ones(1, dtype=torch.float64))
    assert limit == 0.25


def test_the_cycle_of_two_in_a_double_well() -> None:
    last = descend(double_well(), 0.3, 2000).history.x[-2:, 0]
    assert sorted(f"{x:.7f}" for x in last) == ["0.7312902", "1.1395385"]


def test_a_saddle_is_left_along_its_negative_curvature() -> None:
    saddle = Function(lambda x: x[0] ** 2 - x[1] ** 2, start=(1.0, 1e-3))
    x = descend(saddle, 0.05, 100).outcome.x
    expected = [0.9**100, 1e-3 * 1.1**100]
    np.testing.assert_allclose(x, expected, rtol=1e-13)  # observed 8e-15


@pytest.mark.parametrize(("h", "digits"), [(0.1, "0.3486784"), (0.01, "0.3660323")])
def test_small_steps_follow_the_gradient_flow(h: float, digits: str) -> None:
    parabola = Quadratic(dim=1, condition=1)
    x = float(descend(parabola, h, round(1 / h)).outcome.x[0])
    assert f"{x:.7f}" == digits
    assert abs(x - math.exp(-1)) < 0.2 * h  # explicit Euler is of first order; observed 0.19 h


def test_the_first_step_of_linear_regression() -> None:
    run = descend(MSE(), 0.3, 1, start=(2.0, 1.0))
    np.testing.assert_allclose(run.history.x[1], [2.2, 1.2], rtol=1e-15)  # observed 0
    assert run.history.grad_norm[0] == pytest.approx(math.sqrt(8 / 9), rel=1e-15)  # observed 0


LIMITS: dict[str, Optimizer] = {
    "sgd": SGD(),
    "momentum": SGD(momentum=0.9),
    "small momentum": SGD(momentum=0.2),
    "heavy ball": HeavyBall(momentum=0.9),
    "nesterov": SGD(momentum=0.9, nesterov=True),
    "weight decay": SGD(weight_decay=5.0),
    "momentum, weight decay": SGD(momentum=0.5, weight_decay=5.0),
    "nesterov, weight decay": SGD(momentum=0.5, weight_decay=5.0, nesterov=True),
    "dampening": SGD(momentum=0.5, dampening=0.4),
    "dampening, weight decay": SGD(momentum=0.5, dampening=0.4, weight_decay=5.0),
    "dampening without momentum": SGD(dampening=0.4),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_stability_limit_lies_within_one_percent(name: str) -> None:
    optimizer, loss = LIMITS[name], Quadratic(condition=20)
    limit = theory.stability_limit(loss, optimizer)
    assert limit is not None
    rates = [float(limit) * share for share in (0.99, 1.01)]
    below, above = finish(make_batch(loss, optimizer, rates, steps=1500, stop=NO_TOLERANCE))
    assert np.abs(below.outcome.x).max() < 1e-6  # observed 7e-14
    assert (
        above.outcome.status == Status.DIVERGED or np.abs(above.outcome.x).max() > 1e4
    )  # observed 8e12 at least


def test_stability_limits_are_the_textbook_numbers() -> None:
    loss = Quadratic(condition=20)
    expected = {
        "sgd": 0.1,
        "momentum": 0.19,
        "nesterov": 3.8 / 56,
        "weight decay": 0.08,
        "dampening": 3 / (0.6 * 20),
        "dampening without momentum": 0.1,
    }
    limits = {name: theory.stability_limit(loss, LIMITS[name]) for name in expected}
    assert limits == pytest.approx(expected, rel=1e-15)  # observed 0


def test_there_is_no_limit_where_theory_has_none() -> None:
    assert theory.stability_limit(Rosenbrock(), SGD()) is None
    assert theory.stability_limit(Quadratic(), Adam()) is None
    assert theory.stability_limit(Quadratic(), SGD(maximize=True)) is None
    for eigenvalues in ((0.0,), (-2.0, -1.0), (-1.0, 0.0)):
        assert theory.stability_limit(Quadratic(eigenvalues=eigenvalues), SGD()) is None


def test_the_sharpness_is_none_where_it_cannot_be_computed() -> None:
    flat = Function(lambda x: x[0] ** 2, start=(0.0,))
    assert theory.sharpness(flat, torch.ones(10**6 + 1, dtype=torch.float64)) is None
    spread = Quadratic(eigenvalues=tuple(np.linspace(-1e9, 0, 1001)))  # zero is lost in rounding
    assert theory.sharpness(spread, torch.ones(1001, dtype=torch.float64)) is None
    root = Function(lambda x: torch.sqrt(x[0]), start=(0.0,))
    assert theory.sharpness(root, torch.zeros(1, dtype=torch.float64)) is None
    hill = Quadratic(eigenvalues=(-3.0, -1.0))
    origin = torch.zeros(2, dtype=torch.float64)
    assert theory.sharpness(hill, origin) == -1.0
    assert theory.local_stability_limit(hill, SGD(), origin) is None


def test_sharpness_above_a_thousand_dimensions() -> None:
    x = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    found = theory.sharpness(Quadratic(dim=1001, condition=50), x)
    assert found == pytest.approx(50, rel=1e-4)  # observed 9e-8
    valley = Rosenbrock(dim=1200)
    start = valley.tensor(valley.start)
    hessian: Any = torch.autograd.functional.hessian(valley, start)
    exact = torch.linalg.eigvalsh(hessian)[-1]
    limit = theory.local_stability_limit(valley, SGD(), start)
    assert limit == pytest.approx(2 / float(exact), rel=1e-4)  # observed 1e-5


def test_sharpness_does_not_change_the_loss() -> None:
    bowl, x = Quadratic(eigenvalues=(1.0, 3.0)), torch.ones(2, dtype=torch.float64)
    assert theory.sharpness(bowl, x) == theory.sharpness(bowl, x) == 3.0
    assert float(bowl(x)) == 2.0


def test_sharpness_of_a_loss_with_columns_of_one_row() -> None:
    loss = Rosenbrock(b=torch.tensor([1.0], dtype=torch.float64))
    # At (1, 1) the Hessian is [[8 b + 2, −4 b], [−4 b, 2 b]] with b = 1.
    expected = 6 + math.sqrt(16 + 16)
    found = theory.sharpness(loss, torch.ones(2, dtype=torch.float64))
    assert found == pytest.approx(expected, rel=1e-14)  # observed 0


ROUNDED = [
    (0.00133, 0.001), (0.0019968, 0.001), (0.19, 0.1), (0.1, 0.1), (0.099, 0.09), (9.6, 9.0),
    (9.99, 9.0), (10.0, 10.0), (1.0, 1.0), (0.95, 0.9), (2.5e-17, 2e-17), (123456.0, 100000.0),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), ROUNDED)
def test_round_down_keeps_one_digit(value: float, expected: float) -> None:
    assert theory.round_down(value) == expected


def test_the_engine_descends_like_a_plain_loop() -> None:
    curvature = np.array([1.0, 100.0])
    expected = plain_descent(lambda x: curvature * x, np.array(WORST_START), 0.013, 300)
    found = descend(BOWL, 0.013, 300, start=WORST_START).history.x
    np.testing.assert_allclose(found, expected, rtol=1e-13)  # observed 2e-14


# Rates with eigenvalues μ = 1 and L = 100, so that the condition number κ is 100

RATES: dict[str, tuple[Optimizer, tuple[float, float, float]]] = {
    # the lr, momentum and rate in the papers
    "sgd": (SGD(), (2 / 101, 0.0, 99 / 101)),
    "heavy ball": (HeavyBall(), (4 / 121, 81 / 121, 9 / 11)),
    "momentum": (SGD(momentum=0.5), (4 / 121, 81 / 121, 9 / 11)),
    "nesterov": (
        SGD(momentum=0.5, nesterov=True),
        (4 / 301, (math.sqrt(301) - 2) / (math.sqrt(301) + 2), 1 - 2 / math.sqrt(301)),
    ),
}


def with_optimum(name: str) -> tuple[Optimizer, float]:
    """An optimizer with the optimal momentum, and the optimal lr."""
    optimizer = RATES[name][0]
    best = theory.optimum(BOWL, optimizer)
    assert best is not None
    return optimizer.replace(momentum=best.momentum or 0.0), float(best.lr)


@pytest.mark.parametrize("name", RATES)
def test_the_optimum_is_that_of_the_papers(name: str) -> None:
    optimizer, lr = with_optimum(name)
    rate = theory.rate(BOWL, optimizer, lr)
    assert rate is not None
    momentum = optimizer.settings()["momentum"]
    # Half of the digits are lost at a double root. Observed 2e-8 for Nesterov, otherwise 2e-16.
    assert (lr, momentum, rate.per_step) == pytest.approx(RATES[name][1], rel=1e-7)


@pytest.mark.parametrize("name", RATES)
def test_no_settings_near_the_optimum_are_faster(name: str) -> None:
    optimizer, lr = with_optimum(name)
    momentum = optimizer.settings()["momentum"]
    best = theory.rate(BOWL, optimizer, lr)
    assert best is not None
    for share in (0.99, 1.01):
        for other in {momentum, momentum * share}:
            for near in (lr, lr * share) if other != momentum else (lr * share,):
                rate = theory.rate(BOWL, optimizer.replace(momentum=other), near)
                assert rate is not None
                assert rate.per_step > best.per_step * (1 - 1e-7)


@pytest.mark.parametrize("name", RATES)
def test_optimal_settings_reach_the_predicted_rate(name: str) -> None:
    optimizer, lr = with_optimum(name)
    rate = theory.rate(BOWL, optimizer, lr)
    assert rate is not None
    away = np.sqrt(descend(BOWL, lr, 400, optimizer, WORST_START).history.loss)
    # The factor (1 + c k) of a double root grows by a factor near 2 in 200 steps.
    growth = 1 + rate.growth * np.array([200, 400])
    measured = (away[400] / away[200] / (growth[1] / growth[0])) ** (1 / 200)
    assert measured == pytest.approx(rate.per_step, rel=1e-3)  # observed 1e-4 at most


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("lr", [1e-3, 0.009, 0.0132, 0.0198])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
def test_no_run_is_above_its_bound(name: str, lr: float, momentum: float) -> None:
    optimizer = RATES[name][0].replace(momentum=momentum)
    loss = Quadratic(dim=9, condition=100)
    rate = theory.rate(loss, optimizer, lr)
    assert rate is not None
    starts = np.random.default_rng(0).normal(size=(3, 9))
    batch = make_batch(loss, optimizer, [lr] * 3, steps=200, start=starts, stop=NO_TOLERANCE)
    for history in (run.history for run in finish(batch)):
        bound = rate.bound(history.step, float(history.loss[0]))
        assert (history.loss <= bound * (1 + 1e-9)).all()  # observed 1 - 1e-16 at most


def test_the_bound_is_reached_from_the_worst_start() -> None:
    steep = (0.0, 1.0)
    for name in ("sgd", "heavy ball"):
        optimizer, lr = with_optimum(name)
        rate = theory.rate(BOWL, optimizer, lr)
        assert rate is not None
        history = descend(BOWL, lr, 100, optimizer, steep).history
        bound = rate.bound(history.step, float(history.loss[0]))
        # Rounding grows with k in a double root, as above. Observed 3e-13.
        np.testing.assert_allclose(history.loss, bound, rtol=1e-9)


def test_above_the_limit_the_rate_is_the_factor_of_divergence() -> None:
    rate = theory.rate(BOWL, SGD(), 0.0201)
    assert rate is not None
    x2 = abs(descend(BOWL, 0.0201, 1000, start=WORST_START).outcome.x[1])
    assert x2 == pytest.approx(rate.per_step**1000, rel=1e-10)  # observed 1e-12


def test_there_is_no_rate_where_theory_has_none() -> None:
    for optimizer in (Adam(), SGD(weight_decay=0.1), SGD(maximize=True), SGD(0.5, dampening=0.1)):
        assert theory.rate(BOWL, optimizer, 0.01) is None
        assert theory.optimum(BOWL, optimizer) is None
    for loss in (Rosenbrock(), Quadratic(eigenvalues=(0.0, 1.0)), Quadratic(eigenvalues=(-1.0,))):
        assert theory.rate(loss, SGD(), 0.01) is None
        assert theory.optimum(loss, SGD()) is None
    one_step = theory.rate(Quadratic(condition=1), SGD(), 1.0)
    assert one_step is not None
    assert one_step == theory.Rate(0.0, 0.0)
    assert one_step.bound(np.arange(3), 8.0).tolist() == [8.0, 0.0, 0.0]


def test_the_gradient_of_linear_regression_on_three_points() -> None:
    """At w = 2, b = 1 the mean squared error of (1, 4), (2, 5), (3, 7) has slopes −2/3."""
    x = torch.tensor([[2.0, 1.0]], dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(MSE()(x).sum(), x)
    assert [f"{g:.4f}" for g in grad[0].tolist()] == ["-0.6667", "-0.6667"]


def test_the_hessian_of_rosenbrock_at_its_minimizer_has_the_known_condition() -> None:
    one = torch.ones(1, 2, dtype=torch.float64)
    hessian: Any = torch.autograd.functional.hessian(lambda x: Rosenbrock()(x).sum(), one)
    least, largest = torch.linalg.eigvalsh(hessian[0, :, 0]).tolist()
    assert (f"{least:.6f}", f"{largest:.4f}") == ("0.399361", "1001.6006")
    assert f"{largest / least:.2f}" == "2508.01"


def test_newton_on_rosenbrock_takes_the_known_steps() -> None:
    newton = resolve_choice("optimizer", "newton")
    assert isinstance(newton, Optimizer)
    losses = descend(Rosenbrock(), 1.0, 6, newton).history.loss
    digits = [f"{losses[0]:.1f}", *(f"{loss:.7g}" for loss in losses[1:5])]
    assert digits == ["24.2", "4.731884", "1411.845", "0.05596552", "0.3131891"]
    assert f"{losses[5]:.3e}" == "1.853e-11"
    assert losses[6] == pytest.approx(3.4e-20, rel=0.05)  # two digits are known; observed 3.4e-20
