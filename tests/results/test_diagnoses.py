"""The diagnoses of a sweep, counted, and which learning rates lost runs."""

import pandas as pd

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
        "lr_limit": [0.005, 0.0025, 0.001, None] + [None] * 3 + [0.01] * 2 + [None],
    }
)


def test_diagnoses_are_counted() -> None:
    assert count_diagnoses(TABLE) == {"unstable": 4, "descending": 3, "minimum": 1}
    assert count_diagnoses(TABLE.drop(columns="diagnosis")) == {}


def test_the_learning_rates_that_lose_runs_are_said() -> None:
    assert list(describe_rates(TABLE, ["optimizer"], ["optimizer", "lr"])) == [
        "lr of optimizer=sgd: no run is lost up to lr=0.001, all are from lr=0.01 on, "
        "the stability limit where runs ended is from 0.001 to 0.005",
        "lr of optimizer=adam: no run is lost up to lr=0.01, all are from lr=0.1 on",
        "lr of optimizer=heavy_ball: every run is lost, down to lr=1, "
        "the stability limit where runs ended is 0.01",
    ]
    assert not list(describe_rates(TABLE, ["optimizer"], ["optimizer"]))
    (only,) = describe_rates(TABLE[TABLE["optimizer"] == "sgd"], [], ["lr"])
    assert only.startswith("lr: no run")
