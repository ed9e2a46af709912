"""Sweeps on a Ray cluster, two nodes on this machine: the same tables, whatever happens to them.

They have their own target: make ray.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.command import QUIET, TABLES, refusal
from helpers.files import table

import gdlab
from gdlab.sweeps.executors import ray as executor
from gdlab.sweeps.plan import Plan

ray: Any = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gdlab[ray]'")
cluster_utils: Any = pytest.importorskip("ray.cluster_utils")

pytestmark = [
    pytest.mark.ray,
    # Ray's own, at its start and when it ends.
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

RAY = "hydra.launcher.executor=ray"

# A loss in a module that only the driver can import. A process that computes it leaves a file in
# the folder, and fails where files there tell it to. The tests give its folder.
MINE = """
import os
import signal
import time
from pathlib import Path
import gdlab

class Far(gdlab.Loss):
    folder: str = ""
    dim: int = 2
    k: gdlab.Number = 1.0
    start = (1.0, -2.0)

    def __call__(self, x):
        folder = Path(self.folder)
        (folder / f"pid={os.getpid()}").touch()
        if (folder / "die").exists() and (folder / "die").read_text() != str(os.getpid()):
            if bool((x > 5).any()):
                os.kill(os.getpid(), signal.SIGKILL)
        return self.k * x.square().sum(-1)

class Home(Far):
    def __setstate__(self, state):
        folder = Path(state["folder"])
        if str(os.getpid()) != (folder / "home").read_text():
            (folder / f"tried={time.time_ns()}").touch()
            raise RuntimeError("far from home")
        self.__dict__.update(state)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with one core each; the first is that of the driver."""
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def far(here: Path) -> tuple[str, ...]:
    """The words of a sweep of a loss that the nodes, which began elsewhere, cannot import."""
    (here / "mine.py").write_text(MINE)
    return ("-m", "loss=custom", "loss._target_=mine.Far", f"+loss.folder={here}")


def assert_same_tables(one: Any, other: Any) -> None:
    left, right = (found.drop(columns="seconds") for found in (one, other))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def workers() -> list[int]:
    """The processes of Ray that run a shard now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::_run"):
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


# The same results


def test_a_sweep_has_the_tables_and_directories_of_one_process(cluster, far, gd, here):
    words = (*far, "lr=0.01,0.1,1", "seed=range(20)", "optimizer=sgd,adam", "start=random")
    words = (*words, "steps=40", "noise=0.1", "record.max_run_dirs=120", *QUIET)
    assert gd(*words, "hydra.sweep.dir=alone").code == 0
    done = gd(*words, RAY, "hydra.sweep.dir=s")
    assert (done.code, done.err) == (0, "")
    assert "120 of 120 runs" in done.out
    assert {int(path.name[4:]) for path in here.glob("pid=*")} - {os.getpid()}
    assert_same_tables(table("s"), table("alone"))
    one, other = gdlab.load("s"), gdlab.load("alone")
    assert one.directories == other.directories
    assert one.directories is not None and len(one.directories) == 120
    for run in range(0, 120, 17):
        pd.testing.assert_frame_equal(one.history(run), other.history(run), check_exact=True)


def test_from_python_with_a_function_and_a_class_of_a_script(cluster):
    class Bowl(gdlab.Loss):
        dim: int = 2
        start = (1.0, -2.0)

        def __call__(self, x):
            return x.square().sum(-1)

    given = {"loss": [Bowl(), lambda x: (x**4).sum()], "start": [1.0, 2.0], "seed": range(40)}
    alone = gdlab.sweep(**given, lr=[0.01, 0.1], steps=20)
    swept = gdlab.sweep(**given, lr=[0.01, 0.1], steps=20, executor="ray")
    assert_same_tables(swept.results, alone.results)


# Workers, nodes and drivers die

KILLS = 10
SLOW = ("lr=tag(log,interval(1e-4,1e-3))", "hydra.sweeper.points=30", "seed=range(16)")
SLOW = (*SLOW, "start=random", "steps=4000", "engine.mode=eager", "engine.max_rows=16")


@pytest.fixture
def killing() -> Iterator[Callable[[int, Callable[[], None]], threading.Thread]]:
    """Does something so many times while shards run, half a second apart, in a thread."""
    draw, over = random.Random(0), threading.Event()
    threads = []

    def begin(times: int, act: Callable[[random.Random], bool]) -> threading.Thread:
        def repeat() -> None:
            left = times
            while left and not over.wait(0.3 + 0.5 * draw.random()):
                left -= act(draw)

        threads.append(threading.Thread(target=repeat))
        threads[-1].start()
        return threads[-1]

    yield begin
    over.set()
    for thread in threads:
        thread.join()


def kill_one(draw: random.Random) -> bool:
    """Kill a process that runs a shard, if there is one."""
    running = workers()
    if running:
        os.kill(draw.choice(running), signal.SIGKILL)
    return bool(running)


def test_workers_that_are_killed_change_nothing(cluster, gd, here, killing):
    words = ("-m", "loss=rosenbrock", *SLOW, *TABLES)
    assert gd(*words, "hydra.sweep.dir=alone").code == 0
    kills = killing(KILLS, kill_one)
    done = gd(*words, RAY, "hydra.sweep.dir=s")
    print(done, kills.is_alive())
    assert "a process that ran a part of the sweep died; it is run again" in done.err
    while done.code == 1:  # a shard whose processes were killed four times
        assert "lost: " in done.err
        done = gd("resume=s")
    assert done.code == 0
    assert not kills.is_alive()
    assert_same_tables(table("s"), table("alone"))
