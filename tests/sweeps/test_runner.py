"""Sweeps that are killed, interrupted, damaged or refused, and then resumed."""

import ctypes
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.command import QUIET, TABLES, refusal, start_command
from helpers.files import table

import gdlab
from gdlab.display.terminal import ProgressBar
from gdlab.recording.digests import write_with_digest
from gdlab.sweeps.summary import SweepProgress


def shards(directory: Path) -> dict[str, tuple[bytes, int]]:
    """The finished shards: what each file holds and when it was written."""
    found = sorted((directory / "shards").glob("*.parquet"))
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def assert_same_sweep(one: Path, other: Path) -> None:
    """The tables hold the same bits, except for the seconds."""
    left, right = (table(folder).drop(columns="seconds") for folder in (one, other))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    texts = [pd.read_csv(folder / "results.csv", dtype=str) for folder in (one, other)]
    left, right = (text.drop(columns="seconds") for text in texts)
    pd.testing.assert_frame_equal(left, right)


# Killed

FORTY = (
    *("-m", "loss=rosenbrock", "optimizer=sgd", "lr=tag(log,interval(1e-5,1e-3))"),
    *("seed=range(2)", "start=random", "steps=600", "stop.grad_tol=0", "engine.max_rows=4"),
    *QUIET,
)

# The command line, killed some seconds after it renamed the nth file of a kind; with no seconds,
# just before it renames that file.
DIES = """
import fnmatch, os, signal, sys, threading

kind, count, delay = sys.argv.pop(1), int(sys.argv.pop(1)), float(sys.argv.pop(1))
rename, left = os.replace, iter(range(count - 1, -2, -1))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def replace(source, target):
    if fnmatch.fnmatch(os.path.basename(target), kind) and next(left) == 0:
        threading.Timer(delay, die).start() if delay else die()
    rename(source, target)

os.replace = replace
from gdlab.__main__ import main
main()
"""


def killed(*arguments: str, kind: str, count: int = 1, delay: float = 0.0) -> None:
    """Run a command of its own that is killed by SIGKILL."""
    words = (kind, str(count), str(delay), *arguments)
    done = start_command(*words, cwd=Path.cwd(), program=DIES).done(100)
    assert done.code == -signal.SIGKILL, f"it ended before it was killed: {done.err}"


def test_a_sweep_that_is_killed_and_resumed_equals_one_that_never_was(here, gd):
    assert gd(*FORTY, "hydra.sweep.dir=whole").code == 0
    assert len(shards(here / "whole")) == 10
    finished: dict[str, tuple[bytes, int]] = {}
    command = (*FORTY, "hydra.sweep.dir=s")
    random = Random(1)
    for _ in range(2):
        count, delay = random.randint(1, 3), random.uniform(0.001, 0.1)
        killed(*command, kind="0*.parquet", count=count, delay=delay)
        assert not (here / "s" / "results.parquet").exists()
        now = shards(here / "s")
        assert len(finished) + count <= len(now) < 10
        assert {name: now[name] for name in finished} == finished
        finished, command = now, ("resume=s",)
    killed("resume=s", kind="results.csv")
    assert [path.name for path in (here / "s").glob("results.*")] == ["results.parquet"]
    assert (here / "s" / ".results.csv.partial").is_file()
    assert gd("resume=s").code == 0
    now = shards(here / "s")
    assert len(now) == 10
    assert {name: now[name] for name in finished} == finished
    assert not list((here / "s").rglob("*.partial"))
    assert_same_sweep(here / "s", here / "whole")
    histories = sorted((here / "whole").glob("*/history.parquet"))
    assert len(histories) == 40
    for path in histories:
        assert (here / "s" / path.relative_to(here / "whole")).read_bytes() == path.read_bytes()


