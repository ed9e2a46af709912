"""What is advised after a run, compared with what a run gives that follows it."""

import re
from typing import Any, ClassVar

import pytest
import torch

import gdlab
from gdlab import theory
from gdlab.config.loading import settings_from_flat
from gdlab.display.summary import explanation
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.losses import Quadratic
from gdlab.runs.batching import batch_of

TRIED = re.compile(r"try (\w+)=(\S+): the loss is (\S+) after (\d+) step")


def formula(text: str, start: Any, **settings: Any) -> dict[str, Any]:
    return {"loss": "expression", "formula": text, "start": start, **settings}


KINK = formula("abs(x) + y**2", [1.0, 1.0], lr=0.3, steps=100)
EDGE = formula("x - ln(x)", [3.0], lr=5.0)

# settings of a run, and the settings that are advised after it
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "above the limit": ({"loss": "rosenbrock", "lr": 0.1, "steps": 100}, ["lr=0.001"]),
    # the loss is steeper away from its start, so that lr=0.2 diverges and lr=0.1 cycles
    "steeper elsewhere": ({"loss": "qing", "lr": 0.3, "steps": 100}, ["lr=0.02"]),
    # below the limit at the start, 0.25, which says nothing of the rest
    "below the limit": ({"loss": "qing", "lr": 0.2, "steps": 100}, ["lr=0.05"]),
    "no lr is stable": ({"loss": "saddle", "lr": 5.0}, []),
    "no limit is known": ({"loss": "rosenbrock", "optimizer": "adam", "lr": 1e300}, ["lr=0.1"]),
    "falling, but too fast": (
        {"loss": "rosenbrock", "optimizer": "adam", "lr": 10.0, "steps": 300},
        ["lr=1"],
    ),
    "falling, but too slowly": ({"optimizer": "adam", "lr": 1e-5, "steps": 300}, ["lr=0.1"]),
    "at the limit": ({"loss": "sphere", "lr": 1.0, "steps": 50}, ["lr=0.5"]),
    # lr=0.003 is lower after 1000 steps, but above the limit there
    "calm at its end": ({"loss": "rosenbrock", "lr": 1e-3}, ["lr=0.002"]),
    "with a schedule": ({"loss": "trid", "schedule": "cosine", "lr": 50.0}, ["lr=0.5"]),
    "a kink": (KINK, ["schedule=cosine", "lr=0.1"]),
    "a kink, and what is set already": ({**KINK, "schedule": "cosine"}, ["lr=0.07"]),
    "noise": ({"noise": 0.1, "lr": 0.1, "steps": 300}, ["schedule=cosine", "lr=0.02"]),
    # The best ends beside 0, where the loss underflows; it is no loss that falls to 0 far away.
    "underflow": (formula("1e20*x**2", [1.0], dtype="float32", lr=0.1), ["lr=4e-21"]),
    # Polyak's momentum for the condition number 1e10, ((1e5 − 1)/(1e5 + 1))², is no 1.
    "a momentum near 1": (formula("1e10*(x - 1)**2 + y**2", [0.0, 1.0], lr=1e-11), []),
    "over an edge that rises": (EDGE, ["lr=1"]),
    "over an edge that falls": (formula("ln(x) + y", [1.0, 1.0]), []),
    "uphill": (
        formula("-(x**2) - 10*y**2", [1.0, 1.0], lr=0.5, maximize=True, steps=50),
        ["lr=0.05"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_who_follows_the_advice_gets_what_it_promises(name: str) -> None:
    flat, advised = CASES[name]
    run = gdlab.run(**flat)
    said = explanation(run.settings, batch_of(run.settings), run.outcome) or ""
    tried = TRIED.findall(said)
    assert [f"{key}={value}" for key, value, _, _ in tried] == advised, said
    for key, value, loss, steps in tried:
        change = {key: float(value) if key == "lr" else value}
        end = gdlab.run(**{**flat, **change}).outcome
        assert (f"{end.final_loss:.4g}", end.steps) == (loss, int(steps))
        if run.outcome.status == Status.MAX_STEPS and not flat.get("maximize"):
            assert end.final_loss < run.outcome.final_loss


WINE = {"loss": "softmax", "data": "wine", "standardize": True, "lr": 2.0, "steps": 30}

# settings of a run, and what is said where the loss falls towards 0 without a minimum
ESCAPES: list[tuple[dict[str, Any], str | None]] = [
    (WINE, "loss.penalty=0.01 gives it one"),
    ({**WINE, "penalty": 0.01}, None),
    (formula("exp(-x)", [1.0], steps=50), "has no minimum there"),
]


@pytest.mark.parametrize(("flat", "said"), ESCAPES)
def test_no_rate_is_advised_where_the_minimum_is_at_infinity(
    flat: dict[str, Any], said: str | None
) -> None:
    found = gdlab.run(**flat).explain() or ""
    assert ("the loss falls towards 0 as" in found) == (said is not None), found
    assert (said or "") in found
    assert said is None or "try lr" not in found


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
    settings = settings_from_flat({}).replace(loss=Steep(), lr=1e9, steps=10**6)
    batch = batch_of(settings)
    outcomes = Outcomes(batch)
    Steep.calls.clear()
    assert theory.best_rate(batch, outcomes[0], theory.rates_below(1e9, 1e9, 0.1)) is None
    assert 0 < len(Steep.calls) <= 1100  # 1000 steps at most, all trials together


SLOW = {"loss": "quadratic", "condition": 10000, "lr": 1e-4}

# settings of a run, and the momentum that is advised after it, with its learning rate
WITH_MOMENTUM: list[tuple[dict[str, Any], float, float]] = [
    # Polyak's: κ = 10,000, lr = 4/(100 + 1)² and momentum = (99/101)²
    (SLOW, 0.961, 0.000392),
    ({"loss": "rosenbrock", "lr": 0.001, "steps": 3000}, 0.9, 0.001),
]


@pytest.mark.parametrize(("flat", "momentum", "lr"), WITH_MOMENTUM)
def test_momentum_does_what_is_promised(flat: dict[str, Any], momentum: float, lr: float) -> None:
    run = gdlab.run(**flat)
    end = gdlab.run(**{**flat, "lr": lr, "momentum": momentum, "steps": 1000}).outcome
    rate = f" lr={lr:g}" if lr != flat["lr"] else ""
    promise = f"try optimizer.momentum={momentum:g}{rate}: the loss is {end.final_loss:.4g} after"
    assert promise in (run.explain() or "")
    assert end.final_loss < 1e-2 * run.outcome.final_loss


def test_the_slowest_direction_is_named() -> None:
    said = gdlab.run(**SLOW).explain() or ""
    # ln 10 / 1e-4 = 23,026
    assert "the condition number λ_max/λ_min is 10,000 there" in said
    assert "at lr=0.0001 the slowest direction needs about 23,000 steps" in said


@pytest.mark.parametrize("other", [{"optimizer": "adam"}, {"optimizer": "momentum"}])
def test_momentum_is_advised_only_where_there_is_none(other: dict[str, Any]) -> None:
    assert "optimizer.momentum" not in (gdlab.run(**{**SLOW, **other, "steps": 60}).explain() or "")
