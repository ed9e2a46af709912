"""The kernels of a GPU, run on a processor one thread after the other, against its own steps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.batches import Finished, assert_same_bits, finish, make_batch, why_eager
from helpers.pretended_cuda import pretended_cuda
from helpers.programs import batch_of_names, names_of
from helpers.skipping import SHORT, assert_ends_as_with_records
from helpers.threads import Blocks, ReversedBlocks, Threads

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.compiled import ways
from gdlab.engine.compiled_by_row_on_cuda import BlocksOnCuda
from gdlab.engine.compiled_on_cuda import ThreadsOnCuda, check_compilable_on_cuda
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.loop import advance, compile_steps
from gdlab.engine.outcome import Outcomes
from gdlab.engine.rows import Rows
from gdlab.losses import (
    Expression,
    Himmelblau,
    Lasso,
    Quadratic,
    Rastrigin,
    Rosenbrock,
    Softmax,
)
from gdlab.optimizers import SGD, Adam, RMSprop
from gdlab.schedules import Cosine

RATES = np.geomspace(1e-5, 3, 45)
BATCHES: dict[str, Batch] = {
    "adam": make_batch(Rosenbrock(), Adam(), RATES, steps=300),
    "noise and momentum": make_batch(
        Rastrigin(), SGD(momentum=0.9), RATES, noise=0.3, schedule=Cosine(), steps=300
    ),
    "conditions": make_batch(
        Expression("where(x**2 + y**2 == 0 or not x <= 9, 1/x, x*y) + exp(sin(y)) + y**2"),
        lr=RATES,
        steps=300,
    ),
    "columns": make_batch(
        Quadratic(dim=3, condition=torch.linspace(1, 9, 45)), RMSprop(), RATES, steps=300
    ),
    "limits": make_batch(
        Himmelblau(), lr=RATES, steps=300, stop=Stop(loss=3.0, max_loss=1e3, grad_tol=0)
    ),
}


def with_threads(batch: Batch) -> ThreadsOnCuda:
    return ThreadsOnCuda(Rows.of(batch), Threads)


def in_dtype(batch: Batch, dtype: torch.dtype) -> Batch:
    """The batch, to be compiled, in a dtype."""
    numbers = {name: getattr(batch, name).to(dtype) for name in ("lr", "start", "noise")}
    loss = batch.loss.to(dtype, torch.device("cpu"))
    return replace(batch, mode="compiled", loss=loss, **numbers)


def on_device(batch: Batch, device: str) -> Batch:
    """The batch on another device."""
    names = ("lr", "start", "noise", "seed")
    numbers = {name: getattr(batch, name).to(device) for name in names}
    loss = batch.loss.with_columns(
        lambda value: value.to(device) if isinstance(value, torch.Tensor) else value
    )
    return replace(batch, loss=loss.to(batch.start.dtype, torch.device(device)), **numbers)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", BATCHES)
def test_every_bit_is_that_of_the_processor(name: str, dtype: torch.dtype) -> None:
    batch = in_dtype(BATCHES[name], dtype)
    for ours, theirs in zip(finish(batch, step=with_threads(batch)), finish(batch), strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("name", ["adam", "noise and momentum", "columns"])
def test_nothing_but_kernels_leaves_the_device(name: str) -> None:
    batch, on_cpu = in_dtype(BATCHES[name], torch.float64), Outcomes(BATCHES[name])
    for chunk in advance(batch, step=with_threads(batch)):
        on_cpu.add(chunk)
    with pretended_cuda():
        batch = on_device(batch, "cuda")
        step, ends = ThreadsOnCuda(Rows.of(batch), Threads), Outcomes(batch)
        for chunk in advance(batch, step=step, sizes=SHORT, recorded=False):
            assert chunk.loss.device.type == "cuda"
            ends.add(chunk)
    for key, column in on_cpu.numbers.items():
        np.testing.assert_allclose(ends.numbers[key], column, rtol=1e-12, err_msg=key)


NEAR = 1e-12
FARTHER = {("softmax", "adam"): 1e-7, ("mlp", "bb1"): 1e-6}
"""Where a sum that is nearly 0 is divided by its size: 9e-9 and 9e-7 observed, else 6e-15."""


def assert_near(ours: Sequence[Finished], theirs: Sequence[Finished], near: float) -> None:
    """Compare runs whose sums over examples run in another order."""
    for one, other in zip(ours, theirs, strict=True):
        for name in ("x", "loss", "grad_norm"):
            a, b = getattr(one.history, name), getattr(other.history, name)
            np.testing.assert_allclose(a, b, rtol=near, atol=near, err_msg=name)


def check_blocks(batch: Batch, near: float = NEAR) -> None:
    """Compare the steps of blocks, whose threads run in two orders, with the processor's."""
    batch, ran = replace(batch, mode="compiled", by_row=True), []
    for load in (Blocks, ReversedBlocks):
        step = BlocksOnCuda(Rows.of(batch), load)
        step.work.fill_(torch.nan)  # nothing is read before a thread has written it
        ran.append(finish(batch, step=step))
    for one, other in zip(*ran, strict=True):
        assert_same_bits(one, other)
    assert_near(ran[0], finish(batch), near)


@pytest.mark.parametrize(
    "batch",
    [
        make_batch(Softmax(data="iris"), SGD(momentum=0.9), [0.01, 0.1], noise=0.1, steps=10),
        make_batch(Lasso(), Adam(), [0.01, 0.1], steps=10),
        make_batch(Rosenbrock(dim=70), RMSprop(), [1e-4, 1e-3], steps=10),
    ],
    ids=["softmax", "lasso", "long"],
)
def test_the_threads_of_a_block_wait_for_each_other(batch: Batch) -> None:
    check_blocks(batch)


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("loss", "optimizer"),
    [(loss, "adam") for loss in names_of("loss")]
    + [("goldstein_price", name) for name in sorted({*names_of("optimizer")} - {"muon"})]
    + [("mlp", name) for name in names_of("optimizer")],
)
def test_every_bit_of_every_loss_and_optimizer(loss: str, optimizer: str) -> None:
    named = batch_of_names(loss, optimizer)
    batch = make_batch(named.loss, named.optimizer, np.geomspace(1e-4, 1e-2, 9), steps=10)
    batch = replace(batch, mode="compiled")
    try:
        check_compilable_on_cuda(batch)
        if ways(batch)[0]:
            check_blocks(batch, FARTHER.get((loss, optimizer), NEAR))
            return
        step = with_threads(batch)
    except Uncompilable as error:
        assert "are computed by torch" in str(error)
    else:
        assert why_eager(batch) is None
        for ours, theirs in zip(finish(batch, step=step), finish(batch), strict=True):
            assert_same_bits(ours, theirs)
        # Of some optimizers and losses only the smallest of these rates leave steps to skip.
        longer = replace(batch, lr=torch.logspace(-8, -2, 9, dtype=torch.float64), steps=120)
        assert_ends_as_with_records(longer, step)
        assert_ends_as_with_records(longer, compile_steps(longer)[1])
