"""The kernels of a GPU, run on a processor one thread after the other, against its own steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, why_eager
from helpers.programs import batch_of_names, names_of
from helpers.threads import Threads

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.compiled_on_cuda import CompiledOnCuda, check_compilable_on_cuda
from gdlab.engine.compiler.program import Uncompilable
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcomes
from gdlab.engine.rows import Rows
from gdlab.engine.status import Status
from gdlab.losses import Expression, Himmelblau, Quadratic, Rastrigin, Rosenbrock
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


def with_threads(batch: Batch) -> CompiledOnCuda:
    return CompiledOnCuda(Rows.of(batch), Threads)


def in_dtype(batch: Batch, dtype: torch.dtype) -> Batch:
    """The batch, to be compiled, in a dtype."""
    numbers = {name: getattr(batch, name).to(dtype) for name in ("lr", "start", "noise")}
    loss = batch.loss.to(dtype, torch.device("cpu"))
    return replace(batch, mode="compiled", loss=loss, **numbers)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", BATCHES)
def test_every_bit_is_that_of_the_processor(name: str, dtype: torch.dtype) -> None:
    batch = in_dtype(BATCHES[name], dtype)
    for ours, theirs in zip(finish(batch, step=with_threads(batch)), finish(batch), strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("name", BATCHES)
def test_runs_without_records_end_as_with_them(name: str) -> None:
    batch = in_dtype(BATCHES[name], torch.float64)
    step, ends, points = with_threads(batch), [], []
    for recorded in (True, False):
        end = Outcomes(batch)
        points.append(0)
        for chunk in advance(batch, step=step, recorded=recorded):
            end.add(chunk)
            points[-1] += chunk.x.shape[0] * chunk.x.shape[1]
        ends.append(end)
    one, other = ends
    assert points[1] < points[0]  # steps were taken that wrote none
    for ours, theirs in ((vars(one), vars(other)), (vars(one.evidence), vars(other.evidence))):
        for key, value in ours.items():
            if isinstance(value, (np.ndarray, torch.Tensor)) and not key.startswith("_"):
                np.testing.assert_array_equal(value, theirs[key], key)
    for key, column in one.numbers.items():
        np.testing.assert_array_equal(column, other.numbers[key], key)
    assert set(one.status.tolist()) >= {int(Status.MAX_STEPS)}


def test_an_interruption_without_records() -> None:
    batch = in_dtype(BATCHES["adam"], torch.float64)
    asked = iter([False, False, True])
    (*_, last) = advance(batch, lambda: next(asked, True), with_threads(batch), recorded=False)
    assert set(last.status.tolist()) == {int(Status.INTERRUPTED)}


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("loss", "optimizer"),
    [(loss, "adam") for loss in names_of("loss")]
    + [("goldstein_price", name) for name in sorted({*names_of("optimizer")} - {"muon"})],
)
def test_every_bit_of_every_loss_and_optimizer(loss: str, optimizer: str) -> None:
    named = batch_of_names(loss, optimizer)
    batch = make_batch(named.loss, named.optimizer, np.geomspace(1e-4, 1e-2, 9), steps=10)
    batch = replace(batch, mode="compiled")
    try:
        check_compilable_on_cuda(batch)
        step = with_threads(batch)
    except Uncompilable as error:
        assert "are computed by torch" in str(error)
    else:
        assert why_eager(batch) is None
        for ours, theirs in zip(finish(batch, step=step), finish(batch), strict=True):
            assert_same_bits(ours, theirs)
