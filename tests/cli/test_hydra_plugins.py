"""Sweeps from the command line: their files, compared with those of Hydra's own launcher."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.command import QUIET, STOCK, refusal
from hydra.core.plugins import Plugins

import gdlab
from gdlab.__main__ import main


@pytest.fixture
def sweep(here) -> Callable[..., int]:
    """A sweep into a directory, without pictures and events; its exit code."""

    def call(directory: str, *words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["-m", *words, *QUIET, f"hydra.sweep.dir={directory}"])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return call


def rows(directory: Path) -> list[dict[str, Any]]:
    return pq.read_table(directory / "results.parquet").to_pylist()


def run_folders(directory: Path) -> dict[int, Path]:
    """The run directories of a sweep by the number that their hydra.yaml gives them."""
    found = {}
    for path in directory.rglob(".hydra/hydra.yaml"):
        found[yaml.safe_load(path.read_text("utf-8"))["hydra"]["job"]["num"]] = path.parent.parent
    return found


# The `.hydra` files, compared with those of Hydra's own launcher and sweeper

LONG = "a rather long name, with spaces, that goes on and on until it is past eighty letters.csv"

COMMANDS = [
    "optimizer=sgd,adam 'seed=range(1)' lr=1e16,2.5e-7",
    "optimizer=adam 'optimizer.betas=[0.9,0.99],[0.8,0.0625]' 'start=[3.5,-4e-7]'",
    "'loss.center=[0,1],[1,2]' 'loss.eigenvalues=[1,2]' optimizer.nesterov=true "
    "optimizer.momentum=0.5",
    f"loss=mse 'loss.data=\"{LONG}\",line3'",
    'loss=mse "loss.data=\'it is.csv\',\\"a=b.csv\\",line3"',
    "experiment=zigzag lr=0.01,0.02",
    "'start=random,[1,2]' dtype=float32 'stop.loss=1e-7' stop.max_loss=100000000000000000000",
    "'noise=${lr},0' transform.shift=1 ++lr=0.1",
    "schedule=glob(inv*) lr=choice(0.1) transform.rotation=null,1 optimizer.nesterov=false",
    "lr=0.1,0.2 seed=1 hydra.job.config.override_dirname.exclude_keys=[seed,steps] "
    "hydra.job.config.override_dirname.item_sep=_ "
    "hydra.job.config.override_dirname.kv_sep=-",
    "",
]

# What must differ: the directories, the launcher and the sweeper, and the overrides that name
# them. A node is removed with all its entries.
ENTRY = r"^( *){}:.*\n(?:\1 +.*\n)*"
MUST_DIFFER = [ENTRY.format(key) for key in ("output_dir", "launcher", "sweeper")]
MUST_DIFFER += [ENTRY.format(f"hydra/{key}") for key in ("launcher", "sweeper")]
MUST_DIFFER += [r"^ *- hydra/(?:launcher|sweeper)=.*\n", r"^ *- hydra\.sweep\.dir=.*\n"]
MUST_DIFFER += [r"^    dir: (?:ours|hydras)\n"]


def without_differences(text: str) -> str:
    for pattern in MUST_DIFFER:
        text, count = re.subn(pattern, "", text, flags=re.MULTILINE)
        assert count or "- hydra/" in pattern, pattern
    return text


@pytest.mark.parametrize("command", COMMANDS)
def test_each_run_has_the_files_that_hydra_would_write(command, here, sweep):
    for name in (LONG, "it is.csv", "a=b.csv"):
        (here / name).write_text("u,v\n1,2\n2,3\n3,5\n")
    words = [*shlex.split(command), "steps=2"]
    assert sweep("ours", *words) == sweep("hydras", *words, *STOCK) == 0
    ours, hydras = run_folders(here / "ours"), run_folders(here / "hydras")
    assert ours.keys() == hydras.keys() == set(range(len(rows(here / "ours"))))
    for run, folder in ours.items():
        files = sorted(path.name for path in (folder / ".hydra").iterdir())
        assert files == ["config.yaml", "hydra.yaml", "overrides.yaml"]
        for name in ("config.yaml", "overrides.yaml"):
            one, other = (f / ".hydra" / name for f in (folder, hydras[run]))
            assert one.read_bytes() == other.read_bytes()
        one, other = ((f / ".hydra/hydra.yaml").read_text("utf-8") for f in (folder, hydras[run]))
        assert without_differences(one) == without_differences(other)
        assert yaml.safe_load(one)["hydra"]["runtime"]["output_dir"] == str(folder)


# settings of a sweep over lr=0.1,0.2, then files that are in its directory
NAMED = [
    (
        "'hydra.sweep.subdir=a b/${lr}' hydra.output_subdir=cfg",
        ["a b/0.1/cfg/hydra.yaml", "a b/0.2/cfg/config.yaml"],
    ),
    ("hydra.job.config.override_dirname.kv_sep=- hydra.output_subdir=null", []),
]


@pytest.mark.parametrize(("command", "files"), NAMED)
def test_directories_are_named_as_asked(command, files, here, sweep):
    assert sweep("s", "lr=0.1,0.2", "steps=2", *shlex.split(command)) == 0
    assert [name for name in files if not (here / "s" / name).is_file()] == []
    recorded = gdlab.load(here / "s")
    assert recorded.history(1)["lr"].tolist()[:2] == [0.2, 0.2]
    if not files:
        words = "record.events-False,record.figures-False,steps-2"
        assert recorded.directories == {i: f"lr-0.{i + 1},{words}" for i in (0, 1)}
        assert list((here / "s").glob("*/.hydra")) == []


def test_an_interpolation_that_was_typed_follows_the_setting_that_varies(here, sweep):
    words = ("lr=0.1,0.2", "start=[0.5,0.5]", "steps=1")
    together = ("transform.shift=0.1,0.2", "hydra.sweeper.zip=[lr,transform.shift]")
    assert sweep("s", *words, "transform.shift=${lr}") == 0
    assert sweep("t", *words, *together) == 0
    losses = [[row["final_loss"] for row in rows(here / name)] for name in "st"]
    assert losses[0] == losses[1]


# Runs: the numbers are those of single runs

SWEEPS = [
    (
        "lr=0.05,0.1 seed=3,4 noise=0.1",
        ["lr=0.05,seed=3", "lr=0.05,seed=4", "lr=0.1,seed=3", "lr=0.1,seed=4"],
        [{"lr": lr, "seed": seed, "noise": 0.1} for lr in (0.05, 0.1) for seed in (3, 4)],
    ),
    (
        "loss=rosenbrock optimizer=sgd,adam lr=0.001,1e-2",
        [f"{o},lr={lr}" for o in ("sgd", "adam") for lr in (0.001, 0.01)],
        [
            {"loss": "rosenbrock", "optimizer": o, "lr": lr}
            for o in ("sgd", "adam")
            for lr in (0.001, 0.01)
        ],
    ),
    (
        "'start=[1,2],[-3.5,4e-7]' dtype=float32,float64",
        [f"start={s},dtype={d}" for s in ("1,2", "-3.5,4e-07") for d in ("float32", "float64")],
        [{"start": s, "dtype": d} for s in ([1, 2], [-3.5, 4e-7]) for d in ("float32", "float64")],
    ),
    (
        "'lr=interval(0.01,0.09)' hydra.sweeper.points=3",
        ["lr=0.01", "lr=0.05", "lr=0.09"],
        [{"lr": 0.01}, {"lr": 0.05}, {"lr": 0.09}],
    ),
    (
        "'lr=interval(0.01,0.09)' schedule=cosine,linear,step "
        "hydra.sweeper.points=3 'hydra.sweeper.zip=[lr,schedule]'",
        ["lr=0.01,cosine", "lr=0.05,linear", "lr=0.09,step"],
        [
            {"lr": 0.01, "schedule": "cosine"},
            {"lr": 0.05, "schedule": "linear"},
            {"lr": 0.09, "schedule": "step"},
        ],
    ),
    ("lr=0.05", ["run=0"], [{"lr": 0.05}]),
    ("", ["run=0"], [{}]),
    ("lr=0.05,0.05", ["lr=0.05", "lr=0.05,run=1"], [{"lr": 0.05}] * 2),
]


@pytest.mark.parametrize(("command", "names", "settings"), SWEEPS)
def test_each_run_equals_its_single_run(command, names, settings, here, sweep):
    assert sweep("s", *shlex.split(command), "steps=40") == 0
    found = rows(here / "s")
    assert [row["run"] for row in found] == list(range(len(names)))
    assert {p.name for p in (here / "s").iterdir() if (p / ".hydra").exists()} == set(names)
    for row, name, given in zip(found, names, settings, strict=True):
        alone = gdlab.run(**{"lr": 0.1, **given}, steps=40)
        for key in ("steps", "final_loss", "best_loss", "best_step", "grad_norm", "evaluations"):
            assert row[key] == getattr(alone.outcome, key), key
        assert (row["distance"], row["suboptimality"]) == (
            alone.outcome.distance,
            alone.outcome.suboptimality,
        )
        assert (row["status"], row["reason"]) == (str(alone.outcome.status), alone.outcome.reason)
        assert [row["x0"], row["x1"]] == alone.outcome.x.tolist()
        assert row["loss"] == given.get("loss", "quadratic")
        assert row["optimizer"] == given.get("optimizer", "sgd")
        assert (row["lr"], row["seed"]) == (given.get("lr", 0.1), given.get("seed", 0))
        one = gdlab.load(here / "s" / name)
        history = one.history()
        for key in ("step", "loss", "grad_norm", "lr"):
            np.testing.assert_array_equal(history[key], getattr(alone.history, key), key)
        np.testing.assert_array_equal(history[["x0", "x1"]], alone.history.x)
        assert one.results["final_loss"][0] == row["final_loss"]
        assert one.results["seed"][0] == row["seed"]
        assert one.config["lr"] == row["lr"]


COLUMNS = [
    ("lr=0.1,0.2 seed=0,1", "lr seed loss optimizer", "x0 x1"),
    ("loss=quadratic,rosenbrock seed=0,1 lr=1e-3", "loss seed optimizer lr", "x0 x1"),
    ("loss.dim=1,3", "loss.dim loss optimizer lr seed", "x0 x1 x2"),
    ("loss.dim=17,18", "loss.dim loss optimizer lr seed", ""),
    ("'stop.loss=null,1'", "stop.loss loss optimizer lr seed", "x0 x1"),
    ("++lr=0.1,0.2", "lr loss optimizer seed", "x0 x1"),
    ("steps=3", "loss optimizer lr seed", "x0 x1"),
]
ENDS = (
    "status reason steps final_loss best_loss best_step grad_norm distance suboptimality "
    "evaluations diagnosis lr_limit seconds mode mode_reason"
)


@pytest.mark.parametrize(("command", "settings", "point"), COLUMNS)
def test_the_columns_of_the_tables(command, settings, point, here, sweep):
    assert sweep("s", "steps=3", *shlex.split(command)) == 0
    wanted = f"run {settings} {ENDS} {point}".split()
    assert pq.read_table(here / "s/results.parquet").column_names == wanted
    header = (here / "s/results.csv").read_text("utf-8").splitlines()[0]
    assert header.replace('"', "").split(",") == wanted


def test_samples_are_drawn_from_the_sweepers_seed(here, sweep):
    words = ("lr=tag(log,interval(1e-3,1e-1))", "seed=range(1000)", "steps=2")
    draws = ("hydra/sweeper=random", "hydra.sweeper.samples=5")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert sweep(name, *draws, f"hydra.sweeper.seed={seed}", *words) == 0
    a, b, c = ([(row["lr"], row["seed"]) for row in rows(here / name)] for name in "abc")
    assert a == b != c
    assert len(set(a)) == 5
    assert all(1e-3 < lr < 1e-1 and 0 <= seed < 1000 for lr, seed in [*a, *c])


def test_an_experiment_may_define_axes(here, sweep):
    folder = here / "conf/experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "# @package _global_\nsteps: 3\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    points: 2\n"
        "    params:\n      lr: interval(0.1,0.2)\n      seed: 0,1\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["--config-dir", "conf", "experiment=mine", "hydra.sweep.dir=s", *QUIET])
    assert ended.value.code == 0
    pairs = [(row["lr"], row["seed"]) for row in rows(here / "s")]
    assert pairs == [(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)]
    assert sweep("t", "--config-dir", "conf", "experiment=mine", "seed=7") == 0
    assert [(row["lr"], row["seed"]) for row in rows(here / "t")] == [(0.1, 7), (0.2, 7)]


def test_the_directory_of_a_sweep_is_one(gd, here):
    name = "${hydra:runtime.choices.optimizer}"
    done = gd("-m", "lr=0.1,0.2", "optimizer=sgd,adam", f"hydra.sweep.dir=s/{name}")
    assert "must be the same for all runs" in refusal(done)
    assert list(here.iterdir()) == []


# Refused, in one line, before anything is made

REFUSED = [
    ("lr=0.1,-1", "lr=-1: must be a finite number > 0"),
    ("'lr=interval(1,2)' hydra.sweeper.points=0", "hydra.sweeper.points=0: must be a whole"),
    ("lr=0.1,0.2 seed=1,2,3 'hydra.sweeper.zip=[lr,seed]'", "lr has 2, seed has 3"),
    ("lr=0.1,0.2 hydra.sweeper.zip=lr", "hydra.sweeper.zip=lr: must be a list"),
    ("'lr=interval(2,1)'", "lr=interval(2,1): must have its lower end first"),
    ("'lr=interval(1)'", "lr=interval(1)"),
    ("hydra/sweeper=random hydra.sweeper.samples=0", "hydra.sweeper.samples=0"),
    ("optimizer=sgd,adagard", "optimizer=adagard: no such choice, did you mean adagrad or adgd?"),
    ("optimizer=nesterov optimizer.dampening=0,0.5", "optimizer.dampening=0.5: must be 0"),
    ("learning_rate=0.1,0.2", "learning_rate"),
    (
        "lr=0.1 +hydra.callbacks.m._target_=hydra.experimental.callbacks.LogJobReturnCallback",
        "hydra.callbacks: LogJobReturnCallback must be called for each job",
    ),
    ("experiment=null,zigzag", "experiment=null: no such choice (choices: basins"),
    ("loss=quadratic,1.5", "loss=1.5: no such choice (choices: ackley"),
    ("'loss=range(1,3)'", "loss=range(1,3): no such choice"),
    ("loss=[quadratic]", "loss=[quadratic]: no such choice, did you mean quadratic?"),
    ("optimizer=clip_norm optimizer.inner=adam,null", "optimizer.inner=null: no such choice"),
    ("loss@x=1", "x=1: no such choice"),
    ("hydra/sweeper=-0.0", "hydra/sweeper=-0.0: no such choice (choices: basic, grid, random)"),
    ("'+hydra.sweeper.params.loss=\"huber,5\"'", "loss=5: no such choice (choices: ackley"),
    ("experiment=zigzag,basins", "experiment=basins: sets hydra.sweeper, which a sweep over it"),
    ("experiment=zigzag,basins hydra/launcher=basic", "experiment=basins: sets hydra.sweeper"),
    ("lr=0.1,0.2 hydra.sweep.subdir=a", "hydra.sweep.subdir=a: each run needs a directory"),
    ("lr=0.1,0.2 'hydra.sweep.subdir=../${lr}'", "hydra.sweep.subdir=../0.1: must be a folder"),
    ("lr=0.1 'seed=${hydra:job.num}'", "seed=${hydra:job.num}: differs from job to job, which a"),
    ("'loss.dim=${hydra:job.num}' hydra/launcher=basic", "loss.dim=${hydra:job.num}: differs"),
    ("lr=0.1 'hydra.sweep.subdir=${nope}'", "hydra.sweep.subdir: Interpolation key 'nope'"),
]


@pytest.mark.parametrize(("command", "says"), REFUSED)
def test_a_refused_sweep_leaves_nothing_behind(command, says, here, sweep, capsys):
    assert sweep("s", *shlex.split(command)) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(here.iterdir()) == []


def test_a_plugin_that_cannot_be_imported_is_said_in_one_line(gd, monkeypatch):
    def scan() -> None:
        raise ValueError("mutable default in hydra_plugins.hydra_rq_launcher")

    monkeypatch.delitem(sys.modules, "hydra_plugins.gdlab", raising=False)
    monkeypatch.setattr(Plugins, "instance", scan)
    said = "a plugin of Hydra cannot be imported (ValueError: mutable default in hydra_plugins."
    for words in ([], ["-m", "lr=0.1,0.2"], ["--help"]):
        assert said in refusal(gd(*words))
