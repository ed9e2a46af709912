"""Sweeps run by processes: the same results as in one process, whatever happens to them."""

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.command import QUIET, TABLES, Started, refusal, start_command
from helpers.files import assert_same_sweep, assert_same_tables, table

import gdlab
from gdlab import SettingError
from gdlab.config.loading import settings_from_flat
from gdlab.engine.status import Status
from gdlab.numerics.threads import cores
from gdlab.runs.interruption import WAITING
from gdlab.sweeps.executors import processes as pools
from gdlab.sweeps.executors.choice import with_shards_for
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.grid import Axis, product
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.plan import Plan

PROCESSES = "hydra.launcher.executor=processes"

# A loss that leaves a file for each process that computes it, and fails where files tell it to.
MINE = """
import os
import signal
import threading
from pathlib import Path
import gdlab

class Printing(gdlab.Loss):
    dim: int = 2
    k: gdlab.Number = 1.0
    start = (1.0, -2.0)

    def __call__(self, x):
        Path(f"pid={os.getpid()}").touch()
        if Path("raise").exists() and bool((x < 0.9).any()):
            raise ValueError("told to")
        if Path("die").exists() and Path("die").read_text() != str(os.getpid()):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.k * x.square().sum(-1)

class Locked(Printing):
    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "lock", threading.Lock())

class Home(Printing):
    def __setstate__(self, state):
        if os.getpid() != int(Path("home").read_text()):
            raise RuntimeError("far from home")
        self.__dict__.update(state)
"""
OWN = ("-m", "loss=custom", "loss._target_=mine.Printing")


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Limit this process, and those it starts, to a number of cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    with at_most(2):
        yield


@pytest.fixture
def one_core(two_cores) -> Iterator[None]:
    """One other process, where two would show no more: each takes more than a second to start."""
    with at_most(1):
        yield