def test_resuming_removes_what_a_killed_run_left_in_its_directory(here, gd):
    words = ("-m", "lr=0.1,0.2,0.3,0.4", "steps=20", "engine.max_rows=2", "record.figures=false")
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    shutil.copytree("whole", "s")
    for name in ("shards/00001.parquet", "results.parquet", "results.csv", "sweep.json"):
        (here / "s" / name).unlink()
    half = here / "s" / "lr=0.3"
    (half / "result.json").unlink()
    (half / "history.parquet").rename(half / ".history.parquet.partial")
    before = {p: p.stat().st_mtime_ns for p in (here / "s" / "lr=0.1").rglob("*")}
    assert gd("resume=s").code == 0
    assert {p: p.stat().st_mtime_ns for p in (here / "s" / "lr=0.1").rglob("*")} == before
    listings = [
        sorted(p.relative_to(here / name).as_posix().split(".tfevents")[0] for p in files)
        for name in ("whole", "s")
        for files in [(here / name).rglob("*")]
    ]
    assert listings[0] == listings[1]
    assert_same_sweep(here / "s", here / "whole")
    for run in range(4):
        left, right = (gdlab.load(folder).history(run) for folder in ("s", "whole"))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


# Interrupted

SIX = ("-m", "lr=0.001,0.01,0.1", "seed=0,1", "start=random", "steps=300", "stop.grad_tol=0")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sweep_keeps_what_it_has_and_can_be_resumed(
    number, code, here, gd, monkeypatch
):
    words = (*SIX, "engine.max_rows=2", *QUIET)
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    chunks = []

    def counted(self: SweepProgress, chunk: Any) -> None:
        chunks.append(chunk)
        if len(chunk.loss) and len(chunks) == 5:  # of the second shard
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(SweepProgress, "__call__", counted)
        done = gd(*words, "hydra.sweep.dir=s")
    assert done.code == code
    assert "4 of 6 runs: 2 max_steps, 2 interrupted" in done.out
    partial = gdlab.load("s")
    results: Any = partial.results
    assert results["status"].tolist() == ["max_steps"] * 2 + ["interrupted"] * 2
    steps = results["steps"].tolist()
    assert steps[0] == 300
    assert 0 < steps[2] < 300
    texts = pd.read_csv(here / "s" / "results.csv")
    assert texts["final_loss"].tolist() == results["final_loss"].tolist()
    for run, taken in enumerate(steps):
        last = partial.history(run).iloc[-1]
        assert last["step"] == taken
        assert last["loss"] == results["final_loss"][run]
    finished = shards(here / "s")
    assert list(finished) == ["00000.parquet"]
    assert gd("resume=s").code == 0
    assert shards(here / "s")["00000.parquet"] == finished["00000.parquet"]
    assert_same_sweep(here / "s", here / "whole")
    assert len(gdlab.load("s").history(3)) == 301


def test_a_sweep_that_is_interrupted_before_its_first_step_has_a_table(here, gd, monkeypatch):
    def at_once(self: ProgressBar) -> ProgressBar:
        os.kill(os.getpid(), signal.SIGINT)
        return self

    with monkeypatch.context() as patched:
        patched.setattr(ProgressBar, "__enter__", at_once)
        assert gd(*SIX, "engine.max_rows=2", *TABLES, "hydra.sweep.dir=s").code == 130
    assert table("s")["status"].tolist() == ["interrupted"] * 2
    assert gd("resume=s").code == 0
    assert gd(*SIX, "engine.max_rows=2", *TABLES, "hydra.sweep.dir=whole").code == 0
    assert_same_sweep(here / "s", here / "whole")


# Resumed with other settings

SMALL = ("-m", "lr=0.1,0.2", "seed=range(3)", "optimizer=sgd", "steps=5", *TABLES)

# an additional override, and the refusal; None if the value is the same
SAID = [
    (["lr=0.1,0.2"], None),
    (["lr=0.10,2e-1"], None),
    (["seed=range(3)"], None),
    (["seed=0,1,2", "steps=5"], None),
    (["optimizer=sgd"], None),
    (["steps=6"], "steps=6: the sweep in s had steps=5"),
    (["lr=0.1,0.3"], "lr=0.1,0.3: the sweep in s had lr=0.1,0.2"),
    (["lr=0.2,0.1"], "lr=0.2,0.1: the sweep in s had lr=0.1,0.2"),
    (["lr=0.1"], "lr=0.1: the sweep in s had lr=0.1,0.2"),
    (["seed=range(4)"], "seed=range(4): the sweep in s had seed=0,1,2"),
    (["optimizer=adam"], "optimizer=adam: the sweep in s had optimizer=sgd"),
    (["noise=1"], "noise.scale=1: the sweep in s had noise.scale=0.0"),
    (["steps=5", "noise=1"], "noise.scale=1: the sweep in s had noise.scale=0.0"),
    (["loss._target_=os.system"], "loss._target_=os.system: the sweep in s had no loss._target_"),
    (["~lr"], "~lr: the sweep in s had no ~lr"),
    (["lr"], "lr: the sweep in s had lr=0.1,0.2"),
    (["lr=["], "lr=[: the sweep in s had lr=0.1,0.2"),
]


