"""A run is a row: in a batch it has the same bits as alone."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of
from helpers.gradients import relative
from hypothesis import given, settings
from hypothesis import strategies as st
from losses.cases import DIABETES, Angle, Barrier, Quartic, Squash, Waves
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import ChunkSizes, advance
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.losses import MSE, Ackley, Loss, Quadratic, Rosenbrock, StyblinskiTang
from gdlab.optimizers import SGD, Adagrad, Adam, RMSprop
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
    assert_rows_are_single_runs(long_enough(ELEMENTWISE[name]()), [0, 31, 40])


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


SCALABLE: list[Callable[[int], Loss]] = [
    lambda dim: Quadratic(dim=dim, condition=50.0),
    lambda dim: Rosenbrock(dim=dim),
    lambda dim: Ackley(dim=dim),
    lambda dim: StyblinskiTang(dim=dim),
]


@given(
    st.sampled_from(SCALABLE),
    st.sampled_from([1023, 1024, 1025, 2047, 2048, 4095, 4097, 8193]),
    st.lists(st.floats(1e-5, 1e-2), min_size=2, max_size=11),
    st.sampled_from([torch.float32, torch.float64]),
    st.data(),
)
@settings(max_examples=6)
def test_a_row_that_is_large_itself_is_its_single_run(
    make: Callable[[int], Loss],
    dim: int,
    rates: list[float],
    dtype: torch.dtype,
    data: st.DataObject,
) -> None:
    """Also if others in its part end before it, at the noise that they met."""
    loss = make(dim).to(dtype, torch.device("cpu"))
    stop = Stop(grad_tol=0.0, loss=float(loss(loss.tensor(loss.start))) * 0.98)
    batch = make_batch(loss, Adam(), rates, steps=4, stop=stop)
    lr, start = batch.lr.to(dtype), batch.start + torch.linspace(0, 0.1, dim).to(dtype)
    batch = replace(batch, lr=lr, start=start, noise=torch.linspace(0, 1, len(rates)).to(dtype))
    row = data.draw(st.integers(0, len(rates) - 1))
    assert_rows_are_single_runs(batch, [row])


@pytest.mark.parametrize(("dim", "rows"), [(1023, 32), (1024, 8), (2049, 2), (4097, 1), (10**6, 1)])
def test_rows_that_are_large_themselves_are_not_padded_to_all_lanes(dim: int, rows: int) -> None:
    batch = make_batch(Quadratic(dim=dim), lr=[0.1])
    assert len(Rows.of(batch).x) == rows


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
