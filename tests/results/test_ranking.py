"""The best runs of a sweep, compared with a slow, independent ranking."""

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gdlab
from gdlab import SettingError
from gdlab.results.best_settings import best
from gdlab.results.quantiles import quartiles
from gdlab.results.ranking import Metric, rank_order, values_of

NAN, INF = math.nan, math.inf
SOLVED, LOST = ("converged", "target"), ("diverged", "failed")


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{"run": run, "seed": 0, **row} for run, row in enumerate(rows)])


def lowest_loss(rows: list[dict[str, Any]]) -> float:
    """The lowest finite loss of rows that are not lost."""
    losses = [row["final_loss"] for row in rows if row["status"] not in LOST]
    return min(filter(math.isfinite, losses), default=INF)


def has_reached(row: dict[str, Any], lowest: float) -> bool:
    """Whether a row met its target or converged to the lowest loss."""
    if not math.isfinite(lowest) or not math.isfinite(row["final_loss"]):
        return row["status"] == "target"
    is_near = row["final_loss"] - lowest < 1e-6 * (1 + abs(lowest))
    return row["status"] == "target" or (row["status"] == "converged" and is_near)


def key(row: dict[str, Any], metric: str, sign: int, lowest: float) -> tuple[int, float, int, int]:
    """The sort key of one row."""
    if has_reached(row, lowest):
        return 0, 0, row["evaluations"], row["run"]
    evaluations = row["evaluations"] if row["status"] == "converged" else 0
    return 1, cost_of(row, metric, sign), evaluations, row["run"]


def cost_of(row: dict[str, Any], metric: str, sign: int) -> float:
    """The metric of a row where the smallest is best, +inf for a lost one."""
    is_lost = row["status"] in LOST or math.isnan(row[metric])
    return INF if is_lost else sign * row[metric]


# status, final_loss, evaluations; from best to worst
RANKED = [
    ("target", 5.0, 3),
    ("converged", -2.9999999, 4),
    ("target", -INF, 8),
    ("max_steps", -3.0, 90),
    ("stalled", 0.0, 2),
    ("interrupted", 0.5, 1),
    ("converged", 9.0000001, 1),
    ("converged", 9.0, 2),
    ("max_steps", 1e300, 90),
    ("diverged", -1e9, 1),
    ("max_steps", NAN, 5),
    ("failed", 0.0, 1),
    ("max_steps", INF, 5),
]


@pytest.mark.parametrize("seed", range(5))
def test_rows_rank_as_the_design_says(seed):
    # What counts as +inf is in the order of the runs: it stays so here.
    places = [*np.random.default_rng(seed).permutation(9).tolist(), 9, 10, 11, 12]
    rows: list[dict[str, Any]] = [
        dict(zip(("status", "final_loss", "evaluations"), RANKED[p], strict=True)) for p in places
    ]
    assert [places[at] for at in rank_order(table(rows))] == list(range(13))


def test_equal_rows_are_in_the_order_of_their_runs():
    frame = table([{"status": "max_steps", "final_loss": 1.0, "evaluations": 3}] * 6)
    assert rank_order(frame).tolist() == list(range(6))
    assert rank_order(frame.iloc[::-1]).tolist() == list(range(5, -1, -1))


def test_a_diverged_or_failed_run_counts_as_infinite():
    rows = [{"status": s, "final_loss": v, "evaluations": 1} for s, v, _ in RANKED]
    values = values_of(table(rows), Metric()).tolist()
    assert values == [
        5.0,
        -2.9999999,
        -INF,
        -3.0,
        0.0,
        0.5,
        9.0000001,
        9.0,
        1e300,
        INF,
        INF,
        INF,
        INF,
    ]
    values = values_of(table(rows), Metric(larger=True)).tolist()
    assert values[-4:] == [-INF, -INF, -INF, INF]