def test_resumed_with_other_settings_is_refused_with_the_difference(here, gd):
    assert gd(*SMALL, "hydra.sweep.dir=s").code == 0
    (here / "s" / "results.parquet").unlink()
    for words, says in SAID:
        done = gd("resume=s", *words)
        if says is None:
            assert done.code == 0, (words, done)
            (here / "s" / "results.parquet").unlink()
        else:
            assert says in refusal(done), words
            assert not (here / "s" / "results.parquet").exists()


def test_a_second_sweep_in_the_same_directory_is_refused(here, gd):
    assert gd(*SMALL, "hydra.sweep.dir=s").code == 0
    before = {p: p.read_bytes() for p in sorted((here / "s").rglob("*")) if p.is_file()}
    said = refusal(gd(*SMALL, "hydra.sweep.dir=s"))
    assert "hydra.sweep.dir=s: holds a sweep; resume=s continues it" in said
    assert {p: p.read_bytes() for p in sorted((here / "s").rglob("*")) if p.is_file()} == before


# Damaged


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    at = len(content) // 4
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def edited(change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return edit


# the file, what happens to it, and the file that the error names
DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("plan.json", lambda content: b"", "plan.json"),
    ("plan.json", lambda content: b"\xff\xfe", "plan.json"),
    ("plan.json", lambda content: b"[" * 100_000, "plan.json"),
    ("plan.json", lambda content: b"[]", "plan.json"),
    ("plan.json", lambda content: b"{}", "plan.json"),
    ("plan.json", lambda content: b'{"axes": [], "groups": []}', "plan.json"),
    ("plan.json", lambda content: b'{"axes": [], "groups": [{}]}', "plan.json"),
    ("plan.json", cut, "plan.json"),
    ("plan.json", edited(lambda plan: plan["axes"].pop()), "plan.json"),
    ("plan.json", edited(lambda plan: plan["axes"][0]["values"].pop()), "plan.json"),
    ("plan.json", edited(lambda plan: plan["axes"][0].pop("texts")), "plan.json"),
    ("plan.json", edited(lambda plan: plan["groups"].append(plan["groups"][0])), "plan.json"),
    ("plan.json", edited(lambda plan: plan["groups"][0].pop("columns")), "plan.json"),
    ("plan.json", edited(lambda plan: plan["groups"][0]["template"].update(x=1)), "plan.json"),
    ("plan.parquet", lambda content: b"", "plan.parquet"),
    ("plan.parquet", cut, "plan.parquet"),
    ("plan.parquet", flipped, "plan.parquet"),
    ("shards/00001.parquet", lambda content: b"", "00001.parquet"),
    ("shards/00001.parquet", cut, "00001.parquet"),
    ("shards/00001.parquet", flipped, "00001.parquet"),
]


def test_a_damaged_file_is_named_and_nothing_is_written(here, gd):
    assert gd(*SMALL, "engine.max_rows=3", "hydra.sweep.dir=s").code == 0
    (here / "s" / "results.parquet").unlink()
    for number, (name, damage, says) in enumerate(DAMAGE):
        path = here / "s" / name
        whole = path.read_bytes()
        assert damage(whole) != whole
        if damage is flipped:
            path.write_bytes(damage(whole))
        else:  # as if a person had edited it, and listed its digest
            write_with_digest(here / "s", name, damage(whole))
        said = refusal(gd("resume=s"))
        assert says in said, (number, name, said)
        assert not (here / "s" / "results.parquet").exists()
        path.write_bytes(whole)
    other = (here / "s" / "shards" / "00000.parquet").read_bytes()
    write_with_digest(here / "s", "shards/00001.parquet", other)  # whole, but of other runs
    assert "00001.parquet" in refusal(gd("resume=s"))
    (here / "s" / "plan.parquet").unlink()
    assert "plan.parquet" in refusal(gd("resume=s"))


