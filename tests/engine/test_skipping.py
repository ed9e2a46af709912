"""Steps without records, on a processor and by the kernels of a GPU: all ends are as with them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.batches import make_batch
from helpers.skipping import SHORT, assert_ends_as_with_records, count_records

from engine.test_compiled_on_cuda import BATCHES, RATES, in_dtype, with_threads
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import CompiledSteps, advance, compile_steps
from gdlab.engine.status import Status
from gdlab.losses import Quadratic, Rosenbrock
from gdlab.optimizers import SGD, Adam


def compiled(batch: Batch) -> CompiledSteps:
    return compile_steps(batch)[1]


MAKE = {"processor": compiled, "threads of a GPU": with_threads}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", BATCHES)
def test_runs_end_as_with_records(name: str, dtype: torch.dtype, make: str) -> None:
    batch = in_dtype(BATCHES[name], dtype)
    ends = assert_ends_as_with_records(batch, MAKE[make](batch))
    assert set(ends.status.tolist()) >= {int(Status.MAX_STEPS)}


def test_rows_that_end_one_after_the_other() -> None:
    rates = np.geomspace(0.05, 3, 300)  # they converge or diverge after 50 to 2,000 steps
    batch = in_dtype(make_batch(Quadratic(condition=9), SGD(), rates, steps=2500), torch.float64)
    ends = assert_ends_as_with_records(replace(batch, threads=2), compiled(batch))
    assert set(ends.status.tolist()) >= {int(Status.CONVERGED), int(Status.DIVERGED)}
    assert len(set(ends.numbers["steps"].tolist())) > 50


@pytest.mark.parametrize("make", MAKE)
def test_an_interruption(make: str) -> None:
    batch = in_dtype(BATCHES["adam"], torch.float64)
    asked, step = iter([False, False, True]), MAKE[make](batch)
    (*_, last) = advance(batch, lambda: next(asked, True), step, SHORT, recorded=False)
    assert set(last.status.tolist()) == {int(Status.INTERRUPTED)}


@pytest.mark.parametrize(
    ("rates", "stop"),
    [(RATES, Stop(targets=(0.1, 1e-3))), (RATES[:2], Stop())],
    ids=["targets", "few rows"],
)
def test_records_that_are_needed_are_made(rates: np.ndarray, stop: Stop) -> None:
    batch = make_batch(Rosenbrock(), Adam(), rates, steps=300, stop=stop)
    batch = in_dtype(batch, torch.float64)
    (_, most), (_, points) = (
        count_records(batch, compiled(batch), recorded=recorded) for recorded in (True, False)
    )
    assert points == most