# name, direction, names of what the losses measure, whether larger is better
METRICS = [
    ("final_loss", None, [], False),
    ("accuracy", None, ["accuracy"], True),
    ("accuracy", None, [], False),
    ("accuracy", "min", ["accuracy"], False),
    ("final_loss", "max", [], True),
]


@pytest.mark.parametrize(("name", "direction", "of_loss", "larger"), METRICS)
def test_more_of_a_losss_own_metric_is_better_by_default(name, direction, of_loss, larger):
    assert Metric.of(name, direction, of_loss) == Metric(name, larger)
    with pytest.raises(SettingError, match="direction=up: must be min, max or None"):
        Metric.of(name, "up", of_loss)


# values, quartiles: beside infinity nothing is averaged
QUARTILES = [
    ([3.0], 3.0, 3.0, 3.0),
    ([1.0, 2.0], 1.25, 1.5, 1.75),
    ([4.0, 1.0, 3.0, 2.0], 1.75, 2.5, 3.25),
    ([1.0, 2.0, 3.0, 4.0, 5.0], 2.0, 3.0, 4.0),
    ([1.0, 2.0, INF], 1.5, 2.0, 2.0),
    ([1.0, 2.0, INF, INF], 1.75, 2.0, INF),
    ([-INF, -INF, 1.0, 2.0], -INF, 1.0, 1.25),
    ([1.0, INF, INF, INF], INF, INF, INF),
    ([INF, INF], INF, INF, INF),
    ([-INF, 0.0, INF, 1.0, 2.0], 0.0, 1.0, 2.0),
    ([2.0**1023, 1.5 * 2.0**1023], 1.125 * 2.0**1023, 1.25 * 2.0**1023, 1.375 * 2.0**1023),
]


@pytest.mark.parametrize(("values", "low", "median", "high"), QUARTILES)
def test_quartiles_average_nothing_with_infinity(values, low, median, high):
    assert quartiles(np.array(values)) == (low, median, high)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 11])
def test_quartiles_are_those_of_pandas(count):
    values = 10 ** np.random.default_rng(count).uniform(-9, 3, count)
    low, median, high = quartiles(values)
    assert median == pd.Series(values).median()
    # observed: at most 1.2e-16 apart
    np.testing.assert_allclose([low, high], pd.Series(values).quantile([0.25, 0.75]), rtol=4e-16)


def test_a_quick_way_to_a_worse_minimum_is_not_best():
    """As on Rastrigin's function: all runs converge, most of them to a local minimum."""
    losses = {0.001: [0.99, 9.95, 9.95, 16.91], 0.1: [9.95, 16.91, 16.91, 24.87]}
    rows = [
        {"lr": lr, "seed": seed, "status": "converged", "final_loss": loss + 1e-12 * lr}
        | {"evaluations": 300 if lr == 0.001 else 30}
        for lr, found in losses.items()
        for seed, loss in enumerate(found)
    ]
    (found,) = best(table(rows), [], ["lr", "seed"])
    assert (found.choice, found.metric[1]) == ({"lr": 0.001}, 9.95 + 1e-15)
    assert (found.solved, found.reached) == (4, 1)


def test_nothing_is_compared_across_problems():
    swept = gdlab.sweep("ridge", penalty=[0, 0.01], lr=[0.01, 0.1], batch_size=[8, None], steps=5)
    assert swept.problems == ("loss.penalty",)
    assert [one.combination for one in swept.best(())] == [{"loss.penalty": p} for p in (0, 0.01)]
    assert list(swept.best(())[0].choice) == ["lr", "loss.batch_size"]
    both = swept.best(["lr"])
    assert [[*one.combination] for one in both] == [["loss.penalty", "lr"]] * 4


def slow_median(values: list[float]) -> float:
    """The mean of the two middle values, or the finite one of them."""
    low, high = statistics.median_low(values), statistics.median_high(values)
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    return low if math.isfinite(low) else high