# the file of a finished sweep, what happens to it
RESULTS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("results.parquet", lambda content: b""),
    ("results.parquet", cut),
    ("results.parquet", lambda content: content[:-1]),
    ("results.parquet", flipped),
    ("sweep.json", lambda content: b""),
    ("sweep.json", cut),
]


def test_damaged_results_are_named_and_rebuilt_from_the_shards(here, gd):
    assert gd(*SMALL, "engine.max_rows=3", "hydra.sweep.dir=s").code == 0
    shutil.copytree("s", "whole")
    before = shards(here / "s")
    for name, damage in RESULTS:
        path = here / "s" / name
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(gdlab.RecordError, match=f"s/{name}: missing or damaged"):
            gdlab.load("s")
        assert gd("resume=s").code == 0
        assert shards(here / "s") == before
        assert_same_sweep(here / "s", here / "whole")


@pytest.mark.parametrize("directory", ["nowhere", "empty", "run"])
def test_there_is_nothing_to_resume(directory, here, gd):
    (here / "empty").mkdir()
    assert gd("steps=3", "hydra.run.dir=run", *QUIET).code == 0
    before = sorted(here.rglob("*"))
    why = "there is no such folder" if directory == "nowhere" else "holds no sweep (no plan.json)"
    assert why in refusal(gd(f"resume={directory}"))
    assert sorted(here.rglob("*")) == before


# Classes

MINE = """
import torch
import gdlab

class Bowl(gdlab.Loss):
    dim: int = 2
    k: gdlab.Number = 0.0
    start = (1.0, 1.0)

    def __call__(self, x):
        if bool((torch.as_tensor(self.k) == 3).any()) and bool((x < 0.9).any()):
            raise ValueError("three is refused")
        return x.square().sum(-1)

class Steep(Bowl):
    def __call__(self, x):
        return 2 * x.square().sum(-1)
"""


def test_a_plan_with_custom_classes_resumes_only_if_each_is_named_again(here, gd):
    (here / "mine.py").write_text(MINE)
    own = ("loss=custom", "loss._target_=mine.Bowl,mine.Steep")
    assert gd("-m", *own, "lr=0.1,0.2", "steps=3", *TABLES, "hydra.sweep.dir=s").code == 0
    whole = (here / "s" / "results.parquet").read_bytes()
    del sys.modules["mine"]
    for named, missing in [((), "Bowl"), (("Bowl",), "Steep"), (("Steep",), "Bowl")]:
        said = refusal(gd("resume=s", *(f"loss._target_=mine.{name}" for name in named)))
        assert f"its plan names mine.{missing}" in said
        assert f"_target_=mine.{missing}" in said
    assert gd("resume=s", "loss._target_=mine.Bowl", "loss._target_=mine.Steep").code == 0
    assert gd("resume=s", *own).code == 0
    assert (here / "s" / "results.parquet").read_bytes() == whole


@pytest.mark.parametrize("node", ["loss", "optimizer", "schedule"])
def test_a_class_that_only_the_plan_names_is_not_imported(node, here, gd):
    (here / "evil.py").write_text("open('imported', 'w').close()")
    assert gd(*SMALL, "hydra.sweep.dir=s").code == 0
    plan = json.loads((here / "s" / "plan.json").read_text())
    for target in ("evil.Loss", "os.system", "gdlabs.Loss", 5):
        plan["groups"][0]["settings"][node]["_target_"] = target
        write_with_digest(here / "s", "plan.json", json.dumps(plan).encode())
        assert f"its plan names {target}" in refusal(gd("resume=s"))
    assert "evil" not in sys.modules
    assert not (here / "imported").exists()


@pytest.mark.parametrize("target", ["gdlab.__main__.main", "gdlab.recording.files.os.system"])
def test_what_is_not_a_class_of_gdlab_is_refused(target, here, gd):
    assert gd(*SMALL, "hydra.sweep.dir=s").code == 0
    plan = json.loads((here / "s" / "plan.json").read_text())
    plan["groups"][0]["settings"]["loss"]["_target_"] = target
    write_with_digest(here / "s", "plan.json", json.dumps(plan).encode())
    assert f"loss._target_={target}" in refusal(gd("resume=s"))


# Runs that fail or diverge


