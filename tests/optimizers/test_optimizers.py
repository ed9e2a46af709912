"""Every optimizer of conf: a row is its single run, compiled is eager, and it is documented."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.batches import Finished, assert_same_bits, finish, make_batch, rows_of, why_eager
from helpers.gradients import relative
from losses.cases import Waves
from optimizer_page import describe_fields

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.status import Status
from gdlab.fields.declared import Configured, Number, declared_fields
from gdlab.losses import Loss, Quadratic
from gdlab.optimizers import HeavyBall, WeightDecay
from optimizers.cases import OPTIMIZERS as CASES
from optimizers.cases import OneMatrix
from optimizers.choices import PICKED, ROWS, names_of, optimizer_of

OPTIMIZERS = names_of({type(case.optimizer) for case in CASES})

FIXED = ("d", "dampening")
"""Numbers at the end of their range, or that must be 0 with other options."""


def columns_of(optimizer: Configured) -> dict[str, Any]:
    """Return columns for an optimizer's `Number` fields, near their values."""
    changes: dict[str, Any] = {}
    spread = torch.linspace(0.9, 1, ROWS, dtype=torch.float64)
    for name, field in declared_fields(type(optimizer)).items():
        value = getattr(optimizer, name)
        if isinstance(value, Configured):
            changes[name] = value.replace(**columns_of(value))
        elif field.numeric and isinstance(value, tuple):
            changes[name] = tuple(number * spread for number in value)
        elif field.numeric and value is not None and name not in FIXED:
            changes[name] = value * spread + (0.01 * (1 - spread) if value == 0 else 0)
    return changes


def batch_of(name: str, loss: Loss | None = None, steps: int = 60) -> Batch:
    """Return runs that differ in learning rates and in every number of the optimizer."""
    optimizer = optimizer_of(name)
    optimizer = optimizer.replace(**columns_of(optimizer))
    lr = np.geomspace(1e-4, 0.3, ROWS)
    matrix = OneMatrix() if name == "muon" else None
    batch = make_batch(loss or matrix or Waves(), optimizer, lr, steps=steps)
    return replace(batch, stop=Stop(grad_tol=1e-6, max_loss=1e30))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_row_is_its_single_run(name: str) -> None:
    assert_rows_are_single_runs(batch_of(name))


@pytest.mark.parametrize("name", ["adafactor", "muon"])
def test_a_row_with_a_matrix_is_its_single_run(name: str) -> None:
    assert_rows_are_single_runs(batch_of(name, OneMatrix()))


def assert_rows_are_single_runs(batch: Batch) -> list[Finished]:
    together = finish(batch)
    for row in PICKED:
        (alone,) = finish(rows_of(batch, [row]))
        assert alone.outcome.status != Status.FAILED, alone.outcome.reason
        assert_same_bits(together[row], alone)
    assert len({run.outcome.final_loss for run in together}) > ROWS / 2
    return together


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_compiled_row_is_its_single_run(name: str) -> None:
    batch = replace(batch_of(name), mode="compiled")
    assert why_eager(batch) is None
    assert_rows_are_single_runs(batch)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_compiled_steps_are_eager_steps(name: str) -> None:
    eager, compiled = (replace(batch_of(name, steps=6), mode=m) for m in ("eager", "compiled"))
    for one, other in zip(finish(eager), finish(compiled), strict=True):
        assert one.history.x.shape == other.history.x.shape
        # Observed 3e-15 (nesterov, whose large rates diverge: 4e-13 after 10 steps).
        assert relative(other.history.x, one.history.x) <= 1e-12


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_is_documented(name: str) -> None:
    """The equation, each field with its meaning, and a paper or an equal implementation."""
    optimizer = optimizer_of(name)
    text = type(optimizer).__doc__ or ""
    assert any(sign in text for sign in ("←", "x₊ =")), "no equation"
    assert any(f"{year}" in text for year in range(1964, 2026)) or "Equal to" in text
    assert set(declared_fields(type(optimizer))) <= set(describe_fields(type(optimizer)))


def test_heavy_ball_is_stable_only_below_its_limit() -> None:
    loss = Quadratic(condition=20)
    for beta in (0.0, 0.5, 0.9):
        limit = as_float(HeavyBall(momentum=beta).max_stable_lr(20.0))
        batch = make_batch(loss, HeavyBall(momentum=beta), [0.99 * limit, 1.01 * limit], steps=4000)
        below, above = finish(batch)
        assert below.outcome.final_loss < 1e-6 * below.history.loss[0]
        assert above.outcome.final_loss > 1e6 * above.history.loss[0]


def test_no_rate_is_faster_than_the_optimal_one_of_heavy_ball() -> None:
    for beta in (0.1, 0.4, (19**0.5 / 21**0.5) ** 2):
        best = as_float(HeavyBall(momentum=beta).optimal_lr(1.0, 20.0))
        rates = np.array([0.9, 1.0, 1.1]) * best
        radius = [max(spectral_radius(beta, lr * h) for h in (1.0, 20.0)) for lr in rates]
        assert radius[1] <= min(radius) + 1e-12


def as_float(known: Number | None) -> float:
    assert isinstance(known, float)
    return known


def spectral_radius(beta: float, h: float) -> float:
    """Return that of x₊ = (1 + β − h) x − β x₋."""
    return float(abs(np.linalg.eigvals([[1 + beta - h, -beta], [1, 0]])).max())


def test_coupled_decay_adds_to_the_curvature() -> None:
    optimizer = WeightDecay(inner=HeavyBall(momentum=0.5), weight_decay=5.0, decoupled=False)
    assert optimizer.max_stable_lr(20.0) == 2 * 1.5 / 25
    assert optimizer.optimal_lr(1.0, 20.0) == 2 * 1.5 / 31
    assert optimizer.replace(decoupled=True).max_stable_lr(20.0) is None