def slow_best(
    rows: list[dict[str, Any]], by: list[str], varied: list[str], metric: str, sign: int
) -> list[dict[str, Any]]:
    """Find the best of each combination, row by row; a dtype stands for a problem."""
    lows = {d: lowest_loss([r for r in rows if r["dtype"] == d]) for d in ("float32", "float64")}
    by = by if "dtype" in by else ["dtype", *by]
    others = [name for name in varied if name not in by and name != "seed"]
    combinations: dict[tuple[Any, ...], dict[tuple[Any, ...], list[dict[str, Any]]]] = {}
    for row in rows:
        choices = combinations.setdefault(tuple(row[name] for name in by), {})
        choices.setdefault(tuple(row[name] for name in others), []).append(row)
    found = []
    for combination, choices in combinations.items():
        standings = []
        for choice, part in choices.items():
            low = lows[part[0]["dtype"]]
            n, lost = len(part), sum(row["status"] in LOST for row in part) / len(part)
            ranked = sorted(part, key=lambda row: key(row, metric, sign, lows[row["dtype"]]))
            costs = {row["run"]: cost_of(row, metric, sign) for row in ranked}
            spent = {
                row["run"]: math.inf if row["status"] in LOST else row["evaluations"]
                for row in ranked
            }
            reaching = [row["run"] for row in ranked if has_reached(row, low)]
            converges = 2 * sum(row["status"] == "converged" for row in part) > n
            if 2 * len(reaching) > n:
                middle = slow_median([*spent.values()])
                rank = (lost, 0, n / len(reaching), middle)
                costs = {run: spent[run] for run in reaching}
            else:
                middle = slow_median([*costs.values()])
                rank = (lost, 1, middle, slow_median([*spent.values()]) if converges else 0)
            named = min((run for run in costs if costs[run] >= middle), key=costs.__getitem__)
            standings.append(((*rank, part[0]["run"]), choice, part, named))
        _, choice, ranked, named = min(standings, key=lambda one: one[0])
        losses = [sign * cost_of(row, metric, sign) for row in ranked]
        found.append(
            {
                "combination": dict(zip(by, combination, strict=True)),
                "choice": dict(zip(others, choice, strict=True)),
                "run": named,
                "median": slow_median(losses),
                "solved": sum(row["status"] in SOLVED for row in ranked),
                "reached": sum(has_reached(row, lows[row["dtype"]]) for row in ranked),
                "lost": sum(row["status"] in LOST for row in ranked),
                "count": len(ranked),
            }
        )
    return found


ROW = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["sgd", "adam"]),
        "dtype": st.sampled_from(["float32", "float64"]),
        "lr": st.sampled_from([0.1, 0.2, 0.4]),
        "noise": st.sampled_from([0.0, 1.0]),
        "seed": st.integers(0, 3),
        "status": st.sampled_from([*SOLVED, *LOST, "max_steps", "interrupted", "stalled"]),
        "final_loss": st.sampled_from([-1.0, 0.0, 1.0, 2.0, INF, NAN]),
        "best_loss": st.floats(-9, 9),
        "evaluations": st.integers(1, 4),
    }
)
VARIED = ["optimizer", "dtype", "lr", "noise", "seed"]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(ROW, min_size=1, max_size=30),
    by=st.lists(st.sampled_from(VARIED), unique=True, max_size=3),
    metric=st.sampled_from(["final_loss", "best_loss"]),
    larger=st.booleans(),
)
def test_the_best_of_each_combination_is_what_a_slow_search_finds(rows, by, metric, larger):
    rows = [{"run": run, **row} for run, row in enumerate(rows)]
    found = best(pd.DataFrame(rows), by, VARIED, Metric(metric, larger), ["dtype"])
    wanted = slow_best(rows, by, VARIED, metric, -1 if larger else 1)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        mine = {**vars(one), "median": one.metric[1]}
        assert {name: mine[name] for name in other} == other