def test_a_run_that_raises_fails_alone_and_is_listed(here, gd):
    (here / "mine.py").write_text(MINE)
    own = ("-m", "loss=custom", "loss._target_=mine.Bowl", "steps=5", *QUIET)
    done = gd(*own, "loss.k=1,3,5", "seed=0,1", "hydra.sweep.dir=s")
    assert done.code == 1
    assert "6 of 6 runs: 4 max_steps, 2 failed" in done.out
    for seed in (0, 1):
        assert f"failed: k=3,seed={seed}: ValueError after step" in done.out
    results = table("s")
    failed = results[results["status"] == "failed"]
    assert failed["run"].tolist() == [2, 3]
    for steps, reason in zip(failed["steps"], failed["reason"], strict=True):
        said = f"ValueError after step {steps}: three is refused (mine.py, line "
        assert reason.startswith(said)
    assert gd(*own, "loss.k=1,5", "seed=0,1", "hydra.sweep.dir=t").code == 0
    others = results.drop(index=[2, 3], columns=["run", "seconds"]).reset_index(drop=True)
    alone = table("t").drop(columns=["run", "seconds"])
    pd.testing.assert_frame_equal(others, alone, check_exact=True)
    assert gd("resume=s", "loss._target_=mine.Bowl").code == 1


def test_all_failures_are_counted_where_they_are_too_many_to_list(here, gd):
    (here / "mine.py").write_text(MINE)
    own = ("-m", "loss=custom", "loss._target_=mine.Bowl", "steps=2", "loss.k=3", *TABLES)
    done = gd(*own, "seed=range(23)", "hydra.sweep.dir=s")
    assert done.code == 1
    assert done.out.count("failed: seed=") == 20
    assert "and 3 more: status=failed in the tables" in done.out


@pytest.mark.parametrize("bad", ["[1e200,1]", "[1,-1e308]"])
def test_a_start_without_a_finite_loss_affects_no_other_run(bad, here, gd):
    words = ("-m", "loss=rosenbrock", "lr=0.001", "steps=40", *TABLES)
    assert gd(*words, f"start=[0,1],{bad},[-1,1]", "hydra.sweep.dir=s").code == 0
    assert gd(*words, "start=[0,1],[-1,1]", "hydra.sweep.dir=t").code == 0
    results = table("s")
    assert results["status"].tolist() == ["max_steps", "diverged", "max_steps"]
    assert results["steps"][1] == 0
    assert results["reason"][1].endswith("not finite at the start")
    others = results.drop(index=1, columns=["run", "seconds"]).reset_index(drop=True)
    alone = table("t").drop(columns=["run", "seconds"])
    pd.testing.assert_frame_equal(others, alone, check_exact=True)


# A full disk

# how large a file may be, and what is written
FULL = [
    (9_000, ("lr=tag(log,interval(0.001,0.1))", "seed=range(10)", *TABLES)),  # a shard's table
    (9_000, ("lr=0.001,0.01", "steps=900", "record.figures=false")),  # a history and events
    (200, ("lr=0.001,0.01", *QUIET)),  # the plan itself
]


@pytest.mark.parametrize(("limit", "words"), FULL)
def test_a_full_disk_is_one_line_and_the_sweep_goes_on_afterwards(limit, words, here, gd):
    command = ("-m", *words)
    assert gd(*command, "hydra.sweep.dir=whole").code == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        done = gd(*command, "hydra.sweep.dir=s")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = refusal(done, code=1)
    assert said.startswith("error: s"), said
    assert "File too large" in said
    if limit < 1000:  # there is no plan yet
        assert "holds no sweep" in refusal(gd("resume=s"))
    else:
        assert gd("resume=s").code == 0
        assert_same_sweep(here / "s", here / "whole")


# A directory that may not be written to


@pytest.fixture
def as_anyone() -> Iterator[None]:
    """Root is refused where the mode of a directory says so, as anyone is.

    Linux lets root past the modes by the capability CAP_DAC_OVERRIDE, which a thread may lay down
    and, as long as it is permitted, take up again.
    """
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root may write everywhere")
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the interface's version, this thread
    held, less = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == libc.capget(header, less) == 0
    less[0] &= ~(1 << 1)  # of those in effect the second
    assert libc.capset(header, less) == 0
    yield
    assert libc.capset(header, held) == 0


