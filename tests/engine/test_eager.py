"""Noise, minibatches and custom optimizers: the records tell the truth of each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.batches import Finished, assert_same_bits, finish, make_batch
from helpers.gradients import relative, rosenbrock_gradient
from torch import Tensor

from gdlab.engine.status import Status
from gdlab.losses import MSE, Rosenbrock
from gdlab.losses.function import Function
from gdlab.numerics import rng
from gdlab.optimizers import Optimizer
from gdlab.optimizers.base import State
from gdlab.schedules import Constant


def test_minibatch_gradients_of_an_epoch_average_to_the_full_gradient() -> None:
    loss = MSE(data="diabetes", standardize=True, batch_size=34)
    chosen = rng.minibatches(torch.tensor([7]), torch.arange(13), 442, 34)[:, 0]
    x = torch.linspace(-3, 3, loss.dim, dtype=torch.float64).expand(13, -1).clone()
    x.requires_grad_()
    (parts,) = torch.autograd.grad(loss.partial(x, chosen).sum(), x)
    (full,) = torch.autograd.grad(loss(x[:1]).sum(), x)
    assert relative(parts.mean(0), full[0]) <= 1e-14  # observed 3e-16


def test_minibatch_steps_are_those_of_the_examples_drawn() -> None:
    loss = MSE(data="diabetes", standardize=True, batch_size=50)
    (_, run) = finish(make_batch(loss, lr=[0.1, 0.05], seed=[3, 4], steps=40))
    design, targets = loss.inputs.numpy(), loss.targets.numpy()
    chosen = rng.minibatches(torch.tensor([4]), torch.arange(40), 442, 50)[:, 0].numpy()
    w = np.zeros(11)
    for k in range(40):
        a, y = design[chosen[k]], targets[chosen[k]]
        w = w - 0.05 * (2 / 50) * a.T @ (a @ w - y)
        assert relative(run.history.x[k + 1], w) <= 1e-13  # observed 3e-16


def test_recorded_losses_and_gradients_are_those_of_all_examples_without_noise() -> None:
    loss = MSE(data="diabetes", standardize=True, batch_size=10)
    (run,) = finish(make_batch(loss, lr=[0.01], steps=30, noise=5.0))
    a, y = loss.inputs.numpy(), loss.targets.numpy()
    residuals = run.history.x @ a.T - y
    gradients = 2 / len(y) * residuals @ a
    np.testing.assert_allclose(
        run.history.loss, np.mean(residuals**2, 1), rtol=1e-13
    )  # observed 3e-16
    norms = np.linalg.norm(gradients, axis=1)
    np.testing.assert_allclose(run.history.grad_norm, norms, rtol=1e-13)  # observed 2e-15


def test_recorded_gradients_are_free_of_noise() -> None:
    (run,) = finish(make_batch(Rosenbrock(), lr=[1e-4], steps=50, noise=50.0))
    norms = [np.linalg.norm(rosenbrock_gradient(x)) for x in run.history.x]
    np.testing.assert_allclose(run.history.grad_norm, norms, rtol=1e-12)  # observed 4e-16


def extract_noise(runs: list[Finished], lr: float) -> np.ndarray:
    """The noise (R, T, D) in the gradients of runs on the slope Σ x."""
    return np.array([-np.diff(run.history.x, axis=0) / lr - 1 for run in runs])


def test_noise_is_gaussian_with_the_given_deviation() -> None:
    plane = Function(lambda x: x.sum(), start=(0.0,) * 8)
    sigma = [0.0, 0.5, 2.0]
    noise = extract_noise(finish(make_batch(plane, lr=[1.0] * 3, noise=sigma, steps=1000)), 1.0)
    assert noise.shape == (3, 1000, 8)
    assert (noise[0] == 0).all()
    for draws, deviation in zip(noise[1:], sigma[1:], strict=True):
        unit = draws.ravel() / deviation
        assert abs(unit.mean()) < 0.03  # observed 0.017
        assert abs(unit.std() - 1) < 0.03  # observed 0.010
        assert scipy.stats.kstest(unit, "norm").pvalue > 0.01  # observed 0.27


def test_noise_of_rows_steps_and_coordinates_is_uncorrelated() -> None:
    plane = Function(lambda x: x.sum(), start=(0.0,) * 4)
    noise = extract_noise(finish(make_batch(plane, lr=[1.0] * 4, noise=1.0, steps=2000)), 1.0)
    by_row, by_coordinate = noise.reshape(4, -1), noise.transpose(2, 0, 1).reshape(4, -1)
    lagged = np.stack((noise[:, :-1].ravel(), noise[:, 1:].ravel()))
    for draws in (by_row, by_coordinate, lagged):
        off = np.corrcoef(draws) - np.eye(len(draws))
        assert np.abs(off).max() < 0.05  # observed 0.021


def test_rows_with_the_same_seed_get_the_same_noise() -> None:
    plane = Function(lambda x: x.sum(), start=(0.0, 0.0))
    batch = make_batch(plane, lr=[1.0] * 3, noise=1.0, seed=[5, 6, 5], steps=40)
    first, second, third = finish(batch)
    assert_same_bits(first, third)
    assert not np.array_equal(first.history.x, second.history.x)


# Custom optimizers and schedules

Step = Callable[[Tensor, Tensor, Tensor], Any]


def optimizer_of(step: Step) -> Optimizer:
    """An optimizer that maps x, its gradient and lr to the next x."""

    class Custom(Optimizer):
        def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
            return step(x, grad, lr), state

    return Custom()


IN_PLACE: dict[str, Step] = {
    "the gradient": lambda x, grad, lr: x - grad.mul_(lr),
    "the gradient's data": lambda x, grad, lr: x - grad.data.mul_(lr),
    "a view of the gradient": lambda x, grad, lr: x - grad.T.mul_(lr[:, 0]).T,
    "lr": lambda x, grad, lr: x - lr.mul_(grad[:, :1]) * (grad / grad[:, :1]),
    "the point": lambda x, grad, lr: x.sub_(lr * grad),
}


@pytest.mark.parametrize("what", IN_PLACE)
def test_an_optimizer_that_changes_its_inputs_in_place_changes_no_record(what: str) -> None:
    batch = make_batch(Rosenbrock(), optimizer_of(IN_PLACE[what]), [1e-4, 2e-4], steps=40)
    for run, expected in zip(
        finish(batch), finish(make_batch(Rosenbrock(), lr=[1e-4, 2e-4], steps=40)), strict=True
    ):
        np.testing.assert_allclose(run.history.x, expected.history.x, rtol=1e-13)  # observed 1e-15
        norms = [np.linalg.norm(rosenbrock_gradient(x)) for x in run.history.x]
        np.testing.assert_allclose(run.history.grad_norm, norms, rtol=1e-12)  # observed 4e-16
        np.testing.assert_array_equal(run.history.lr, expected.history.lr)


def test_a_schedule_that_changes_the_losses_in_place_changes_no_record() -> None:
    class Custom(Constant):
        def init(self, base: Tensor) -> dict[str, Tensor]:
            return {"count": torch.zeros_like(base)}

        def lr(self, step: int, base: Tensor, state: Any, loss: Tensor, steps: int) -> Any:
            return base * (1 + 0 * loss.mul_(0)), state

    (run,) = finish(make_batch(Rosenbrock(), lr=[1e-4], schedule=Custom(), steps=5))
    assert (run.history.loss > 1).all()


WRONG: dict[str, tuple[Step, str]] = {
    "less precise": (lambda x, grad, lr: x.float(), "x of float64, and gave float32"),
    "whole numbers": (lambda x, grad, lr: x.long(), "x of float64, and gave int64"),
    "numpy's": (lambda x, grad, lr: x.numpy(), "x of shape (R, 2), and gave a ndarray"),
    "None": (lambda x, grad, lr: None, "x of shape (R, 2), and gave None"),
    "one row": (
        lambda x, grad, lr: x[:1, :1],
        "x of shape (R, 2), and gave a tensor of shape (1, 1)",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_optimizer_that_returns_no_points_of_the_run_fails(what: str) -> None:
    step, message = WRONG[what]
    (run,) = finish(make_batch(Rosenbrock(), optimizer_of(step), steps=5))
    assert run.outcome.status == Status.FAILED
    assert f"after step 0: update must return (x, state) with {message}" in run.outcome.reason


RETURNED: dict[str, tuple[Any, str]] = {
    "x alone": (lambda x, state: x, "return (x, state), and gave a tensor of shape (R, 2)"),
    "three": (lambda x, state: (x, state, 1), "(x, state), and gave a tuple of 3"),
    "no state": (lambda x, state: (x, None), "update must return a state that has R rows"),
    "a number": (lambda x, state: (x, {"m": 1.0}), 'as {"m": tensor}, and gave a float as m'),
    "few rows": (lambda x, state: (x, {"m": x[0]}), "and gave a tensor of shape (2,) as m"),
}


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize("what", RETURNED)
def test_an_optimizer_is_told_what_update_must_return(what: str, mode: str) -> None:
    returned, message = RETURNED[what]

    class Wrong(Optimizer):
        def update(self, x: Tensor, grad: Tensor, state: Any, lr: Tensor) -> Any:
            return returned(x - lr * grad, state)

    (run,) = finish(replace(make_batch(Rosenbrock(), Wrong(), steps=5), mode=mode))
    assert run.outcome.status == Status.FAILED
    assert message in run.outcome.reason
    assert run.outcome.mode_reason is None or message[:20] in run.outcome.mode_reason
