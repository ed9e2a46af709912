"""What the driver does whatever the executor: limits what is in flight, and goes on past losses."""

import errno
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.command import TABLES
from helpers.files import table

import gdlab
from gdlab import SettingError
from gdlab.engine.status import Status
from gdlab.sweeps.executors import driver
from gdlab.sweeps.executors.base import Job, ProcessDied, ShardLost
from gdlab.sweeps.executors.board import FileBoard, Told
from gdlab.sweeps.executors.counts import Counts
from gdlab.sweeps.executors.table import EXECUTORS
from gdlab.sweeps.executors.work import Work, run_work


class Losing:
    """Runs shards at once, but loses the first ones, so often each."""

    shares_cores = shares_disk = True
    needs_pickling = False
    cost = None
    lost, times, error = 2, 9, ShardLost(errno.ECHILD, "a worker died")

    def cores(self) -> int:
        return 1

    @contextmanager
    def open(self, job: Job) -> Iterator["Losing"]:
        with FileBoard.for_shards(job.shards) as self.board:
            self.capacity, self.tries = 100, Counter[int]()
            yield self

    def submit(self, work: Work, shard: int) -> "Future[Any]":
        future: Future[Any] = Future()
        self.tries[shard] += 1
        if shard < self.lost and self.tries[shard] <= self.times:
            future.set_exception(self.error)
        else:
            future.set_result(run_work(work))
        return future


@pytest.fixture
def losing(monkeypatch) -> None:
    monkeypatch.setitem(EXECUTORS, "losing", f"{__name__}.Losing")


WORDS = ("-m", "lr=0.1,0.2", "seed=range(10)", "start=random", "steps=5", *TABLES)
WORDS = (*WORDS, "engine.max_rows=4", "hydra.sweep.dir=s")


def test_shards_that_are_lost_are_named_and_can_be_resumed(losing, here, gd):
    done = gd(*WORDS, "hydra.launcher.executor=losing")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: s: shards 0, 1 (8 runs) lost: a worker died; resume=s continues the sweep\n"
    )
    assert table("s")["run"].tolist() == list(range(8, 20))
    assert gd("resume=s", "hydra.launcher.executor=serial").code == 0
    assert table("s")["run"].tolist() == list(range(20))


@pytest.mark.parametrize("times", [0, 1, 3, 4])
def test_a_shard_whose_process_dies_is_run_again_three_times(times, losing, here, gd, monkeypatch):
    monkeypatch.setattr(Losing, "times", times)
    monkeypatch.setattr(Losing, "error", ProcessDied(errno.ECHILD, "fell asleep"))
    done = gd(*WORDS, "hydra.launcher.executor=losing")
    told = [
        "warning: a process that ran a part of the sweep fell asleep; it is run again "
        f"(try {tries} of 4)"
        for tries in range(2, 2 + min(times, 3))
    ]
    if is_lost := times == 4:
        lost = "shards 0, 1 (8 runs) lost: the process fell asleep at each of 4 tries"
        told.append(f"error: s: {lost}; resume=s continues the sweep")
    assert (done.code, done.err.splitlines()) == (int(is_lost), told)
    assert table("s")["run"].tolist() == list(range(8 * is_lost, 20))


SMALL = gdlab.Engine(max_rows=4)


def test_one_lost_shard_is_one(losing, monkeypatch):
    monkeypatch.setattr(Losing, "lost", 1)
    with pytest.raises(ChildProcessError, match=r"shard 0 \(4 runs\) lost: a worker died"):
        gdlab.sweep(lr=[0.1] * 12, steps=2, executor="losing", engine=SMALL)


@pytest.mark.parametrize(("limit", "most"), [(2**30, 6), (4 * 2**9 * 3, 3), (1, 1)])
def test_the_tables_of_submitted_shards_fit_into_a_limit(limit, most, losing, monkeypatch):
    """So many shards of 4 rows, half a KiB each; then by the tables that came."""
    counts, running = [], driver.wait
    monkeypatch.setattr(driver, "_BYTES", limit)
    monkeypatch.setattr(driver, "wait", lambda f, *a: counts.append(len(f)) or running(f, *a))
    monkeypatch.setattr(Losing, "lost", 0)
    rates = np.linspace(0.1, 0.2, 24).tolist()
    gdlab.sweep(lr=rates, steps=2, executor="losing", engine=SMALL)
    assert counts[0] == max(counts) == most


def test_a_shard_that_begins_anew_takes_nothing_back():
    board, told = Counts(2, len(Status)), Told()
    begun, ended = np.zeros((2, len(Status)), dtype=np.int64)
    ended[[Status.RUNNING, Status.DIVERGED]] = 3, 2
    heard = []
    for counts in (ended, begun, ended):
        assert not board.note(0, counts)
        heard.append(told.update(board.read([])).status.tolist())
    assert heard == [[0, 0, 0, 4, 4], [], [0, 0, 0]]
    assert board.stop() == {0}
    assert board.note(0, begun)


def test_what_comes_after_a_shard_ended_counts_no_more():
    board, rows = Counts(2, len(Status)), np.ones(len(Status), dtype=np.int64)
    for shard in (0, 1):
        board.note(shard, rows)
    assert board.read([0]).tolist() == rows.tolist()
    board.note(0, 5 * rows)
    assert board.read([]).tolist() == rows.tolist()


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingError, match=r"^executor=ray: needs Ray: pip install 'gdlab\[ray\]'"):
        gdlab.sweep(lr=[0.1, 0.2], executor="ray")


def test_a_cluster_that_does_not_answer_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(SettingError, match=r"^RAY_ADDRESS=127.0.0.1:1: .*Connection refused\)$"):
        gdlab.sweep(lr=[0.1, 0.2], executor="ray")