def tree(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_a_read_only_directory_is_one_line_and_nothing_is_lost(here, gd, as_anyone):
    words = (*SMALL, "engine.max_rows=3", "record.max_run_dirs=6")
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    shutil.copytree("whole", "s")
    (here / "s" / "shards" / "00001.parquet").unlink()
    for seed in range(3):  # its runs had just begun
        shutil.rmtree(f"s/lr=0.2,seed={seed}")
        (here / "s" / f"lr=0.2,seed={seed}").mkdir()
    before, empty = tree(here / "s"), here / "empty"
    empty.mkdir(mode=0o555)
    said = refusal(gd(*words, "hydra.sweep.dir=empty/s"))
    assert "empty/s: cannot be made (Permission denied)" in said
    assert "empty" in refusal(gd(*words, "hydra.sweep.dir=empty"), code=1)
    assert list(empty.iterdir()) == []
    for name in ("s", "s/shards"):
        (here / name).chmod(0o555)
        said = refusal(gd("resume=s"), code=1)
        assert said.startswith(f"error: {name}/"), said
        assert "Permission denied" in said
        (here / name).chmod(0o755)
        after = tree(here / "s")
        # The list of digests may name a table before it exists.
        assert all(after[path] == before[path] for path in before if path.name != "SHA256SUMS")
    assert gd("resume=s").code == 0
    assert_same_sweep(here / "s", here / "whole")


# A dry run


def test_a_dry_run_says_what_it_would_do_and_makes_nothing(here, gd):
    words = ("-m", "optimizer=sgd,adam", "lr=interval(0.1,1)", "seed=range(5)", "steps=77")
    done = gd(*words, "engine.max_rows=40", "dry_run=true", "hydra.sweep.dir=s")
    assert done.code == 0
    assert "200 runs in 2 batches, cut into 6 shards" in done.out
    for optimizer in ("sgd", "adam"):
        line = f"quadratic, {optimizer}: R = 100, D = 2, T = 77, varying in lr, seed"
        assert line in done.out
    assert "nothing was run" in done.out
    assert list(here.iterdir()) == []


def test_a_summary_that_cannot_be_made_is_refused_before_anything_runs(here, gd):
    assert "summary.metric=speed" in refusal(gd(*SMALL, "summary.metric=speed"))
    assert "summary.by=sede" in refusal(gd(*SMALL, "summary.by=[sede]"))
    assert list(here.iterdir()) == []


# Directories of some runs

MANY = (
    *("-m", "optimizer=sgd,adam", "loss=rosenbrock", "lr=tag(log,interval(1e-5,1))"),
    *("steps=30", "engine.max_rows=15", "record.figures=false", "record.events=false"),
)


@pytest.mark.parametrize(("most", "figures"), [(2, 20), (5, 20), (5, 0), (5, 1), (12, 3), (39, 20)])
def test_above_the_limit_the_best_the_worst_and_a_spread_have_directories(most, figures, here, gd):
    limits = (f"record.max_run_dirs={most}", f"record.max_figures={figures}")
    assert gd(*MANY, *limits, "hydra.sweep.dir=s").code == 0
    sweep = gdlab.load("s")
    kept = list(sweep.directories or {})
    assert len(kept) == most
    folders = [path.parent.name for path in (here / "s").glob("*/result.json")]
    assert sorted(folders) == sorted((sweep.directories or {}).values())
    results: Any = sweep.results
    lost = results["status"] == "diverged"
    value = results["final_loss"].where(~lost, np.inf)
    assert lost.any() and not (results["status"] == "converged").any()
    ranked = value.sort_values(kind="stable").index.tolist()
    assert ranked[0] in kept
    assert ranked[-1] in kept
    if most >= 12:  # a spread: no part of the ranking is left out
        places = sorted(ranked.index(run) for run in kept)
        assert max(np.diff(places)) <= 2 * len(ranked) / (most - 2)
    for run in kept:
        history: Any = sweep.history(run)
        row = results.loc[run]
        last = history.iloc[-1]
        assert len(history) == row["steps"] + 1
        for mine, its in (("final_loss", "loss"), ("x0", "x0"), ("x1", "x1")):
            np.testing.assert_equal(last[its], row[mine])
    gone = next(run for run in range(40) if run not in kept)
    with pytest.raises(gdlab.RecordError, match=f"run {gone} has no history"):
        sweep.history(gone)
