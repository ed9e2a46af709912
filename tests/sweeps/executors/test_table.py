"""A new executor is a class and a line in the table."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

import gdlab
from gdlab import SettingError
from gdlab.sweeps.executors.base import Executor, Job, find_executor
from gdlab.sweeps.executors.board import FileBoard
from gdlab.sweeps.executors.processes import Processes
from gdlab.sweeps.executors.ray import Ray
from gdlab.sweeps.executors.serial import Serial
from gdlab.sweeps.executors.sizes import ShardCost
from gdlab.sweeps.executors.table import EXECUTORS
from gdlab.sweeps.executors.work import Work, run_work

AXES: dict[str, Any] = {"lr": [0.01, 0.1], "seed": range(60), "start": "random", "steps": 30}


class Threads:
    """Any `concurrent.futures.Executor` would do."""

    shares_cores = shares_disk = True
    needs_pickling = False
    cost = ShardCost(1e-3, 1e-2)
    names: ClassVar[set[str]] = set()

    def cores(self) -> int:
        return 2

    @contextmanager
    def open(self, job: Job) -> Iterator["_Session"]:
        with FileBoard.for_shards(job.shards) as board, ThreadPoolExecutor(1) as pool:
            yield _Session(pool, board)


class _Session:
    capacity = 2

    def __init__(self, pool: ThreadPoolExecutor, board: FileBoard) -> None:
        self.board, self._pool = board, pool

    def submit(self, work: Work, shard: int) -> "Future[Any]":
        def run() -> Any:
            Threads.names.add(threading.current_thread().name)
            if self.board.is_stopped():
                return None
            return run_work(work, self.board.is_stopped, lambda rows: self.board.note(shard, rows))

        return self._pool.submit(run)


@pytest.fixture
def threads(monkeypatch) -> None:
    monkeypatch.setitem(EXECUTORS, "threads", f"{__name__}.Threads")


# The annotation lets the type checker compare each class with the protocol.
FOLLOW: list[Executor] = [Serial(), Processes(), Ray(), Threads()]


def test_each_name_in_the_table_is_a_class_that_follows_the_protocol():
    assert [type(find_executor(name)) for name in EXECUTORS] == [type(e) for e in FOLLOW[:3]]


@pytest.mark.usefixtures("threads")
def test_a_line_in_the_table_is_all_that_a_new_executor_needs():
    alone = gdlab.sweep(**AXES).results
    results = gdlab.sweep(**AXES, executor="threads").results
    assert results.drop(columns="seconds").equals(alone.drop(columns="seconds"))
    assert Threads.names and threading.current_thread().name not in Threads.names
    with pytest.raises(SettingError, match=r"must be one of serial, processes, ray, threads$"):
        gdlab.sweep(executor="thread")


@pytest.mark.usefixtures("threads")
def test_the_command_line_and_the_plan_know_a_new_executor_by_its_name(here, gd):
    words = ("-m", "lr=0.01,0.1", "seed=range(60)", "steps=9", "record.max_run_dirs=0")
    done = gd(
        *words, "record.figures=false", "hydra.launcher.executor=threads", "hydra.sweep.dir=s"
    )
    assert done.code == 0
    plan = json.loads((here / "s" / "plan.json").read_text())
    assert plan["executor"] == "threads"
    whole = (here / "s" / "results.csv").read_text()
    for path in (here / "s" / "shards").iterdir():
        path.unlink()
    assert gd("resume=s").code == 0
    assert "120 of 120 runs" in done.out
    assert len((here / "s" / "results.csv").read_text()) > 0.9 * len(whole)


@pytest.mark.usefixtures("threads")
def test_all_shards_run_when_those_in_flight_end_together():
    given: dict[str, Any] = {**AXES, "engine.max_rows": 5}
    results = gdlab.sweep(**given, executor="threads").results
    assert len(results) == 120
