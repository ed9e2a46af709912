"""Steps on a GPU against those on the processor, and what a chunk costs there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.batches import finish, make_batch
from helpers.programs import SEARCHES, batch_of_names, names_of
from torch.profiler import ProfilerActivity, profile

import gdlab
from gdlab.engine.batch import Batch
from gdlab.engine.loop import advance, compile_steps
from gdlab.engine.outcome import Outcomes
from gdlab.engine.rows import Rows

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
STEPS = 20
NEAR = 1e-12


def runs_of(loss: str, optimizer: str, device: str) -> Batch:
    """Nine runs of a loss and an optimizer with small learning rates."""
    named = batch_of_names(loss, optimizer, device=device)
    batch = make_batch(named.loss, named.optimizer, np.geomspace(1e-5, 1e-3, 9), steps=STEPS)
    on_device = {name: getattr(batch, name).to(device) for name in ("lr", "seed", "start", "noise")}
    return replace(batch, mode="compiled", **on_device)


@pytest.mark.parametrize("loss", names_of("loss"))
def test_steps_are_those_of_the_processor(loss: str) -> None:
    for optimizer in sorted({*names_of("optimizer")} - SEARCHES - {"muon"}):
        ours, theirs = (finish(runs_of(loss, optimizer, device)) for device in ("cuda", "cpu"))
        for one, other in zip(ours, theirs, strict=True):
            scale = 1 + np.abs(other.history.x).max()
            difference = np.abs(one.history.x - other.history.x).max()
            assert difference <= NEAR * scale, (optimizer, one.outcome.mode_reason)


@pytest.mark.parametrize("optimizer", sorted(SEARCHES))
def test_searches_find_what_they_find_on_the_processor(optimizer: str) -> None:
    ours, theirs = (
        gdlab.run("rosenbrock", optimizer, steps=5, device=device) for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(ours.history.x, theirs.history.x, rtol=1e-8, atol=1e-8)


def test_runs_without_records_end_as_with_them() -> None:
    batch = replace(runs_of("rosenbrock", "adam", "cuda"), steps=1000)
    ends = [Outcomes(batch), Outcomes(batch)]
    for end, recorded in zip(ends, (True, False), strict=True):
        for chunk in advance(batch, recorded=recorded):
            end.add(chunk)
    for name, column in ends[0].numbers.items():
        np.testing.assert_array_equal(column, ends[1].numbers[name], name)


def test_nothing_waits_inside_a_chunk() -> None:
    batch, step = compile_steps(runs_of("rosenbrock", "adam", "cuda"))
    rows = Rows.of(batch)
    step(rows, 2, lambda: False)  # loads what the first launch needs
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        step(rows, 15, lambda: False)
    names = [event.name for event in seen.events() or ()]
    assert not [name for name in names if "Synchronize" in name or "item" in name]
