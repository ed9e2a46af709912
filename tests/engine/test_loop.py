"""The engine: a run is a row, how runs end, and the randomness of noise and minibatches.

A row in a batch is compared, bit for bit, with a batch of that row only.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.batches import Finished, assert_same_bits, finish, make_batch, rows_of
from helpers.gradients import relative, rosenbrock_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from losses.cases import DIABETES, Angle, Barrier, Quartic, Squash, Waves
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import ChunkSizes, advance
from gdlab.engine.status import Status
from gdlab.fields.declared import Number
from gdlab.losses import MSE, Loss, Quadratic, Rosenbrock
from gdlab.losses.function import Function
from gdlab.numerics import rng
from gdlab.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop
from gdlab.optimizers.base import State
from gdlab.schedules import Cosine, Exponential, InverseTime, Step, Warmup

ROWS = 64
SPREAD = np.geomspace(1e-5, 3.0, ROWS)


def column(low: float, high: float) -> Tensor:
    """A setting that differs between all rows."""
    return torch.linspace(low, high, ROWS, dtype=torch.float64)


ELEMENTWISE: dict[str, Callable[[], Batch]] = {
    "learning rates": lambda: make_batch(Rosenbrock(), lr=SPREAD * 1e-2),
    "seeds": lambda: make_batch(Quadratic(dim=7), lr=[0.05] * ROWS, noise=0.3),
    "noise": lambda: make_batch(Squash(), lr=SPREAD, noise=np.linspace(0, 2, ROWS).tolist()),
    "momentum": lambda: make_batch(Quadratic(dim=5), SGD(momentum=column(0, 0.95)), SPREAD / 3),
    "nesterov": lambda: make_batch(
        Waves(), SGD(momentum=column(0, 0.9), weight_decay=column(0, 0.1), nesterov=True), SPREAD
    ),
    "dampening": lambda: make_batch(
        Quartic(), SGD(momentum=column(0, 0.9), dampening=column(0, 0.9)), SPREAD
    ),
    "rosenbrock a, b": lambda: make_batch(
        Rosenbrock(a=column(-1, 2), b=column(1, 200)), lr=SPREAD * 1e-2
    ),
    "rosenbrock in 10": lambda: make_batch(Rosenbrock(dim=10), Adam(), SPREAD),
    "condition": lambda: make_batch(
        Quadratic(dim=6, condition=column(1, 100), spectrum="geometric"), lr=SPREAD / 3
    ),
    "center": lambda: make_batch(Quadratic(dim=5, center=column(-1, 1)), Adagrad(), SPREAD),
    "center list": lambda: make_batch(Quadratic(center=(1.0, -2.0)), RMSprop(), SPREAD),
    "exp, cos": lambda: make_batch(Waves(pitch=column(1, 4)), lr=SPREAD),
    "sigmoid": lambda: make_batch(Squash(), Adam(betas=(0.8, column(0.5, 0.99))), SPREAD),
    "x**4": lambda: make_batch(Quartic(), lr=SPREAD),
    "atan2": lambda: make_batch(Angle(), RMSprop(momentum=column(0, 0.9), centered=True), SPREAD),
    "log": lambda: make_batch(Barrier(weight=column(0.1, 1)), lr=SPREAD),
    "steps of lr": lambda: make_batch(
        Waves(), lr=SPREAD, schedule=Step(step_size=10, gamma=column(0.5, 0.9))
    ),
    "exponential lr": lambda: make_batch(
        Waves(), lr=SPREAD, schedule=Exponential(gamma=column(0.9, 1))
    ),
    "cosine lr": lambda: make_batch(Waves(), lr=SPREAD, schedule=Cosine(final=column(0, 1))),
    "warm-up": lambda: make_batch(Waves(), lr=SPREAD, schedule=Warmup(warmup=20, then=Cosine())),
    "inverse time": lambda: make_batch(
        Waves(), lr=SPREAD, schedule=InverseTime(decay=column(0, 1))
    ),
    "amsgrad": lambda: make_batch(
        Squash(), Adam(amsgrad=True, decoupled_weight_decay=True, weight_decay=0.1), SPREAD
    ),
}


def long_enough(batch: Batch) -> Batch:
    """The batch with 200 steps (several chunks) and a bound that ends rows that diverge."""
    return replace(batch, steps=200, stop=Stop(grad_tol=1e-6, max_loss=1e30))


def assert_rows_are_single_runs(batch: Batch, rows: list[int]) -> None:
    together = finish(batch)
    for row in rows:
        (alone,) = finish(rows_of(batch, [row]))
        assert alone.outcome.status != Status.FAILED
        assert_same_bits(together[row], alone)


def assert_permuting_runs_changes_nothing(batch: Batch, order: list[int]) -> None:
    plain, permuted = finish(batch), finish(rows_of(batch, order))
    for i, row in enumerate(order):
        assert_same_bits(permuted[i], plain[row])


def assert_splitting_runs_changes_nothing(batch: Batch, cuts: list[int]) -> None:
    ends = [0, *cuts, len(batch.lr)]
    parts = [range(a, b) for a, b in pairwise(ends) if a < b]
    split = [run for part in parts for run in finish(rows_of(batch, list(part)))]
    for one, other in zip(finish(batch), split, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_row_is_its_single_run(name: str) -> None:
    assert_rows_are_single_runs(long_enough(ELEMENTWISE[name]()), [0, 17, 31, 40, 57, 63])


def test_every_row_is_its_single_run_through_chunks_and_compactions() -> None:
    batch = long_enough(ELEMENTWISE["exp, cos"]())
    lengths = {run.outcome.steps for run in finish(batch)}
    assert len(lengths) > 10
    assert min(lengths) < 32 < 96 < max(lengths)
    assert_rows_are_single_runs(batch, list(range(ROWS)))


def mixed_batch() -> Batch:
    """Rows that differ in every setting that can differ, and end at different times."""
    n = 9
    optimizer = SGD(momentum=column(0, 0.9)[:n], weight_decay=column(0, 0.1)[:n])
    loss = Waves(pitch=column(1, 4)[:n])
    rates, noise = np.geomspace(1e-3, 5, n), np.linspace(0, 0.1, n).tolist()
    stop = Stop(grad_tol=1e-2, max_loss=1e3)
    return make_batch(loss, optimizer, rates, noise=noise, steps=40, stop=stop)


@given(st.permutations(range(9)))
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_permuting_runs_changes_nothing(order: list[int]) -> None:
    assert_permuting_runs_changes_nothing(mixed_batch(), order)


@given(st.sets(st.integers(1, 8)))
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_splitting_runs_changes_nothing(cuts: set[int]) -> None:
    assert_splitting_runs_changes_nothing(mixed_batch(), sorted(cuts))


def test_the_number_of_threads_changes_nothing() -> None:
    # Torch splits tensors of more than 32,768 numbers among its threads, into pieces whose ends are
    # not vectorized: a third of these rows is not a multiple of the vector lanes.
    batch = make_batch(Squash(), lr=np.geomspace(1e-3, 1, 40_050), noise=0.1, steps=3)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        three = [(c.x, c.loss, c.grad_norm) for c in advance(batch)]
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        one = [(c.x, c.loss, c.grad_norm) for c in advance(batch)]
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(one, three, strict=True):
        assert all(torch.equal(u, v) for u, v in zip(a, b, strict=True))


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize(
    "sizes",
    [ChunkSizes(first=1), ChunkSizes(longest=3), ChunkSizes(max_bytes=1), ChunkSizes(first=1000)],
    ids=["first", "longest", "bytes", "whole"],
)
def test_the_sizes_of_chunks_change_nothing(sizes: ChunkSizes, mode: str) -> None:
    batch = replace(mixed_batch(), mode=mode)
    for one, other in zip(finish(batch), finish(batch, sizes=sizes), strict=True):
        assert_same_bits(one, other)


def test_a_nan_row_changes_no_other_row() -> None:
    batch = make_batch(Waves(), Adam(), np.geomspace(1e-3, 1, 8), steps=60, noise=0.1)
    batch = replace(batch, start=batch.start.clone())
    healthy = finish(rows_of(batch, [0, 1, 2, 4, 5, 6, 7]))
    batch.start[3] = torch.nan
    runs = finish(batch)
    assert runs[3].outcome.status == Status.DIVERGED
    for one, other in zip(runs[:3] + runs[4:], healthy, strict=True):
        assert_same_bits(one, other)


def test_with_a_matrix_product_rows_agree_closely_for_twenty_steps() -> None:
    batch = make_batch(DIABETES, SGD(momentum=0.9), np.geomspace(1e-4, 0.05, 40), steps=20)
    together = finish(batch)
    for row in (0, 13, 39):
        (alone,) = finish(rows_of(batch, [row]))
        error = relative(together[row].history.x[1:], alone.history.x[1:])
        assert error <= 1e-12  # observed 3e-16


def test_running_twice_gives_the_same_bits() -> None:
    losses: list[Loss] = [Waves(), MSE(data="diabetes", standardize=True, batch_size=50)]
    for loss in losses:
        batch = make_batch(loss, Adam(), [0.1, 0.2], noise=0.5, steps=70)
        for one, other in zip(finish(batch), finish(batch), strict=True):
            assert_same_bits(one, other)


def test_float32_stays_float32() -> None:
    batch = make_batch(Rosenbrock(), Adam(), [0.01], steps=50, noise=0.1)
    loss = Rosenbrock().to(torch.float32, torch.device("cpu"))
    lr, noise, start = (t.to(torch.float32) for t in (batch.lr, batch.noise, batch.start))
    (single,) = finish(replace(batch, loss=loss, lr=lr, noise=noise, start=start))
    (double,) = finish(batch)
    for values in (single.history.x, single.history.loss, single.history.grad_norm):
        assert values.dtype == np.float32
    np.testing.assert_allclose(single.history.x, double.history.x, rtol=1e-5)  # observed 4e-7


# How runs end. On this slope with lr = 1, the point after k steps is exactly k.


class Slope(Loss):
    """−x up to an edge, and beyond it what `then` says."""

    dim: int = 1  # type: ignore[assignment]
    edge: Number = 5.0
    then: str = "nan loss"

    @property
    def start(self) -> Tensor:
        return self.tensor([0.0])

    def __call__(self, x: Tensor) -> Tensor:
        x = x[..., 0]
        over = x >= self.edge
        if self.then == "flat":
            return torch.where(over, -self.edge, -x)
        if self.then == "nan gradient":
            # The value is finite; the derivative of the root is infinite at 0, and 0 · ∞ is NaN.
            return -x + 0 * torch.sqrt(torch.where(over, 0 * x, 1 + 0 * x))
        value = {"nan loss": torch.nan, "inf loss": torch.inf, "-inf loss": -torch.inf}
        return torch.where(over, value[self.then], -x)


class Leap(Optimizer):
    """Plain steps that leap to infinity at the edge."""

    edge: float = 5.0

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        return torch.where(x >= self.edge, torch.inf, x + lr), state


class Decay(Loss):
    """exp(−x), whose value and gradient are finite at infinity."""

    dim: int = 1  # type: ignore[assignment]

    @property
    def start(self) -> Tensor:
        return self.tensor([0.0])

    def __call__(self, x: Tensor) -> Tensor:
        return torch.exp(-x[..., 0])


EDGES = list(range(1, 300))
"""Where runs end: at every record of the first four chunks, including their boundaries."""


def slope(edges: list[int], then: str, stop: Stop | None = None, steps: int = 400) -> Batch:
    edge = torch.tensor(edges, dtype=torch.float64)
    return make_batch(Slope(edge=edge, then=then), lr=[1.0] * len(edges), steps=steps, stop=stop)


def assert_ended(run: Finished, status: Status, steps: int, evaluations: int) -> None:
    """Assert that the run has each record once, its status, and no rate in the last record."""
    outcome, history = run.outcome, run.history
    assert (outcome.status, outcome.steps) == (status, steps)
    assert outcome.evaluations == evaluations
    assert history.step.tolist() == list(range(steps + 1))
    assert np.isfinite(history.x).all()
    assert np.isfinite(history.loss).all()
    assert not np.isnan(history.lr[:-1]).any()
    assert np.isnan(history.lr[-1])
    assert outcome.x.tolist() == history.x[-1].tolist()
    assert outcome.final_loss == history.loss[-1]
    assert outcome.grad_norm == history.grad_norm[-1]


@pytest.mark.parametrize("then", ["nan loss", "inf loss", "-inf loss", "nan gradient"])
def test_diverged_by_a_loss_or_gradient_that_is_not_finite(then: str) -> None:
    for edge, run in zip(EDGES, finish(slope(EDGES, then)), strict=True):
        assert_ended(run, Status.DIVERGED, edge - 1, edge + 1)
        assert run.history.x[:, 0].tolist() == list(range(edge))
        assert run.outcome.reason.endswith(f"no longer finite after step {edge - 1}")


def test_diverged_by_a_point_that_is_not_finite() -> None:
    for edge in (1, 5, 30, 31, 32, 33, 94, 95, 96):
        (run,) = finish(make_batch(Decay(), Leap(edge=float(edge)), [1.0], stop=Stop(grad_tol=0)))
        assert_ended(run, Status.DIVERGED, edge, edge + 2)
        assert run.history.x[:, 0].tolist() == list(range(edge + 1))


def test_diverged_above_max_loss_keeps_the_record_that_exceeds_it() -> None:
    batch = make_batch(Slope(edge=1e9), lr=[1.0], stop=Stop(max_loss=95.0))
    (run,) = finish(batch)
    assert_ended(run, Status.DIVERGED, 96, 97)
    assert run.outcome.final_loss == -96.0
    assert run.outcome.reason == "|loss| passed stop.max_loss=95 at step 96"


def test_diverged_at_the_start() -> None:
    (run,) = finish(make_batch(Slope(edge=-1.0, then="nan loss"), lr=[1.0]))
    assert (run.outcome.status, run.outcome.steps) == (Status.DIVERGED, 0)
    assert run.outcome.evaluations == 1
    assert len(run.history) == 1
    assert np.isnan(run.outcome.final_loss)
    assert run.outcome.best_loss == np.inf
    assert run.outcome.reason == "the loss, its gradient or the point is not finite at the start"


def test_converged_where_the_gradient_vanishes() -> None:
    for edge, run in zip(EDGES, finish(slope(EDGES, "flat")), strict=True):
        assert_ended(run, Status.CONVERGED, edge, edge + 1)
        assert run.outcome.grad_norm == 0.0


@pytest.mark.parametrize("tolerance", [1.0, np.nextafter(1.0, 0)])
def test_converged_at_or_below_the_tolerance(tolerance: float) -> None:
    (run,) = finish(make_batch(Slope(edge=1e9), lr=[1.0], steps=9, stop=Stop(grad_tol=tolerance)))
    status, steps = (Status.CONVERGED, 0) if tolerance == 1 else (Status.MAX_STEPS, 9)
    assert_ended(run, status, steps, steps + 1)


def test_converged_ends_the_run_at_the_first_record_that_passes() -> None:
    (run,) = finish(make_batch(Quadratic(), lr=[0.1], steps=1000))
    assert run.outcome.status == Status.CONVERGED
    assert (run.history.grad_norm[:-1] > 1e-8).all()
    assert run.history.grad_norm[-1] <= 1e-8


def test_a_flat_loss_alone_is_not_convergence() -> None:
    tiny = Function(lambda x: 1e-3 * x.sum() / (1 + 1e12), start=(0.0,))
    (run,) = finish(make_batch(tiny, lr=[1.0], steps=50, stop=Stop(grad_tol=1e-16)))
    assert run.outcome.status == Status.MAX_STEPS


def test_target_is_the_first_loss_at_or_below_it() -> None:
    for target in (1, 31, 32, 95, 96, 200):
        (run,) = finish(
            make_batch(Slope(edge=1e9), lr=[1.0], steps=400, stop=Stop(loss=-float(target)))
        )
        assert_ended(run, Status.TARGET, target, target + 1)
        assert run.outcome.reason == f"the loss fell to stop.loss=-{target} at step {target}"


@pytest.mark.parametrize("steps", [1, 2, 30, 31, 32, 33, 94, 95, 96, 97, 300])
def test_max_steps(steps: int) -> None:
    (run,) = finish(make_batch(Slope(edge=1e9), lr=[1.0], steps=steps))
    assert_ended(run, Status.MAX_STEPS, steps, steps + 1)
    assert run.outcome.best_step == steps
    assert run.outcome.best_loss == -float(steps)


def raising_at(call: int) -> Function:
    """A slope whose evaluation number `call` raises."""
    calls = iter(range(10_000))

    def value(x: Tensor) -> Tensor:
        if next(calls) == call:
            raise ZeroDivisionError("the well is dry")
        return -x.sum()

    return Function(value, start=(0.0,))


@pytest.mark.parametrize("call", [1, 2, 31, 32, 33, 95, 96])
def test_failed_keeps_the_records_before(call: int) -> None:
    for run in finish(make_batch(raising_at(call), lr=[1.0, 2.0], steps=200)):
        assert_ended(run, Status.FAILED, call - 1, call)
        reason = f"ZeroDivisionError after step {call - 1}: the well is dry"
        assert run.outcome.reason == reason


def test_failed_at_the_start_has_no_records() -> None:
    (run,) = finish(make_batch(raising_at(0), lr=[1.0]))
    assert (run.outcome.status, run.outcome.steps) == (Status.FAILED, 0)
    assert run.outcome.evaluations == 0
    assert len(run.history) == 0
    assert run.outcome.x.tolist() == [0.0]


# What a loss returns, and the message.
NO_VALUES: list[tuple[Callable[[Tensor], Any], str]] = [
    (lambda x: x**2, "the loss returned values of shape (32, 2) for points (32, 2), not (32,)"),
    (lambda x: x.sum(), "the loss returned values of shape () for points (32, 2), not (32,)"),
    (lambda x: None, "the loss returned a NoneType, not a tensor"),
    (lambda x: x.detach().sum(-1), "the values of the loss do not depend on the points by torch"),
]


@pytest.mark.parametrize(("values", "message"), NO_VALUES)
def test_a_loss_that_returns_no_values_fails_and_says_why(
    values: Callable[[Tensor], Any], message: str
) -> None:
    class Wrong(Loss):
        dim: int = 2  # type: ignore[assignment]
        start: tuple[float, ...] = (1.0, 2.0)  # type: ignore[assignment]

        def __call__(self, x: Tensor) -> Tensor:
            return values(x)

    (run,) = finish(make_batch(Wrong(), lr=[0.1]))
    assert run.outcome.status == Status.FAILED
    assert message in run.outcome.reason


def true_from(call: int) -> Callable[[], bool]:
    """A function that returns True from the given call on."""
    calls: Iterator[int] = iter(range(10_000))
    return lambda: next(calls) >= call


@pytest.mark.parametrize("step", [0, 1, 30, 31, 32, 33, 94, 95, 96, 250])
def test_interrupted_keeps_the_records(step: int) -> None:
    for run in finish(make_batch(Slope(edge=1e9), lr=[1.0, 1.0], steps=400), true_from(step)):
        assert_ended(run, Status.INTERRUPTED, step, step + 1)


def test_interrupting_leaves_ended_rows_as_they_ended() -> None:
    early, late = finish(slope([10, 1000], "flat", steps=2000), true_from(20))
    assert_ended(early, Status.CONVERGED, 10, 11)
    assert_ended(late, Status.INTERRUPTED, 20, 21)


def test_every_nth_record_and_the_last() -> None:
    edges = [1, 2, 9, 10, 11, 31, 32, 95, 96, 97, 200]
    for edge, run in zip(edges, finish(slope(edges, "flat"), every=5), strict=True):
        assert run.history.step.tolist() == sorted({*range(0, edge + 1, 5), edge})
        assert np.isnan(run.history.lr).tolist() == [False] * (len(run.history) - 1) + [True]


# Noise and minibatches.


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


def noise_of(runs: list[Finished], lr: float) -> np.ndarray:
    """The noise (R, T, D) in the gradients of runs on the slope Σ x."""
    return np.array([-np.diff(run.history.x, axis=0) / lr - 1 for run in runs])


def test_noise_is_gaussian_with_the_given_deviation() -> None:
    plane = Function(lambda x: x.sum(), start=(0.0,) * 8)
    sigma = [0.0, 0.5, 2.0]
    noise = noise_of(finish(make_batch(plane, lr=[1.0] * 3, noise=sigma, steps=1000)), 1.0)
    assert noise.shape == (3, 1000, 8)
    assert (noise[0] == 0).all()
    for draws, deviation in zip(noise[1:], sigma[1:], strict=True):
        unit = draws.ravel() / deviation
        assert abs(unit.mean()) < 0.03  # observed 0.017
        assert abs(unit.std() - 1) < 0.03  # observed 0.010
        assert scipy.stats.kstest(unit, "norm").pvalue > 0.01  # observed 0.27


def test_noise_of_rows_steps_and_coordinates_is_uncorrelated() -> None:
    plane = Function(lambda x: x.sum(), start=(0.0,) * 4)
    noise = noise_of(finish(make_batch(plane, lr=[1.0] * 4, noise=1.0, steps=2000)), 1.0)
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