@contextmanager
def left_to(pool: Any) -> Iterator[None]:
    """Leave the same processes to all sweeps of a block, which do not ask how they start and end.

    They start with the first, in its working directory.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pools, "_open_pool", lambda _: nullcontext(pool))
        yield


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    """One other process for all sweeps that need no files where they run."""
    with pools._open_pool(1) as opened:
        yield opened


@pytest.fixture
def shared_process(one_core, pool) -> Iterator[None]:
    with left_to(pool):
        yield


@pytest.fixture
def mine(here) -> Path:
    (here / "mine.py").write_text(MINE)
    return here


def pids(folder: Path) -> set[int]:
    """The processes that computed the loss since the last call."""
    found = list(folder.glob("pid=*"))
    for path in found:
        path.unlink()
    return {int(path.name.removeprefix("pid=")) for path in found}


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def assert_gone(processes: set[int]) -> None:
    until = time.monotonic() + 60
    while any(map(is_alive, processes)):
        assert time.monotonic() < until, "processes outlive the sweep"
        time.sleep(0.05)


# The same results


def test_processes_write_what_one_process_writes(mine, gd):
    words = (*OWN, "lr=0.01,0.1,1", "seed=range(30)", "optimizer=sgd,adam", "start=random")
    words = (*words, "steps=40", "noise=0.1", *QUIET)
    assert gd(*words, "hydra.sweep.dir=alone").code == 0
    assert pids(mine) == {os.getpid()}
    done = gd(*words, PROCESSES, "hydra.sweep.dir=s")
    assert done.code == 0
    assert "180 of 180 runs" in done.out
    # The parent computes it too, when it looks at the settings before the start.
    assert len(pids(mine) - {os.getpid()}) == cores()
    # two of 64 and 26 for each optimizer with two cores, one of 90 with one
    assert len(list((mine / "s" / "shards").iterdir())) == 2 * cores()
    assert len(list((mine / "alone" / "shards").iterdir())) == 2
    assert len(gdlab.load("s").directories or {}) == 180
    assert_same_sweep("s", "alone", every=7)


def test_one_process_can_finish_what_several_began_and_vice_versa(mine, gd, one_core):
    words = (*OWN, "lr=tag(log,interval(1e-3,2))", "seed=range(9)", "steps=40", *TABLES)
    words = (*words, "engine.max_rows=64")
    named = "loss._target_=mine.Printing"
    with pools._open_pool(1) as pool, left_to(pool):
        assert gd(*words, PROCESSES, "hydra.sweep.dir=s").code == 0
        plan = json.loads((mine / "s" / "plan.json").read_text())
        assert (plan["executor"], plan["rows"]) == ("processes", 64)
        assert gd(*words, "hydra.sweep.dir=t").code == 0
        whole = table("s")
        assert_same_tables(table("t"), whole)
        # a sweep, the overrides on resuming, and whether other processes run then
        for name, said, is_far in (
            ("s", ["hydra.launcher.executor=serial"], False),
            ("s", [], True),
            ("t", [PROCESSES], True),
        ):
            first, *others = sorted((mine / name / "shards").iterdir())
            kept = (first.read_bytes(), first.stat().st_mtime_ns)
            assert len(others) == 2
            for path in (*others, mine / name / "results.parquet"):
                path.unlink()
            pids(mine)
            assert gd(f"resume={name}", named, *said).code == 0
            assert bool(pids(mine) - {os.getpid()}) == is_far, (name, said)
            assert_same_tables(table(name), whole)
            assert (first.read_bytes(), first.stat().st_mtime_ns) == kept


def test_a_run_that_raises_in_a_process_fails_alone(mine, gd, one_core):
    (mine / "raise").touch()
    words = (*OWN, "start=[1,1],[9,9]", "lr=0.01", "seed=range(50)", "steps=8", *TABLES)
    done = gd(*words, PROCESSES, "hydra.sweep.dir=s")
    assert done.code == 1
    assert "100 of 100 runs: " in done.out
    assert pids(mine) - {os.getpid()}
    results = table("s")
    is_failed = results["status"] == "failed"
    assert is_failed.tolist() == [True] * 50 + [False] * 50
    assert (
        results["reason"][is_failed]
        .str.fullmatch(r"ValueError after step \d: told to \(\w+.py, line \d+\)")
        .all()
    )


# Refused before anything is made


@pytest.mark.parametrize("word", ["joblib", "Processes", "null", "3"])
def test_an_unknown_executor_is_refused(word, here, gd):
    said = refusal(gd("-m", "lr=1,2", f"hydra.launcher.executor={word}"), 2)
    assert f"hydra.launcher.executor={word}: must be one of serial, processes, ray" in said
    assert list(here.iterdir()) == []
    with pytest.raises(SettingError, match=r"^executor=mp: must be one of serial, processes, ray$"):
        gdlab.sweep(executor="mp")


def test_a_class_that_cannot_be_sent_is_refused(mine, gd):
    words = ("-m", "loss=custom", "loss._target_=mine.Locked", "lr=1,2", *TABLES)
    said = refusal(gd(*words, PROCESSES, "hydra.sweep.dir=s"), 2)
    assert f"{PROCESSES}: loss=Locked cannot be sent to another process (TypeError: " in said
    assert "use hydra.launcher.executor=serial" in said
    assert not (mine / "s").exists()
    assert gd(*words, "hydra.sweep.dir=s").code == 0
    said = refusal(gd("resume=s", "loss._target_=mine.Locked", PROCESSES), 2)
    assert "loss=Locked cannot be sent to another process" in said


def test_a_class_that_another_process_cannot_load_is_a_one_line_error(mine, gd):
    (mine / "home").write_text(str(os.getpid()))
    words = ("-m", "loss=custom", "loss._target_=mine.Home", "lr=1,2", *TABLES, PROCESSES)
    said = refusal(gd(*words, "hydra.sweep.dir=s"), 2)
    assert "another process cannot load the sweep's classes (RuntimeError: far from home)" in said


# A process dies, the disk is full


def test_a_process_that_dies_is_a_one_line_error_and_the_sweep_can_be_resumed(mine, gd, one_core):
    words = (*OWN, "lr=tag(log,interval(1e-3,2))", "seed=range(4)", "steps=40", *QUIET)
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    (mine / "die").write_text(str(os.getpid()))  # all others shall
    said = refusal(gd(*words, PROCESSES, "hydra.sweep.dir=s"), 1)
    assert said == (
        "error: s: a process of the sweep died (killed, or out of memory); "
        "resume=s continues the sweep\n"
    )
    (mine / "die").unlink()
    assert_gone(pids(mine) - {os.getpid()})
    assert gd("resume=s", "loss._target_=mine.Printing").code == 0
    assert_same_tables(table("s"), table("whole"))


def test_a_full_disk_in_a_process_is_a_one_line_error(here, gd, one_core):
    words = ("-m", "lr=0.001,0.01", "steps=900", *QUIET)
    assert gd(*words, "hydra.sweep.dir=whole").code == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))
    try:
        done = gd(*words, PROCESSES, "hydra.sweep.dir=s")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in refusal(done, 1)
    assert gd("resume=s", "hydra.launcher.executor=serial").code == 0
    assert_same_tables(table("s"), table("whole"))


# Interrupted

LONG = (*OWN, "lr=0.001,0.002", "seed=range(200)", "steps=20000000", "stop.grad_tol=0", *QUIET)
LONG = (*LONG, "start=random", "engine.max_rows=4", PROCESSES, "hydra.sweep.dir=s")


@pytest.fixture
def started(mine) -> Iterator[Started]:
    """A long sweep whose processes are at work; in its own process group, as in a terminal."""
    process = start_command(*LONG, cwd=mine, is_session=True)
    until = time.monotonic() + 60
    try:
        while not list(mine.glob("s/lr=*")):
            assert process.code is None, process.done(0).err
            assert time.monotonic() < until, "no process begins"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()


def test_an_interrupted_sweep_ends_soon_with_a_table(one_core, started, mine):
    """By Ctrl-C; test_runner.py sends SIGTERM, which gdlab handles alike."""
    os.killpg(started.pid, signal.SIGINT)
    done = started.done(60)
    assert done.code == 130
    assert done.err in ("", f"warning: {WAITING}\n")  # on a slow machine
    assert "of 400 runs: " in done.out
    assert_gone(pids(mine))
    results = table("s")
    assert set(results["status"]) == {"interrupted"}
    assert 0 < len(results) < 400
    assert 0 < results["steps"].max() < 20_000_000
    sweep = gdlab.load("s")
    assert sweep.directories is not None and sorted(sweep.directories) == results["run"].tolist()
    for run, steps in zip(results["run"], results["steps"], strict=True):
        assert sweep.history(run)["step"].iloc[-1] == steps
    assert list((mine / "s" / "shards").iterdir()) == []


def test_no_process_outlives_a_sweep_that_is_killed(one_core, started, mine):
    processes = pids(mine) - {started.pid}
    assert processes
    started.kill()
    assert_gone(processes)


# The plan and its shards, without a command


def plan_of(runs: int, **settings: Any) -> Plan:
    rates = np.geomspace(1e-3, 1.5, runs).tolist()
    axes = [Axis("lr", rates, list(map(repr, rates)))]
    grid = product(axes)
    groups = group_runs(
        grid, lambda _: settings_from_flat({"lr": rates[0], "steps": 60} | settings)
    )
    return Plan(grid, tuple(groups), (None,))


# runs, cores, engine.max_rows, and the sizes of the shards
CUTS = [
    (1, 2, 8192, [1]),
    (40, 2, 8192, [32, 8]),
    (128, 2, 8192, [32] * 4),
    (129, 2, 8192, [64, 64, 1]),
    (1000, 2, 8192, [256, 256, 256, 232]),
    (1000, 4, 8192, [128] * 7 + [104]),
    (1000, 2, 100, [100] * 10),
    (100, 2, 7, [7] * 14 + [2]),
]


@pytest.mark.parametrize(("runs", "cores", "most", "sizes"), CUTS)
def test_shards_are_small_enough_for_each_core_to_get_some(runs, cores, most, sizes):
    plan = plan_of(runs, **{"engine.max_rows": most})
    fine = with_shards_for(plan, "processes", cores=cores)
    assert [len(shard) for shard in fine.shards()] == sizes
    together = np.concatenate([shard.runs for shard in fine.shards()])
    assert together.tolist() == list(range(runs))
    assert list(map(len, with_shards_for(plan, "serial").shards())) == list(map(len, plan.shards()))


def run_all(plan: Plan, **given: Any) -> dict[int, Any]:
    found = dict(run_shards(plan, dict(enumerate(plan.shards())), **given))
    return {number: shard.to_pandas() for number, shard in found.items()}


def test_progress_hears_of_each_end_once_and_of_the_rows_that_run(shared_process):
    plan = with_shards_for(plan_of(200, steps=4000, **{"engine.mode": "eager"}), "processes")
    told: list[np.ndarray] = []
    found = run_all(plan, progress=lambda rows: told.append(rows.status.numpy()))
    ended = np.concatenate(told)
    ended = ended[ended != Status.RUNNING]
    wanted = pd.concat(found.values())["status"].map(lambda name: Status[name.upper()])
    assert len(wanted.unique()) > 1
    assert sorted(ended.tolist()) == sorted(wanted.tolist())
    assert any((statuses == Status.RUNNING).any() for statuses in told)
    assert max(map(len, told)) <= 200


def test_interrupted_at_once_there_is_a_table_of_the_first_shard():
    for executor in ("serial", "processes"):
        plan = dataclasses.replace(plan_of(200), executor=executor, rows=64)
        found = run_all(plan, interrupted=lambda: True)
        assert list(found) == [0]
        assert found[0]["run"].tolist() == list(range(64))
        assert set(found[0]["status"]) == {"interrupted"}


# From Python


def shifted(x):
    return ((x - 1) ** 2).sum()


LOSSES = [shifted, lambda x: (x**4).sum()]

# arguments, and whether there is a directory
FROM_PYTHON: list[tuple[Callable[[], dict[str, Any]], bool]] = [
    (lambda: {"optimizer": ["sgd", "adam"], "seed": range(40), "start": "random"}, True),
    (lambda: {"loss": LOSSES, "start": [1.0, 2.0], "lr": torch.logspace(-3, 0, 40)}, False),
]


@pytest.mark.parametrize(("given", "is_kept"), FROM_PYTHON)
def test_from_python_processes_give_the_same_table(given, is_kept, tmp_path, shared_process):
    """In a thread other than the main one, too."""
    alone = gdlab.sweep(**given(), steps=20)
    more = {"directory": tmp_path / "s", "record.figures": False} if is_kept else {}
    with ThreadPoolExecutor(1) as threads:
        swept = threads.submit(
            gdlab.sweep, **given(), steps=20, executor="processes", **more
        ).result(timeout=100)
    assert_same_tables(swept.results, alone.results)
    if is_kept:
        assert len(swept.history(1)) == swept.results["steps"][1] + 1


SCRIPT = """
import gdlab

class Bowl(gdlab.Loss):
    dim: int = 2
    k: gdlab.Number = 1.0
    start = (1.0, -2.0)

    def __call__(self, x):
        return self.k * x.square().sum(-1)

given = {"loss": Bowl(), "lr": [0.1, 0.2], "steps": 9, "loss.k": [1.0, 2.0]}
one, other = (gdlab.sweep(**given, executor=name).results for name in ("serial", "processes"))
print(one.drop(columns="seconds").equals(other.drop(columns="seconds")))
"""


def test_a_class_of_a_script_without_a_guard_is_sent_along(here, one_core):
    (here / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