def test_a_setting_that_some_runs_lack_is_a_combination_of_its_own():
    rows = [
        {
            "status": "max_steps",
            "final_loss": v,
            "evaluations": 1,
            "lr": lr,
            "optimizer.momentum": m,
        }
        for v, lr, m in [(3.0, 0.1, None), (2.0, 0.2, None), (1.0, 0.1, 0.9), (4.0, 0.2, 0.9)]
    ]
    found = best(table(rows), ["optimizer.momentum"], ["optimizer.momentum", "lr"])
    assert [one.run for one in found] == [1, 2]
    assert [one.choice for one in found] == [{"lr": 0.2}, {"lr": 0.1}]


def test_a_null_setting_is_none_in_the_best():
    rows = [
        {"status": "max_steps", "final_loss": v, "evaluations": 1, "stop.loss": s, "lr": lr}
        for v, s, lr in [(1.0, None, None), (2.0, None, 0.1), (4.0, 1e-3, None), (3.0, 1e-3, 0.1)]
    ]
    found = best(table(rows), ["stop.loss"], ["stop.loss", "lr"])
    assert [one.combination["stop.loss"] for one in found] == [None, 1e-3]
    assert [one.choice["lr"] for one in found] == [None, 0.1]


# by, metric, and what the error says
UNKNOWN = [
    (["sede"], "final_loss", "summary.by=sede: must be one of lr, seed"),
    (["lr", "x"], "final_loss", "summary.by=x: must be one of lr, seed"),
    (["setting.steps"], "final_loss", "summary.by=steps: must be one of lr, seed"),
    ([], "loss", "summary.metric=loss: must be one of run, seed, lr, final_loss, evaluations"),
    ([], "status", "summary.metric=status: must be one of run, seed, lr"),
    ([], "", "summary.metric=: must be one of"),
]


@pytest.mark.parametrize(("by", "metric", "says"), UNKNOWN)
def test_unknown_settings_and_metrics_that_are_no_numbers_are_refused(by, metric, says):
    rows = [{"lr": 0.1, "status": "max_steps", "final_loss": 1.0, "evaluations": 1}]
    with pytest.raises(SettingError) as refused:
        best(table(rows), by, ["lr", "seed"], Metric(metric))
    assert str(refused.value).startswith(says)


def test_the_most_accurate_run_is_best_and_the_least_where_asked_for(here, gd):
    words = ("-m", "loss=softmax", "lr=0.001,1", "steps=30", "record.figures=false")
    words = (*words, "summary.metric=accuracy")
    lines = gd(*words, "hydra.sweep.dir=s").out.splitlines()
    assert "accuracy: median" in lines[1]
    assert lines[2].split()[0] == "1"
    lines = gd(*words, "summary.direction=min").out.splitlines()
    assert lines[2].split()[0] == "0.001"
    for swept in (gdlab.load("s"), gdlab.sweep(loss="softmax", lr=[0.001, 1], steps=30)):
        assert swept.best(metric="accuracy")[0].choice == {"lr": 1}
        assert swept.best(metric="accuracy", direction="min")[0].choice == {"lr": 0.001}
    assert gdlab.load("s").best() == gdlab.load("s").best((), "accuracy")
    done = gd(*words, "summary.direction=up")
    assert (done.code, done.err) == (2, "error: summary.direction=up: must be one of min, max\n")


def test_the_repr_of_a_best_is_a_line() -> None:
    swept = gdlab.sweep("sphere", ["sgd", "adam"], lr=[0.1, 9.0], seed=[0, 1], steps=3)
    line = "Best(optimizer='sgd', lr=0.1: run 0, final_loss 2.621, 0 of 2 solved)"
    assert repr(swept.best()[0]) == line
    assert [one.combination for one in swept.best()] == [{"optimizer": o} for o in ("sgd", "adam")]
    assert "run 0, distance 1.619, " in repr(swept.best((), "distance")[0])


