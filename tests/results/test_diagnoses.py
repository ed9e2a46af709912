"""The diagnoses of a sweep, counted, and which learning rates lost runs."""

import numpy as np
import pandas as pd
import pytest

from gdlab.results.diagnoses import count_diagnoses, describe_rates

TABLE = pd.DataFrame(
    {
        "optimizer": ["sgd"] * 4 + ["adam"] * 3 + ["heavy_ball"] * 2 + ["lion"],
        "lr": [0.001, 0.01, 0.01, 0.1, 0.001, 0.01, 0.1, 1.0, 2.0, 0.1],
        "status": ["max_steps", "max_steps", "diverged", "diverged"]
        + ["max_steps"] * 2
        + ["failed"]
        + ["diverged"] * 2
        + ["converged"],
        "diagnosis": ["descending", "unstable", "unstable", None]
        + ["descending"] * 2
        + [None]
        + ["unstable"] * 2
        + ["minimum"],
        "final_loss": 1.0,
        "lr_limit": [0.005, 0.0025, 0.001, None] + [None] * 3 + [0.0099] * 2 + [None],
    }
)


def test_diagnoses_are_counted() -> None:
    assert count_diagnoses(TABLE) == {"unstable": 4, "descending": 3, "minimum": 1}
    assert count_diagnoses(TABLE.drop(columns="diagnosis")) == {}


def test_the_learning_rates_that_lose_runs_are_said() -> None:
    assert list(describe_rates(TABLE, ["optimizer"], ["optimizer", "lr"])) == [
        "sgd: no run is lost or unstable up to lr=0.001; "
        "every run is lost or unstable from lr=0.01 on; "
        "the stability limit was between 0.0025 and 0.005 where runs ended",
        "adam: no run is lost up to lr=0.01; every run is lost from lr=0.1 on",
        "heavy_ball: every run is lost, even at the smallest lr=1; try lr ≤ 0.009; "
        "the stability limit was 0.0099 at the best points of lost runs",
    ]
    assert not list(describe_rates(TABLE, ["optimizer"], ["optimizer"]))
    sgd = TABLE[TABLE["optimizer"] == "sgd"]
    (only,) = describe_rates(sgd, [], ["lr"], lambda rows: f"2/λ_max of {len(rows)} runs")
    assert only.startswith("no run is lost or unstable up to")
    assert only.endswith("; 2/λ_max of 2 runs was between 0.0025 and 0.005 where runs ended")


# how many of two runs are lost at each lr of 1, 2, 3; the sentence
LOST = [
    ((0, 0, 0), None),
    ((0, 0, 2), "no run is lost up to lr=2; every run is lost from lr=3 on"),
    ((0, 1, 2), "no run is lost up to lr=1; every run is lost from lr=3 on"),
    ((0, 1, 1), "no run is lost up to lr=1; some are lost above"),
    ((1, 1, 2), "some runs are lost even at the smallest lr=1; every run is lost from lr=3 on"),
    ((1, 0, 1), "some runs are lost even at the smallest lr=1"),
    ((2, 2, 2), "every run is lost, even at the smallest lr=1"),
]


@pytest.mark.parametrize(("lost", "says"), LOST)
def test_each_pattern_of_lost_runs_has_its_words(lost: tuple[int, ...], says: str | None) -> None:
    rows = [(lr, k < count) for lr, count in enumerate(lost, 1) for k in range(2)]
    table = pd.DataFrame(rows, columns=["lr", "is_lost"])
    table["status"] = np.where(table["is_lost"], "diverged", "max_steps")
    table = table.assign(diagnosis=None, lr_limit=None, final_loss=1.0)
    assert list(describe_rates(table, [], ["lr"])) == [says] * (says is not None)


# the final losses at lr 1, 2, 3, 4, of which all from 2 on are unstable and the infinite are lost
EDGES = [
    (
        (0.065, 0.029, 0.012, 0.02),
        "no run is lost; runs at lr=2 to 4 end unstable, yet lower than at every stable lr",
    ),
    (
        (0.065, 0.029, np.inf, np.inf),
        "no run is lost up to lr=2; every run is lost from lr=3 on; "
        "runs at lr=2 end unstable, yet lower than at every stable lr",
    ),
    (
        (0.065, 3.0, 5.0, np.inf),
        "no run is lost or unstable up to lr=1; every run is lost or unstable from lr=2 on",
    ),
]


@pytest.mark.parametrize(("losses", "says"), EDGES)
def test_runs_at_the_edge_of_stability_are_not_called_too_fast(
    losses: tuple[float, ...], says: str
) -> None:
    table = pd.DataFrame({"lr": [1.0, 2.0, 3.0, 4.0], "final_loss": losses, "lr_limit": None})
    table["status"] = np.where(np.isinf(table["final_loss"]), "diverged", "max_steps")
    table["diagnosis"] = ["descending", *["unstable"] * 3]
    assert list(describe_rates(table, [], ["lr"])) == [says]
