"""Sweeps by an executor that the caller hands over."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

import gdlab
from gdlab import SettingError

AXES: dict[str, Any] = {"lr": [0.01, 0.1], "seed": range(40), "start": "random", "steps": 30}


@pytest.fixture(scope="module")
def alone() -> Any:
    return gdlab.sweep(**AXES).results.drop(columns="seconds")


class Failing(gdlab.Loss):
    """A bowl that cannot be evaluated for a = 2."""

    a: gdlab.Number = 1.0

    @property
    def dim(self) -> int:
        return 2

    @property
    def start(self) -> tuple[float, ...]:
        return (1.0, 2.0)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if (torch.as_tensor(self.a) == 2).any():
            raise ValueError("no value")
        return self.a * (x**2).sum(-1)


def threads() -> Executor:
    return ThreadPoolExecutor(2)


def processes() -> Executor:
    return ProcessPoolExecutor(1, get_context("spawn"))


@pytest.mark.parametrize("make", [threads, processes])
def test_the_tables_are_those_of_one_process(make: Callable[[], Executor], alone: Any) -> None:
    with make() as pool:
        results = gdlab.sweep(**AXES, executor=pool).results
        assert pool.submit(abs, -1).result() == 1  # it stays the caller's
        failing = gdlab.sweep(Failing, a=[1.0, 2.0, 3.0], steps=2, executor=pool).results
    assert results.drop(columns="seconds").equals(alone)
    assert failing["status"].tolist() == ["max_steps", "failed", "max_steps"]


def test_sweeps_may_share_a_pool_at_once(alone: Any) -> None:
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(4) as callers:
        swept = [callers.submit(gdlab.sweep, **AXES, executor=pool) for _ in range(4)]
        assert all(s.result().results.drop(columns="seconds").equals(alone) for s in swept)


def test_directories_are_recorded_at_home(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        swept = gdlab.sweep(lr=[0.1, 0.2], steps=5, directory=tmp_path / "s", executor=pool, **BARE)
    assert [len(swept.history(run)) for run in (0, 1)] == [6, 6]


BARE: dict[str, Any] = {"record.figures": False, "record.events": False}


class Recording(Executor):
    """Runs what is submitted when its future is first waited for, or not at all."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures.append(future)
        if len(self.futures) == 1:
            future.set_exception(ValueError("no worker"))
        return future


def test_what_it_raises_is_raised_and_the_rest_is_canceled() -> None:
    pool = Recording()
    with pytest.raises(ValueError, match="no worker"):
        gdlab.sweep(**AXES, executor=pool)
    assert len(pool.futures) > 1
    assert all(future.cancelled() for future in pool.futures[1:])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_broken_executor_is_said_to_be_broken() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.raises(BrokenExecutor):
            pool.submit(die).result()
        with pytest.raises(ChildProcessError, match="the executor is broken"):
            gdlab.sweep(**AXES, executor=pool)


def test_an_executor_that_was_shut_down_is_said_to_take_nothing() -> None:
    with ThreadPoolExecutor(1) as pool:
        pass
    with pytest.raises(SettingError, match=r"^executor=<ThreadPoolExecutor>: takes no shard \("):
        gdlab.sweep(**AXES, executor=pool)


@pytest.mark.parametrize("given", [ThreadPoolExecutor, 3, None])
def test_what_is_no_executor_is_refused(given: Any) -> None:
    with pytest.raises(SettingError, match=r"^executor=.*: must be one of serial, processes, ray"):
        gdlab.sweep(**AXES, executor=given)


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_an_executor_of_dask(alone: Any) -> None:
    distributed: Any = pytest.importorskip("distributed", reason="dask is not installed")
    client = distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with client, client.get_executor() as pool:
        results = gdlab.sweep(**AXES, executor=pool).results
    assert results.drop(columns="seconds").equals(alone)