def runs_of(losses: dict[float, list[float]]) -> pd.DataFrame:
    """A run for each final loss of each learning rate; an infinite one diverged."""
    return table(
        [
            {"lr": lr, "seed": seed, "final_loss": loss, "evaluations": 9}
            | {"status": "diverged" if loss == INF else "max_steps"}
            for lr, values in losses.items()
            for seed, loss in enumerate(values)
        ]
    )


# final losses by lr; the best lr, the printed median, the run that is named
CHOSEN = [
    ({0.1: [1.0, 9.0], 0.2: [2.0, 4.0]}, 0.2, 3.0, 3),
    ({0.1: [9.0, 3.0, 1.0, 4.0], 0.2: [3.4, 3.4, 3.4, 8.0]}, 0.2, 3.4, 4),
    ({0.1: [1.0, 2.0, 7.0], 0.2: [3.0, 3.0, 3.0]}, 0.1, 2.0, 1),
    ({0.1: [1.0, 1.0, 1.0, INF, INF], 0.2: [5.0, 5.0, 6.0, 5.0, INF]}, 0.2, 5.0, 5),
    ({0.1: [1.0, INF], 0.2: [2.0, INF]}, 0.1, 1.0, 0),
    ({0.1: [1.0, INF, INF], 0.2: [INF, INF, INF]}, 0.1, INF, 1),
]


@pytest.mark.parametrize(("losses", "lr", "median", "run"), CHOSEN)
def test_what_is_printed_is_what_was_compared(losses, lr, median, run):
    (found,) = best(runs_of(losses), [], ["lr", "seed"])
    assert (found.choice, found.metric[1], found.run) == ({"lr": lr}, median, run)
    if all(map(math.isfinite, losses[lr])):
        assert found.metric[1] == pd.Series(losses[lr]).median()


def test_a_lost_run_counts_as_infinite_evaluations():
    frame = runs_of({0.1: [0.0, 1e9, 1e9]})
    frame["status"] = ["converged", "diverged", "failed"]
    (found,) = best(frame, [], ["seed"])
    assert found.evaluations == (9, math.inf, math.inf)


# statuses as letters and evaluations by lr; the best lr, its median evaluations, the named run
RELIABLE = [
    ({0.1: "ccc", 0.2: "ccc"}, [40, 60, 50, 45, 70, 30], 0.2, 45, 3),
    # Gradient descent on Himmelblau's function: 6 of 8 runs in 37 steps, or all of them in 46.
    ({0.1: "ccm", 0.2: "ccc"}, [40, 60, 99, 50, 70, 45], 0.2, 50, 3),
    ({0.1: "ctm", 0.2: "ttc"}, [40, 60, 99, 50, 70, 45], 0.2, 50, 3),
    ({0.1: "ccm", 0.2: "ccd"}, [40, 60, 99, 1, 1, 1], 0.1, 60, 1),  # a lost run is worse
    ({0.1: "cmm", 0.2: "mmm"}, [40, 99, 99, 99, 99, 99], 0.2, 99, 3),  # only half: by the loss
]


@pytest.mark.parametrize(("ends", "evaluations", "lr", "median", "run"), RELIABLE)
def test_of_settings_that_reach_the_lowest_loss_the_most_reliable_then_the_fastest_is_best(
    ends, evaluations, lr, median, run
):
    names = {"c": "converged", "t": "target", "m": "max_steps", "d": "diverged"}
    of_lr = {at: [0.0 if end in "ct" else 8 - 10 * at for end in of] for at, of in ends.items()}
    frame = runs_of(of_lr)
    frame["status"] = [names[end] for of in ends.values() for end in of]
    frame["evaluations"] = evaluations
    (found,) = best(frame, [], ["lr", "seed"])
    assert (found.choice, found.evaluations[1], found.run) == ({"lr": lr}, median, run)
