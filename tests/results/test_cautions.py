"""Sentences about what makes the best of a sweep doubtful."""

from typing import Any

import pandas as pd
import pytest

import gdlab
from gdlab.results.best_settings import best
from gdlab.results.cautions import cautions


def said(rows: list[dict[str, Any]], varied: list[str], by: list[str] | None = None) -> list[str]:
    ends = {"status": "max_steps", "steps": 9, "evaluations": 10}
    frame = pd.DataFrame([{"run": run, **ends, **row} for run, row in enumerate(rows)])
    return list(cautions(frame, best(frame, by or [], varied), varied))


def losses(values: list[float], **same: Any) -> list[dict[str, Any]]:
    """A run for each learning rate 1, 2, 3, …"""
    return [{"lr": i + 1.0, "final_loss": value, **same} for i, value in enumerate(values)]


EDGES = [
    ([3.0, 2.0, 1.0], ["lr=3 is the largest that was tried, a better one may lie beyond"]),
    ([1.0, 2.0, 3.0], ["lr=1 is the smallest that was tried, a better one may lie beyond"]),
    ([3.0, 1.0, 2.0], []),
    ([2.0, 1.0], []),  # of two values, each is at an edge
]


@pytest.mark.parametrize(("values", "wanted"), EDGES)
def test_a_best_at_the_edge_of_its_axis_is_told(values: list[float], wanted: list[str]) -> None:
    assert said(losses(values), ["lr"]) == wanted


def test_the_edge_is_that_of_each_combination() -> None:
    rows = [*losses([3, 1, 2], optimizer="sgd"), *losses([1, 2, 3], optimizer="adam")]
    assert said(rows, ["optimizer", "lr"], ["optimizer"]) == [
        "lr=1 of optimizer=adam is the smallest that was tried, a better one may lie beyond"
    ]
    assert said([{"dtype": name, "final_loss": ord(name)} for name in "abc"], ["dtype"]) == []


def test_a_seed_without_effect_is_told() -> None:
    """The README's 10,000 runs of Adam from one start were 500 copies of 20 runs."""
    swept = gdlab.sweep(lr=[0.01, 0.1, 0.2], seed=range(4), steps=5)
    found = list(cautions(swept.results, swept.best(), ("lr", "seed")))
    wanted = "seed: changes nothing, each of its 4 values gave the same runs; "
    assert [text for text in found if text.startswith("seed")] == [
        wanted + "start=random, noise or minibatches make it matter"
    ]
    matters: list[dict[str, Any]] = [{"start": "random"}, {"noise": 0.1}]
    for settings in matters:
        other = gdlab.sweep(lr=[0.01, 0.1, 0.2], seed=range(4), steps=5, **settings)
        assert not any(
            "seed" in text for text in cautions(other.results, other.best(), ("lr", "seed"))
        )
    alone = gdlab.sweep(seed=range(4), steps=5)
    assert list(cautions(alone.results, alone.best(), ("seed",))) != []


def test_a_setting_that_loses_a_run_ranks_behind_one_that_loses_none() -> None:
    """Momentum's best lr in the race on Rosenbrock's valley lost 9 of 20 starts."""
    rows = [
        {"lr": 1.0, "seed": 0, "status": "converged", "final_loss": 0.0, "evaluations": 5},
        {"lr": 1.0, "seed": 1, "status": "converged", "final_loss": 0.0, "evaluations": 5},
        {"lr": 1.0, "seed": 2, "status": "diverged", "final_loss": 1e9, "evaluations": 3},
        *({"lr": 0.5, "seed": s, "status": "max_steps", "final_loss": 2.0} for s in range(3)),
    ]
    frame = pd.DataFrame(
        [{"run": run, "steps": 9, "evaluations": 9, **r} for run, r in enumerate(rows)]
    )
    (found,) = best(frame, [], ["lr", "seed"])
    assert (found.choice, found.lost) == ({"lr": 0.5}, 0)


def test_no_start_is_named_best_and_runs_that_tie_are_told() -> None:
    ends = [("converged", 0.0), ("converged", 0.0), ("converged", 3.0), ("max_steps", 9.0)]
    rows: list[dict[str, Any]] = [
        {"start.0": float(n), "status": status, "final_loss": loss, "optimizer": "sgd"}
        for n, (status, loss) in enumerate(ends)
    ]
    frame = pd.DataFrame([{"run": n, "evaluations": 10, **row} for n, row in enumerate(rows)])
    (found,) = best(frame, [], ["start.0"])
    assert (found.choice, found.count, found.reached) == ({}, 4, 2)
    says = "no start is named best: 2 of 4 runs reached the lowest loss or their target"
    assert said(rows, ["start.0"]) == [says]
    assert said(rows, ["optimizer", "start.0"], ["optimizer"]) == [f"sgd: {says}"]
    assert said(rows, ["start.0"], ["start.0"]) == []
    tied = said(losses([1.0, 1.0, 1.0]), ["lr"])
    assert tied[-1] == "all 3 runs tie, so that none is better than another"


def seeds(lr: float, values: list[float], **same: Any) -> list[dict[str, Any]]:
    """A run for each seed, lost where the value is infinite."""
    lost = ["diverged" if value == float("inf") else "max_steps" for value in values]
    pairs = enumerate(zip(values, lost, strict=True))
    return [{"lr": lr, "seed": n, "final_loss": v, "status": s, **same} for n, (v, s) in pairs]


LOST = float("inf")
RISKIER = [
    ([1e-9, 1e-9, LOST], "lr=2 has a median of 1e-09 instead of 3, but loses 1 of 3 runs"),
    ([0.2, 0.4, LOST], None),  # 0.4 is not far below 3
    ([0.2, 0.2, LOST], "lr=2 has a median of 0.2 instead of 3, but loses 1 of 3 runs"),
    ([1e-9, LOST, LOST], None),
    ([-5.0, -5.0, LOST], "lr=2 has a median of -5 instead of 3, but loses 1 of 3 runs"),
]


@pytest.mark.parametrize(("values", "says"), RISKIER)
def test_a_far_better_setting_that_loses_more_runs_is_told(
    values: list[float], says: str | None
) -> None:
    rows = [*seeds(1.0, [3.0] * 3, optimizer="sgd"), *seeds(2.0, values, optimizer="sgd")]
    rows += seeds(1.0, [1.0] * 3, optimizer="adam")
    wanted = [] if says is None else [f"sgd: {says}"]
    assert said(rows, ["optimizer", "lr", "seed"], ["optimizer"]) == wanted
