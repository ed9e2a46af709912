"""Resuming a sweep whose runs have all ended, or one that has no plan yet."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from helpers.command import QUIET, TABLES, refusal
from helpers.files import assert_same_sweep

import gdlab
from gdlab import SettingError
from gdlab.cli import sweep
from gdlab.recording.lock import locked
from gdlab.sweeps import illustrating, plan_file, shard_tables
from gdlab.sweeps.run_dirs import RunDirectories

WORDS = ("-m", "loss=rosenbrock", "lr=tag(log,interval(1e-4,1e-2))", "steps=30")
CHOSEN = (*WORDS, *QUIET, "record.max_run_dirs=5")


def signalled(monkeypatch, name: str, at: int, number: int) -> list[Any]:
    """Make a method of `RunDirectories` send this process a signal; return a list of its calls."""
    calls: list[Any] = []
    method = getattr(RunDirectories, name)

    def call(self: RunDirectories, *arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == at:
            os.kill(os.getpid(), number)
        return method(self, *arguments)

    monkeypatch.setattr(RunDirectories, name, call)
    return calls


# Interrupted after the last run

# the method, the call at which the signal comes, the number of directories left
RECORDING = [("write", 3, 0), ("close", 1, 1), ("close", 4, 4)]


@pytest.mark.parametrize(("name", "at", "left"), RECORDING)
def test_interrupted_while_chosen_runs_are_recorded(name, at, left, here, gd, monkeypatch):
    assert gd(*CHOSEN, "hydra.sweep.dir=whole").code == 0
    with monkeypatch.context() as patched:
        calls = signalled(patched, name, at, signal.SIGTERM)
        done = gd(*CHOSEN, "hydra.sweep.dir=s")
    assert done.code == 143
    assert "20 of 20 runs" in done.out
    assert len(calls) == at  # it ends between two runs
    sweep = gdlab.load("s")
    assert len(sweep.directories or {}) == left
    assert sorted(path.parent.name for path in (here / "s").glob("*/.hydra")) == sorted(
        (sweep.directories or {}).values()
    )
    kept = {p: p.stat().st_mtime_ns for p in (here / "s").glob("lr=*/result.json")}
    assert len(kept) == left
    assert gd("resume=s").code == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert_same_sweep(here / "s", here / "whole")


def test_interrupted_while_pictures_are_drawn(here, gd, monkeypatch):
    words = (*WORDS, "hydra.sweeper.points=4", "record.events=false", "record.max_figures=3")
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    wanted = sorted(path.relative_to("whole") for path in Path("whole").rglob("*.png"))
    assert len(wanted) > 2
    monkeypatch.setattr(illustrating, "available_cores", lambda: 1)  # this process sees the calls
    with monkeypatch.context() as patched:
        calls = signalled(patched, "draw", 2, signal.SIGINT)
        assert gd(*words, "hydra.sweep.dir=s").code == 130
    assert len(calls) == 2
    drawn = {path: path.stat().st_mtime_ns for path in Path("s").glob("*/*.png")}
    assert 0 < len(drawn) < len(wanted)
    assert gd("resume=s").code == 0
    assert sorted(path.relative_to("s") for path in Path("s").rglob("*.png")) == wanted
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn
    assert_same_sweep(here / "s", here / "whole")


# Directories of runs that are gone or damaged


# the number of runs, of 4, that have directories, and the file that is gone; "" for all of them
GONE = [(4, ""), (2, ""), (4, "history.parquet"), (2, "result.json")]


@pytest.mark.parametrize(("most", "gone"), GONE)
def test_a_run_whose_records_are_gone_is_recorded_again(most, gone, here, gd):
    words = (*WORDS, f"record.max_run_dirs={most}", "hydra.sweeper.points=4", "record.events=false")
    assert gd(*words, "record.max_figures=1", "hydra.sweep.dir=s").code == 0
    shutil.copytree("s", "whole")
    for path in sorted((here / "s").glob("*/trajectory.png")):
        if gone:
            (path.parent / gone).unlink()
        else:
            shutil.rmtree(path.parent)
    assert gd("resume=s").code == 0
    assert_same_sweep(here / "s", here / "whole")


@pytest.mark.parametrize(
    ("most", "name"), [(4, "history.parquet"), (2, "result.json"), (2, ".hydra/config.yaml")]
)
def test_a_damaged_record_is_named_and_recorded_again(most, name, here, gd):
    words = (*WORDS, *QUIET, f"record.max_run_dirs={most}", "hydra.sweeper.points=4")
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    shutil.copytree("s", "whole")
    path = here / "s" / "lr=0.01" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = gd("resume=s")
    assert done.code == 0
    assert f"lr=0.01/{name}: missing or damaged (it differs from its digest)" in done.err
    assert "the run is recorded again" in done.err
    assert_same_sweep(here / "s", here / "whole")


def test_a_link_is_not_followed_out_of_a_sweep(here, gd):
    words = (*WORDS, *QUIET, "hydra.sweeper.points=2", "engine.max_rows=1")
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    (here / "elsewhere").mkdir()
    run, shards = here / "s" / "lr=0.01", here / "s" / "shards"
    shutil.rmtree(run)
    run.symlink_to(here / "elsewhere")
    (here / "s" / ".results.csv.partial").symlink_to(here / "elsewhere" / "results.csv")
    assert gd("resume=s").code == 0
    assert run.is_dir() and not run.is_symlink()
    shutil.rmtree(shards)
    shards.symlink_to(here / "elsewhere")
    assert "s/shards: is a link" in refusal(gd("resume=s"))
    assert not list((here / "elsewhere").iterdir())


# Data that have changed


def test_runs_on_other_data_are_not_mixed_in(here, gd):
    old, new = b"a,y\n1,3\n2,5\n3,1\n", b"a,y\n1,3\n2,5\n3,2\n"
    (here / "d.csv").write_bytes(old)
    words = ("-m", "loss=mse", "loss.data=d.csv", "lr=0.01,0.02", "engine.max_rows=1", "steps=3")
    assert gd(*words, *QUIET, "record.max_run_dirs=0", "hydra.sweep.dir=s").code == 0
    left = [here / "s" / name for name in ("shards/00001.parquet", "results.parquet")]
    for path in left:
        path.unlink()
    (here / "d.csv").write_bytes(new)
    assert "resume=s: d.csv: has changed since the sweep began" in refusal(gd("resume=s"))
    assert not any(path.exists() for path in left)
    (here / "d.csv").write_bytes(old)
    assert gd("resume=s").code == 0
    assert all(path.exists() for path in left)


# No plan yet

SMALL = ("-m", "lr=0.1,0.2", "steps=5", *QUIET)
NAMED = "hydra.sweep.dir=s"

# the step that fails, and the files in the directory then
STAGES: list[tuple[Any, str, set[str]]] = [
    (sweep, "write_multirun", set()),
    (plan_file, "write_table", {"SHA256SUMS", "multirun.yaml"}),
    (plan_file, "write_with_digest", {"SHA256SUMS", "multirun.yaml", "plan.parquet"}),
]


@pytest.mark.parametrize(("owner", "name", "left"), STAGES)
def test_a_sweep_that_dies_before_it_has_a_plan_can_start_again(
    owner, name, left, here, gd, monkeypatch
):
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, die)
        assert gd(*SMALL, NAMED).code == 130
    assert {path.name for path in (here / "s").iterdir()} == left
    for partial in ("plan.parquet", "plan.json"):  # as SIGKILL leaves them
        (here / "s" / f".{partial}.partial").write_bytes(b"half")
    assert "holds no sweep (no plan.json)" in refusal(gd("resume=s"))
    assert gd(*SMALL, NAMED).code == 0
    assert gd(*SMALL, "hydra.sweep.dir=whole").code == 0
    assert_same_sweep(here / "s", here / "whole")
    assert not list((here / "s").glob(".*"))


def test_other_files_in_a_directory_are_never_overwritten(here, gd):
    (here / "s").mkdir()
    for name in ("multirun.yaml", "mine.txt"):
        (here / "s" / name).write_text("mine")
    said = refusal(gd(*SMALL, NAMED))
    assert "hydra.sweep.dir=s: is not empty" in said
    assert {p.name: p.read_text() for p in (here / "s").iterdir()} == dict.fromkeys(
        ("multirun.yaml", "mine.txt"), "mine"
    )
    (here / "file").write_text("")
    assert "hydra.sweep.dir=file/s: cannot be made" in refusal(gd(*SMALL, "hydra.sweep.dir=file/s"))
    with pytest.raises(SettingError, match=r"^directory=s: is not empty"):
        gdlab.sweep(lr=[0.1, 0.2], steps=3, directory="s")


# Settings that the first command did not give

# an override on resuming, and the refusal; None if the value is the same
SAID: list[tuple[str, str | None]] = [
    ("noise=0", None),
    ("noise=0.0", None),
    ("loss=quadratic", None),
    ("loss.dim=2", None),
    ("loss.center=0", None),
    ("optimizer.nesterov=false", None),
    ("start=null", None),
    ("seed=0", None),
    ("stop.grad_tol=1e-8", None),
    ("stop.loss=null", None),
    ("record.events=false", None),
    ("dtype=float64", None),
    ("summary.by=null", None),
    ("schedule=constant", None),
    ("dry_run=false", None),
    ("experiment=null", None),
    ("noise=0.5", "noise.scale=0.5: the sweep in s had noise.scale=0.0"),
    ("noise=0,0", "noise.scale=0,0: the sweep in s had noise.scale=0.0"),
    ("loss=rosenbrock", "loss=rosenbrock: the sweep in s had loss=quadratic"),
    ("loss.dim=3", "the sweep in s had loss.dim=2"),
    ("loss.b=100", "the sweep in s had no loss.b"),
    ("optimizer.nesterov=0", "the sweep in s had optimizer.nesterov=false"),
    ("start=random", "the sweep in s had start=null"),
    ("start=[1,1]", "the sweep in s had start=null"),
    ("seed=1", "the sweep in s had seed=0"),
    ("stop.loss=1", "the sweep in s had stop.loss=null"),
    ("optimizer.momentum=0", "the sweep in s had optimizer.momentum=0.0,0.9"),
    ("dry_run=true", "the sweep in s had dry_run=false"),
    ("experiment=zigzag", "the sweep in s had experiment=null"),
    ("nois=0", "the sweep in s had no nois"),
]


def test_a_setting_not_given_before_must_have_its_old_value(here, gd):
    words = ("-m", "lr=0.1,0.2", "optimizer=sgd,momentum", "steps=5", "record.figures=false")
    assert gd(*words, "record.events=false", "record.max_run_dirs=0", NAMED).code == 0
    results = here / "s" / "results.parquet"
    for word, says in SAID:
        results.unlink()
        done = gd("resume=s", word)
        if says is None:
            assert done.code == 0, (word, done)
        else:
            assert says in refusal(done), word
            assert not results.exists()
            results.touch()


def test_a_sweep_that_another_process_continues_is_not_touched(here, gd) -> None:
    assert gd(*WORDS, *QUIET, "hydra.sweep.dir=s").code == 0
    (here / "s" / "results.parquet").unlink()
    before = sorted(path.name for path in (here / "s").rglob("*"))
    with locked(here / "s", "resume"):
        assert "resume=s: another process is writing into it" in refusal(gd("resume=s"))
    assert sorted(path.name for path in (here / "s").rglob("*")) == before
    assert gd("resume=s").code == 0
    assert (here / "s" / "results.parquet").is_file()


# Failed runs whose cause is gone

PART_TIME = """
from pathlib import Path

