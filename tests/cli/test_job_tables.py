"""Sweeps under other launchers and sweepers than gdlab's own: the tables that they leave."""

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers.command import BASIC, QUIET, STOCK, refusal
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

import gdlab
from gdlab.cli import hydra_plugins
from gdlab.cli.job_files import JobNote
from gdlab.results.ranking import objective

MINE = """
import signal
import torch
import gdlab

class Touchy(gdlab.Loss):
    dim: int = 2
    k: gdlab.Number = 0.0
    start = (1.0, 1.0)

    def __call__(self, x):
        if bool((torch.as_tensor(self.k) == 3).any()) and bool((x < 0.9).any()):
            raise ValueError("three is refused")
        return x.square().sum(-1)

class Stopped(gdlab.Loss):
    dim: int = 2
    k: gdlab.Number = 0.0
    start = (1.0, 1.0)

    def __call__(self, x):
        if bool((torch.as_tensor(self.k) == 2).any()) and bool((x < 0.5).any()):
            signal.raise_signal(signal.SIGINT)
        return x.square().sum(-1)
"""


@pytest.fixture(autouse=True)
def mine(here) -> None:
    (here / "mine.py").write_text(MINE)


def parquet(directory: str) -> Any:
    return pq.read_table(Path(directory) / "results.parquet").drop_columns("seconds")


def assert_same_tables(one: str, other: str) -> None:
    """The tables have the same columns, types and bits, except for the seconds."""
    assert parquet(one).schema == parquet(other).schema
    left, right = (parquet(folder).to_pandas() for folder in (one, other))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    texts = [pd.read_csv(Path(folder) / "results.csv", dtype=str) for folder in (one, other)]
    left, right = (text.drop(columns="seconds") for text in texts)
    pd.testing.assert_frame_equal(left, right)
    abouts = [json.loads((Path(folder) / "sweep.json").read_text()) for folder in (one, other)]
    assert abouts[0]["varied"] == abouts[1]["varied"]
    assert abouts[0]["directories"].keys() == abouts[1]["directories"].keys()


def summary(out: str) -> list[str]:
    """The last summary on screen, from its count of runs to its failures."""
    lines = [line.rstrip() for line in out.splitlines()]
    (*_, begin) = (i for i, line in enumerate(lines) if " runs: " in line)
    return [line for line in lines[begin:] if not line.startswith("  ")]


# The command, what else runs it, and the expected count of each status
TOUCHY = ("loss=custom", "loss._target_=mine.Touchy", "loss.k=1,3")
SWEEPS = [
    ((*TOUCHY, "lr=0.1", "optimizer=sgd,adam"), STOCK, {"max_steps": 2, "failed": 2}),
    (
        ("loss=rosenbrock", "start=[1e200,1],[-1,1],[1,1]", "lr=0.001", "dtype=float32"),
        BASIC,
        {"diverged": 1, "max_steps": 1, "converged": 1},
    ),
    (
        ("lr=0.5,1e16", "seed=0,1", "noise=0.1", "start=random"),
        BASIC,
        {"max_steps": 2, "diverged": 2},
    ),
    (
        ("loss.dim=1,17", "++lr=0.05", "stop.loss=null,1", "dtype=float32,float64"),
        STOCK,
        {"max_steps": 2, "target": 4, "converged": 2},
    ),
    (("lr=0.05",), BASIC, {"max_steps": 1}),
]


