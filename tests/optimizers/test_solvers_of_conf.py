"""Optimizers with line searches and curvature, as configured in conf: a row is its single run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.batches import assert_same_bits, finish, make_batch, rows_of, why_eager
from losses.cases import Waves
from optimizer_page import describe_fields

from gdlab.config.loading import resolve_choice
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.status import Status
from gdlab.fields.declared import declared_fields
from gdlab.losses import ExtendedRosenbrock, HelicalValley, Loss, Quadratic, Rosenbrock, Softmax
from optimizers.choices import PICKED, ROWS, names_of, optimizer_of
from optimizers.solver_cases import SOLVERS

KINDS = {type(case.optimizer) for case in SOLVERS}
NAMES = names_of(KINDS)
LOSSES: dict[str, Loss] = {
    "gauss_newton": ExtendedRosenbrock(),
    "levenberg_marquardt": HelicalValley(),
    "natural_gradient": Softmax(penalty=0.01),
    "polyak": Rosenbrock(),
    "exact": Quadratic(condition=20),
}
UNCOMPILED = {"natural_gradient": "a step of one run takes more than 4000 operations"}
DESCENDING = ("armijo", "wolfe", "cg", "bfgs", "lbfgs", "modified_newton", "levenberg_marquardt")


def batch_of(name: str) -> Batch:
    """Return runs that differ in starts, in learning rates and in every number of the optimizer."""
    optimizer, spread = optimizer_of(name), torch.linspace(0.5, 1, ROWS, dtype=torch.float64)
    changes = {
        field: spread * getattr(optimizer, field)
        for field, kind in declared_fields(type(optimizer)).items()
        if kind.numeric and getattr(optimizer, field) is not None
    }
    loss = LOSSES.get(name, Waves())
    start = loss.tensor(loss.start) + 0.3 * torch.linspace(-1, 1, ROWS)[:, None]
    lr = np.geomspace(1e-3, 1, ROWS)
    batch = make_batch(loss, optimizer.replace(**changes), lr, start=start, steps=25)
    return replace(batch, stop=Stop(grad_tol=1e-6, max_loss=1e30))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"natural_gradient"}))
def test_a_row_is_its_single_run(name: str) -> None:
    """Bit for bit, without the natural gradient, whose losses are not elementwise."""
    batch = batch_of(name)
    together = finish(batch)
    for row in PICKED:
        (alone,) = finish(rows_of(batch, [row]))
        assert alone.outcome.status != Status.FAILED, alone.outcome.reason
        assert_same_bits(together[row], alone)
    assert len({run.history.loss.tobytes() for run in together}) > ROWS / 2


@pytest.mark.parametrize("name", NAMES)
def test_in_float32_too(name: str) -> None:
    batch, single = batch_of(name), torch.float32
    loss = batch.loss.to(single, torch.device("cpu"))
    numbers = {key: getattr(batch, key).to(single) for key in ("lr", "start", "noise")}
    optimizer = resolve_choice("optimizer", name)
    for run in finish(
        replace(batch, loss=loss, optimizer=optimizer, stop=Stop(grad_tol=1e-2), **numbers)
    ):
        assert run.outcome.status != Status.FAILED, run.outcome.reason
        if name in DESCENDING and run.outcome.steps:
            assert run.outcome.final_loss < run.history.loss[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_batch_is_the_eager_one(name: str) -> None:
    batch = replace(batch_of(name), mode="compiled")
    why = why_eager(batch)
    assert why == UNCOMPILED.get(name)
    if why is not None:
        return
    together = finish(batch)
    for row in PICKED:
        assert_same_bits(together[row], finish(rows_of(batch, [row]))[0])
    for one, other in zip(together, finish(replace(batch, mode="eager")), strict=True):
        # Observed 6e-11 in 3 steps: bb1 divides by sᵀy, which is small.
        np.testing.assert_allclose(one.history.x[:4], other.history.x[:4], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_is_documented(name: str) -> None:
    """The equation, each field with its meaning, what lr is, and a paper."""
    optimizer = optimizer_of(name)
    text = type(optimizer).__doc__ or ""
    assert "←" in text
    assert " lr" in text
    assert any(f"{year}" in text for year in range(1847, 2026))
    assert set(declared_fields(type(optimizer))) <= set(describe_fields(type(optimizer)))