import gdlab


class Slope(gdlab.Loss):
    dim, start = 1, (0.0,)
    tilt: gdlab.Number = 1.0

    def __call__(self, x):
        if Path("broken").exists() and float(self.tilt.max()) > 2:
            raise OSError("the river is closed")
        return self.tilt * x[..., 0]
"""


@pytest.mark.parametrize("kept", [0, 4000])
def test_tables_that_are_not_kept_in_memory_are_read_again(kept, here, gd, monkeypatch):
    words = (*WORDS, *TABLES, "engine.max_rows=4", "optimizer=sgd,adam", "seed=0,1")
    assert gd(*words, "hydra.sweep.dir=alone").code == 0
    monkeypatch.setattr(shard_tables, "_KEPT", kept)
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    assert_same_sweep(here / "s", here / "alone")
    for path in sorted((here / "s" / "shards").iterdir())[::2]:
        path.unlink()
    assert gd("resume=s").code == 0
    assert_same_sweep(here / "s", here / "alone")


def test_failed_runs_are_tried_again_if_asked(here, gd):
    """Here the runs that get directories are chosen at the end."""
    (here / "slopes.py").write_text(PART_TIME)
    own = ("-m", "loss=custom", "loss._target_=slopes.Slope", "+loss.tilt=1,2,3,4", "steps=5")
    words = (*own, "engine.mode=eager", "engine.max_rows=2", "record.max_run_dirs=2", *QUIET)
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    (here / "broken").touch()
    assert gd(*words, "hydra.sweep.dir=s").code == 1
    (here / "broken").unlink()
    trusted = ("resume=s", "loss._target_=slopes.Slope")
    assert gd(*trusted).code == 1
    assert gdlab.load("s").results["status"].tolist() == ["max_steps"] * 2 + ["failed"] * 2
    first = (here / "s" / "shards" / "00000.parquet").stat().st_mtime_ns
    assert gd(*trusted, "retry_failed=true").code == 0
    assert (here / "s" / "shards" / "00000.parquet").stat().st_mtime_ns == first
    assert_same_sweep(here / "s", here / "whole")
    for run in gdlab.load("s").directories or {}:
        assert len(gdlab.load("s").history(run)) == 6
    assert "retry_failed=maybe: must be true or false" in refusal(
        gd(*trusted, "retry_failed=maybe")
    )
    assert "retry_failed=true: needs resume=" in refusal(gd("steps=3", "retry_failed=true"))