@pytest.mark.parametrize(("words", "others", "ends"), SWEEPS)
def test_the_tables_are_those_of_the_batched_launcher(words, others, ends, here, gd):
    command = ("-m", *words, "steps=30", *QUIET)
    ours = gd(*command, "hydra.sweep.dir=ours")
    code = 1 if "failed" in ends else 0
    assert ours.code == code, ours
    assert parquet("ours")["status"].to_pandas().value_counts().to_dict() == ends
    done = gd(*command, *others, "hydra.sweep.dir=theirs")
    assert done.code == code, done
    assert "error" not in done.err
    assert summary(done.out) == summary(ours.out)
    assert_same_tables("ours", "theirs")
    one, other = gdlab.load("ours"), gdlab.load("theirs")
    assert str(one.best(by=["optimizer"])) == str(other.best(by=["optimizer"]))
    assert other.config["steps"] == 30
    for run in range(sum(ends.values())):
        left, right = (sweep.history(run) for sweep in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_a_job_that_cannot_run_is_a_failed_row_and_the_others_continue(here, gd):
    words = ("-m", "optimizer=sgd,adam", "steps=5", *QUIET)
    done = gd(*words, "lr=0.1,-1,0.05", *STOCK, "hydra.sweep.dir=s")
    assert (done.code, done.err) == (1, "")
    assert "6 of 6 runs: 4 max_steps, 2 failed" in done.out
    assert "failed: adam,lr=-1: SettingError: lr=-1: must be a finite number" in done.out
    assert gd(*words, "lr=0.1,0.05", "hydra.sweep.dir=t").code == 0
    results: Any = gdlab.load("s").results
    lost = results[results["status"] == "failed"]
    assert lost[["run", "optimizer", "lr", "seed"]].values.tolist() == [
        [1, "sgd", -1.0, 0],
        [4, "adam", -1.0, 0],
    ]
    assert lost["final_loss"].isna().all()
    rest = results[results["status"] != "failed"].drop(columns=["run", "seconds"])
    wanted: Any = gdlab.load("t").results
    pd.testing.assert_frame_equal(
        rest.reset_index(drop=True), wanted.drop(columns=["run", "seconds"]), check_exact=True
    )
    assert set(gdlab.load("s").directories or {}) == {0, 2, 3, 5}


def test_a_job_that_raises_or_dies_is_a_failed_row(here, gd, monkeypatch):
    close = JobNote.close

    def raising(self: JobNote, outcome: Any, seconds: float) -> None:
        if self._job.number == 0:
            raise OSError(28, "No space left on device")
        if self._job.number != 1:  # nor does it say anything where it is killed
            close(self, outcome, seconds)

    monkeypatch.setattr(JobNote, "close", raising)
    done = gd("-m", "lr=0.1,0.2,0.3", "steps=5", *QUIET, *BASIC, "hydra.sweep.dir=s")
    assert done.code == 1
    results: Any = gdlab.load("s").results
    assert results["status"].tolist() == ["failed", "failed", "max_steps"]
    assert results["lr"].tolist() == [0.1, 0.2, 0.3]
    assert results["reason"][0] == "OSError: [Errno 28] No space left on device"
    assert results["reason"][1] == "ended without a result"


def test_a_job_whose_directory_holds_a_run_fails_and_changes_nothing(here, gd):
    done = gd("-m", "lr=0.05,0.05", "steps=5", *QUIET, *BASIC, "hydra.sweep.dir=s")
    assert done.code == 1
    results: Any = gdlab.load("s").results
    assert results["status"].tolist() == ["max_steps", "failed"]
    assert "holds a run; a run needs its own" in results["reason"][1]
    assert results["final_loss"][0] == gdlab.run(lr=0.05, steps=5).outcome.final_loss
    assert len(gdlab.load("s").history(0)) == 6


def test_a_sweep_without_any_runnable_job_says_why(here, gd):
    done = gd("-m", "lr=-1,-2", *QUIET, *STOCK, "hydra.sweep.dir=s")
    assert done.code == 2
    assert done.err.endswith("SettingError: lr=-1: must be a finite number > 0\n")


def test_an_interrupted_sweep_has_a_table_of_the_finished_runs(here, gd):
    own = ("loss=custom", "loss._target_=mine.Stopped", "stop.grad_tol=0", "steps=50")
    done = gd("-m", *own, "loss.k=1,2,3", *QUIET, *BASIC, "hydra.sweep.dir=s")
    assert done.code == 130
    results: Any = gdlab.load("s").results
    assert results["status"].tolist() == ["max_steps", "interrupted"]
    assert results["loss.k"].tolist() == [1, 2]
    assert 0 < results["steps"][1] < 50
    assert len(gdlab.load("s").history(1)) == results["steps"][1] + 1


REFUSED = [
    (("lr=0.1,-1", *BASIC), "lr=-1: must be a finite number > 0"),
    (("lr=0.1,0.2", "summary.metric=speed", *BASIC), "summary.metric=speed"),
    (("dry_run=true", *BASIC), "dry_run=true: needs hydra/launcher=batched, and it is basic"),
]


@pytest.mark.parametrize(("words", "says"), REFUSED)
def test_bad_settings_are_refused_before_anything_is_made(words, says, here, gd):
    done = gd("-m", *words, "hydra.sweep.dir=s")
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert says in done.err
    assert not (here / "s").exists()


def test_a_damaged_note_is_named(here, gd, monkeypatch):
    def halved(self: JobNote, outcome: Any, seconds: float) -> None:
        (here / "s/jobs/00001.json").write_text('{"number": 1, "overrides"')

    monkeypatch.setattr(JobNote, "close", halved)
    done = gd("-m", "lr=0.1,0.05", "steps=2", *QUIET, *BASIC, "hydra.sweep.dir=s")
    assert done.code == 2
    assert done.err.startswith("error: s/jobs/00001.json: missing or damaged (")
    assert not (here / "s/results.parquet").exists()


def test_jobs_in_nested_folders_are_found_and_find_their_data(here, gd):
    (here / "d.csv").write_text("a,y\n1,2\n2,1\n4,2\n")
    words = ("-m", "loss=mse", "loss.data=d.csv", "lr=0.01,0.02", "steps=3", *QUIET)
    own = ("hydra.sweep.subdir=deep/${hydra.job.num}", "hydra.job.chdir=true")
    assert gd(*words, *own, *BASIC, "hydra.sweep.dir=s").code == 0
    assert gd(*words, "hydra.sweep.dir=t").code == 0
    assert_same_tables("t", "s")
    assert gdlab.load("s").directories == {0: "deep/0", 1: "deep/1"}
    assert len(gdlab.load("s").history(1)) == 4


# Sweepers that launch batch by batch and use what each job returns


class Halving(Sweeper):
    """Launches two rates, then two around the better one."""

    first = (0.1, 1e16)
    seen: tuple[list[float], ...] = ()

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        launcher: Any = self.launcher
        jobs = [[*arguments, f"lr={lr}"] for lr in self.first]
        losses = [job.return_value for job in launcher.launch(jobs, initial_job_idx=0)]
        best = self.first[losses.index(min(losses))]
        jobs = [[*arguments, f"lr={lr}"] for lr in (best / 2, best / 4)]
        more = [job.return_value for job in launcher.launch(jobs, initial_job_idx=2)]
        Halving.seen = (losses, more)


@pytest.fixture
def halving(here, monkeypatch) -> tuple[str, ...]:
    hydra_plugins.register()
    monkeypatch.setattr(Halving, "__module__", "hydra_plugins.halving")
    monkeypatch.setitem(sys.modules, "hydra_plugins.halving", sys.modules[__name__])
    Plugins.instance().register(Halving)
    folder = here / "conf/hydra/sweeper"
    folder.mkdir(parents=True)
    (folder / "halving.yaml").write_text("_target_: hydra_plugins.halving.Halving\n")
    return ("--config-dir", "conf", "-m", "hydra/sweeper=halving", "steps=20", *QUIET)


@pytest.mark.parametrize("launcher", ["batched", "basic"])
def test_a_sweeper_that_searches_gets_the_final_losses(launcher, here, gd, halving):
    words = (f"hydra/launcher={launcher}", "hydra.sweep.dir=s")
    assert gd(*halving, *words).code == 0
    alone = [gdlab.run(lr=lr, steps=20).outcome for lr in (0.1, 1e16, 0.05, 0.025)]
    assert [str(one.status) for one in alone] == ["max_steps", "diverged", *["max_steps"] * 2]
    wanted = [alone[0].final_loss, math.inf], [alone[2].final_loss, alone[3].final_loss]
    assert Halving.seen == wanted
    assert all(type(loss) is float for losses in Halving.seen for loss in losses)
    sweep = gdlab.load("s")
    results: Any = sweep.results
    assert results["run"].tolist() == [0, 1, 2, 3]
    assert results["lr"].tolist() == [0.1, 1e16, 0.05, 0.025]
    assert results["final_loss"].tolist() == [one.final_loss for one in alone]
    assert sweep.best()[0].choice == {"lr": 0.1}
    for run, one in enumerate(alone):
        np.testing.assert_array_equal(sweep.history(run)[["x0", "x1"]].iloc[-1], one.x)
    assert gd("-m", "lr=0.1,1e16,0.05,0.025", "steps=20", *QUIET, "hydra.sweep.dir=t").code == 0
    assert_same_tables("t", "s")


def test_a_sample_that_cannot_run_is_a_failed_row_and_the_search_continues(
    here, gd, halving, monkeypatch
):
    monkeypatch.setattr(Halving, "first", (-0.02, 0.1))
    for launcher in ("batched", "basic"):
        words = (f"hydra/launcher={launcher}", f"hydra.sweep.dir={launcher}")
        assert gd(*halving, *words).code == 1
        assert Halving.seen[0] == [math.inf, gdlab.run(lr=0.1, steps=20).outcome.final_loss]
    assert_same_tables("batched", "basic")
    numbers = sorted(path.name for path in (here / "batched").glob("from=*"))
    assert numbers == ["from=1", "from=2"]
    done = gd(*halving, "loss.dim=0", "hydra.sweep.dir=s")
    assert refusal(done).startswith("error: loss.dim=0: must be a whole number ≥ 1")
    assert not (here / "s").exists()


def test_a_batch_of_a_search_that_is_interrupted_ends_it(here, gd, halving):
    own = ("loss=custom", "loss._target_=mine.Stopped", "loss.k=2", "stop.grad_tol=0")
    Halving.seen = ()
    assert gd(*halving, *own, "hydra.sweep.dir=s").code == 130
    assert Halving.seen == ()
    assert set(gdlab.load("s").results["status"]) <= {"interrupted", "diverged"}
    shutil.rmtree(here / "s")
    done = gd(*halving, "dry_run=true", "hydra.sweep.dir=s")
    assert done.code == 0
    assert "2 runs in 1 batch\n" in done.out
    assert not (here / "s").exists()


OBJECTIVES = [("converged", 2.0, 2.0), ("max_steps", -1.0, -1.0), ("max_steps", math.nan, math.inf)]
OBJECTIVES += [("diverged", -1e9, math.inf), ("failed", 0.0, math.inf), ("target", 0.5, 0.5)]


@pytest.mark.parametrize(("status", "loss", "wanted"), OBJECTIVES)
def test_what_a_search_minimizes_is_never_nan(status, loss, wanted):
    assert objective(status, loss) == wanted
