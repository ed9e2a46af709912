"""The learning rate advised after a run that diverged."""

import re
from typing import Any, ClassVar

import pytest
import torch

import gdlab
from gdlab import theory
from gdlab.config.loading import settings_from_flat
from gdlab.display.summary import explanation
from gdlab.engine.loop import advance
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.losses import Quadratic
from gdlab.runs.batching import batch_of

TRIED = re.compile(r"try lr=(\S+): the loss is (\S+) after (\d+) steps")

# settings of a run that diverges, and what is said of it
CASES: list[tuple[dict[str, Any], str | None]] = [
    (
        {"loss": "rosenbrock", "lr": 0.1},
        "unstable: lr=0.1 is above 2/λ_max = 0.00133 at the start; "
        "try lr=0.001: the loss is 3.101 after 300 steps",
    ),
    # the loss is steeper away from its start, so that lr=0.2 diverges and lr=0.1 cycles
    (
        {"loss": "qing", "lr": 0.3},
        "unstable: lr=0.3 is above 2/λ_max = 0.25 at the start; "
        "try lr=0.05: the loss is 9.133e-19 after 40 steps",
    ),
    # below the limit at the start, 0.25, which says nothing of the rest
    (
        {"loss": "qing", "lr": 0.2},
        "growing: the loss rose from 14 to 1.038e+128; lr=0.2 is too large; "
        "try lr=0.05: the loss is 9.133e-19 after 40 steps",
    ),
    # at the limit 0.1 itself the run would go back and forth
    (
        {"loss": "sum_squares", "lr": 5.0, "steps": 150},
        "unstable: lr=5 is above 2/λ_max = 0.1 at the start; "
        "try lr=0.09: the loss is 1.382e-17 after 98 steps",
    ),
    # no lr is stable
    (
        {"loss": "saddle", "lr": 5.0},
        "unbounded below: the loss falls without end along {x0: 0, x1: 1}, where the Hessian has "
        "the eigenvalue -2; no learning rate finds a minimum",
    ),
    ({"loss": "rosenbrock", "optimizer": "adam", "lr": 1e300}, None),
    # nothing is tried with a schedule, under which lr is not constant
    (
        {"loss": "trid", "schedule": "cosine", "lr": 1e300},
        "unstable: lr=1e+300 is above 2/λ_max = 0.526 at the start",
    ),
]


def explain(flat: dict[str, Any]) -> str | None:
    """Return what is said of a run that diverges."""
    run = settings_from_flat(flat)
    batch = batch_of(run)
    outcomes = Outcomes(batch)
    for chunk in advance(batch):
        outcomes.add(chunk)
    theory.diagnose(batch, outcomes)
    assert outcomes[0].status == Status.DIVERGED
    return explanation(run, batch, outcomes[0])


@pytest.mark.parametrize(("flat", "said"), CASES)
def test_the_advice_was_tried(flat: dict[str, Any], said: str | None) -> None:
    found = explain(flat)
    assert found == said
    if tried := TRIED.search(found or ""):
        lr, loss, steps = map(float, tried.groups())
        run = gdlab.run(loss=flat["loss"], lr=lr, steps=int(steps))
        assert run.outcome.final_loss == pytest.approx(loss, rel=1e-3)  # four digits are said


RAW: list[tuple[dict[str, Any], str | None]] = [
    # networks saturate on raw columns; the numbers are those of the same run on standardized ones
    (
        {"loss": "mlp", "loss.data": "diabetes", "lr": 0.1},
        "with loss.standardize=true the loss is",
    ),
    ({"loss": "mlp", "loss.data": "wine", "lr": 0.5}, "with loss.standardize=true the loss is"),
    ({"loss": "mlp", "loss.data": "wine", "loss.standardize": True, "lr": 0.5}, None),
    ({"loss": "mlp", "loss.data": "two_moons", "lr": 0.5}, None),
]


@pytest.mark.parametrize(("flat", "said"), RAW)
def test_standardized_columns_were_tried(flat: dict[str, Any], said: str | None) -> None:
    flat = {**flat, "steps": 100}
    run = settings_from_flat(flat)
    batch = batch_of(run)
    found = explanation(run, batch, gdlab.run(**flat).outcome) or ""
    assert ("with loss.standardize" in found) == (said is not None)
    if said is not None:
        other = gdlab.run(**flat, standardize=True)
        assert f"the loss is {other.outcome.final_loss:.4g} after 100 steps" in found


def test_nothing_is_tried_at_a_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    flat: dict[str, Any] = {"loss": "mse", "loss.data": "diabetes", "optimizer": "newton"}
    monkeypatch.setattr(theory, "with_standardized", pytest.fail)
    outcome = gdlab.run(**flat).outcome
    run = settings_from_flat(flat)
    assert outcome.diagnosis == theory.Diagnosis.MINIMUM
    assert explanation(run, batch_of(run), outcome) == outcome.explanation


class Steep(Quadratic):
    """A bowl so steep that every trial diverges, which counts its evaluations."""

    calls: ClassVar[list[int]] = []

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(x))
        return super().__call__(x) * torch.exp(x.square().sum(-1)).clamp(max=1e30)


def test_the_cost_of_the_trials_is_counted_in_evaluations() -> None:
    run = settings_from_flat({}).replace(loss=Steep(), lr=1e9, steps=10**6)
    Steep.calls.clear()
    assert theory.first_stable(batch_of(run), 1e9) is None
    assert 20 < len(Steep.calls) <= 1100  # 1000 evaluations, and the last losses of 20 trials
