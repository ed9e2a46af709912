"""Noise and minibatches: their randomness, and the records without them."""

import numpy as np
import scipy.stats
import torch
from helpers.batches import Finished, assert_same_bits, finish, make_batch
from helpers.gradients import relative, rosenbrock_gradient

from gdlab.losses import MSE, Rosenbrock
from gdlab.losses.function import Function
from gdlab.numerics import rng


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
