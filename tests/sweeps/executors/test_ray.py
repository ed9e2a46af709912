"""Sweeps on a Ray cluster, two nodes on this machine: the same tables, whatever happens to them.

They have their own target: make test-cluster.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.command import MAIN, QUIET, TABLES, Done, refusal
from helpers.files import assert_same_sweep, assert_same_tables, table

import gdlab
from gdlab.__main__ import main
from gdlab.runs.interruption import WAITING
from gdlab.sweeps.executors.base import ProcessDied
from gdlab.sweeps.executors.ray import _describe, _explain

ray: Any = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gdlab[ray]'")
cluster_utils: Any = pytest.importorskip("ray.cluster_utils")

pytestmark = [
    pytest.mark.cluster,
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
    with pytest.MonkeyPatch.context() as patched:
        # Ray would let whatever else runs on this machine go first.
        patched.setenv("RAY_worker_niceness", "0")
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


def workers(cluster: Any, title: bytes = b"ray::_run") -> list[int]:
    """The processes of a cluster that run a shard now, or have another title."""
    nodes = cluster.list_all_nodes()
    raylets = {p.process.pid for node in nodes for p in node.all_processes["raylet"]}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (folder / "cmdline").read_bytes().startswith(title):
                found.append(int(folder.name))
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
    assert len(gdlab.load("s").directories or {}) == 120
    assert_same_sweep("s", "alone", every=17)


def test_from_python_with_functions_of_a_script(cluster):
    data = torch.linspace(-1, 1, 20_000, dtype=torch.float64)  # too large to go with each shard

    def bowl(x):
        return x.square().sum()

    def fit(x):
        return (x[0] * data + x[1]).square().mean()

    given: dict[str, Any] = {"loss": [bowl, lambda x: (x**4).sum(), fit], "start": [1.0, 2.0]}
    given |= {"seed": range(40), "lr": [0.01, 0.1], "steps": 20, "engine.max_rows": 32}
    alone = gdlab.sweep(**given)
    swept = gdlab.sweep(**given, executor="ray")
    assert_same_tables(swept.results, alone.results)


# Workers, nodes and drivers die

KILLS = 10
SLOW = ("-m", "loss=rosenbrock", "lr=tag(log,interval(1e-4,1e-3))", "hydra.sweeper.points=30")
SLOW = (*SLOW, "seed=range(16)", "start=random", "steps=4000", "engine.mode=eager", *TABLES)
SLOW = (*SLOW, "engine.max_rows=16")
AT_ONCE = "engine.max_rows=8192"
TOLD = "warning: a process that ran a part of the sweep"
DIED = f"{TOLD} died"


@contextmanager
def repeating(times: int, act: Callable[[random.Random], bool]) -> Iterator[threading.Thread]:
    """Do something until it has succeeded so often, in a thread, about twice a second.

    A sweep may end before that, on a fast machine; see `sweeps_until`.
    """
    draw, over = random.Random(0), threading.Event()

    def repeat() -> None:
        left = times
        while left and not over.wait(0.3 + 0.5 * draw.random()):
            with suppress(ProcessLookupError):  # a process ended while one looked at it
                left -= act(draw)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        thread.join()


def sweeps_until(acted: threading.Thread, gd: Callable[..., Done], *words: str) -> Iterator[Done]:
    """Sweep in s0, s1 and so on until a thread has ended."""
    for number in range(_MOST):
        yield gd(*words, RAY, f"hydra.sweep.dir=s{number}")
        if not acted.is_alive():
            return
    pytest.fail("the sweeps are too short for this machine")


_MOST = 20  # sweeps; one is enough where a shard takes a second


@pytest.fixture(scope="module")
def slow_alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the slow sweep gives in one process."""
    directory = tmp_path_factory.mktemp("alone") / "s"
    with pytest.raises(SystemExit) as ended:
        main([*SLOW, AT_ONCE, f"hydra.sweep.dir={directory}"])
    assert ended.value.code == 0
    return table(directory)


def test_workers_that_are_killed_change_nothing(cluster, slow_alone, gd):
    def kill_one(draw: random.Random) -> bool:
        running = workers(cluster)
        if running:
            os.kill(draw.choice(running), signal.SIGKILL)
        return bool(running)

    said = ""
    with repeating(KILLS, kill_one) as kills:
        for number, done in enumerate(sweeps_until(kills, gd, *SLOW)):
            said += done.err
            while done.code == 1:  # a shard whose processes were killed four times
                assert " lost: " in done.err
                done = gd(f"resume=s{number}")
            assert done.code == 0
            assert_same_tables(table(f"s{number}"), slow_alone)
    assert DIED in said


def test_a_node_that_is_lost_changes_nothing(cluster, gd):
    words = (*SLOW, "hydra.sweeper.points=12", "steps=20000")
    assert gd(*words, AT_ONCE, "hydra.sweep.dir=alone").code == 0
    node = cluster.add_node(num_cpus=1)

    def remove(_: random.Random) -> bool:
        if is_busy := len(workers(cluster)) == 3:
            cluster.remove_node(node, allow_graceful=False)
        return is_busy

    with repeating(1, remove) as removal:
        for number, done in enumerate(sweeps_until(removal, gd, *words)):
            # A worker lives a little longer than its node, and may still end its shard.
            others = [line for line in done.err.splitlines() if not line.startswith(DIED)]
            assert (done.code, others) == (0, [])
            assert_same_tables(table(f"s{number}"), table("alone"))


def test_a_shard_whose_process_dies_each_time_is_named_and_the_others_end(cluster, far, gd, here):
    words = (*far, "start=[1,1],[9,9]", "lr=0.01", "seed=range(40)", "steps=8", *TABLES)
    words = (*words, "engine.max_rows=20", "engine.mode=eager")
    assert gd(*words, "hydra.sweep.dir=alone").code == 0
    (here / "die").write_text(str(os.getpid()))  # all others shall
    done = gd(*words, RAY, "hydra.sweep.dir=s")
    *warnings, error = done.err.splitlines()
    assert done.code == 1
    how = "died (killed, or out of memory)"
    assert warnings == [f"{TOLD} {how}; it is run again (try {n} of 4)" for n in (2, 3, 4)]
    lost = f"shards 2, 3 (40 runs) lost: the process {how} at each of 4 tries"
    assert error == f"error: s: {lost}; resume=s continues the sweep"
    assert max(table("s")["run"]) < 40
    (here / "die").unlink()
    assert gd("resume=s", "loss._target_=mine.Far", "hydra.launcher.executor=serial").code == 0
    assert_same_tables(table("s"), table("alone"))


def test_without_its_board_a_sweep_ends_and_can_be_resumed(cluster, slow_alone, gd):
    def kill_the_board(_: random.Random) -> bool:
        boards = workers(cluster, b"ray::Counts") if len(workers(cluster)) == 2 else []
        for board in boards:
            os.kill(board, signal.SIGKILL)
        return bool(boards)

    with repeating(1, kill_the_board) as kills:
        *ended, done = sweeps_until(kills, gd, *SLOW)
    name = f"s{len(ended)}"
    assert (done.code, {each.code for each in ended} - {0}) == (1, set())
    assert done.err.splitlines()[-1].startswith(f"error: {name}: ")
    assert done.err.splitlines()[-1].endswith(f"; resume={name} continues the sweep")
    assert gd(f"resume={name}", "hydra.launcher.executor=processes").code == 0
    assert_same_tables(table(name), slow_alone)


def test_an_exception_is_not_tried_again(cluster, far, gd, here):
    (here / "home").write_text(str(os.getpid()))
    words = ["loss._target_=mine.Home" if word.endswith("Far") else word for word in far]
    said = refusal(gd(*words, "lr=1,2", *TABLES, RAY, "hydra.sweep.dir=s"), 2)
    assert "another process cannot load the sweep's classes (RuntimeError: far from home)" in said
    assert len(list(here.glob("tried=*"))) == 1


# Drivers of their own, with a Ray of their own


@pytest.fixture
def driver(cluster, here) -> Iterator[subprocess.Popen[str]]:
    """A driver whose shards are at work."""
    words = ("steps=100000000", "engine.mode=eager", RAY, "hydra.sweep.dir=s")
    process = subprocess.Popen(
        [sys.executable, "-m", "gdlab", *SLOW, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "RAY_ADDRESS": cluster.address},
    )
    try:
        wait_until(lambda: len(workers(cluster)) == 2, process)
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something holds, while a process lives."""
    until = time.monotonic() + 300
    while not holds():
        assert process is None or process.poll() is None, process and process.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)


def test_an_interrupted_sweep_ends_with_a_table(cluster, driver):
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 130
    assert err in ("", f"warning: {WAITING}\n")  # on a slow machine
    assert "of 480 runs: " in out
    assert set(table("s")["status"]) == {"interrupted"}
    wait_until(lambda: not workers(cluster))


def test_the_shards_of_a_driver_that_is_killed_end_and_processes_go_on(
    cluster, slow_alone, here, gd
):
    process = subprocess.Popen(
        [sys.executable, "-m", "gdlab", *SLOW, RAY, "hydra.sweep.dir=s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_ADDRESS": cluster.address},
    )
    try:
        wait_until(lambda: len(list(here.glob("s/shards/*.parquet"))) >= 3, process)
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not workers(cluster))
    assert gd("resume=s", "hydra.launcher.executor=processes").code == 0
    assert_same_tables(table("s"), slow_alone)


# Ray's errors of a task whose process ended, and what is told. That the memory of a machine runs
# short is not in the hands of a test.
DEATHS = {
    "OutOfMemoryError": "ran out of memory",
    "WorkerCrashedError": "died (killed, or out of memory)",
    "NodeDiedError": "died with its node",
}


@pytest.mark.parametrize(("name", "how"), DEATHS.items(), ids=DEATHS)
def test_how_the_process_of_a_shard_died_is_told(name, how):
    error_class = getattr(ray.exceptions, name)
    error = error_class() if name == "WorkerCrashedError" else error_class("Ray's long message")
    told = _explain(ray, error)
    assert isinstance(told, ProcessDied)
    assert told.strerror == how
    assert _describe(ray, error) == f"Ray failed: a process of it {how}"  # as where it is the board


# The store of objects is full, and none may be moved to the disk.
FULL = f"""
import logging
import ray
from ray.exceptions import RayError
no_disk = dict(automatic_object_spilling_enabled=False, local_fs_capacity_threshold=0.0)
limits = dict(object_store_memory=80 * 2**20, _system_config=no_disk)
quiet = dict(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
ray.init("local", num_cpus=1, **limits, **quiet)
held, size = [], 2**24
while size >= 2**16:
    try:
        held.append(ray.put(bytes(size)))
    except RayError:
        size //= 16
{MAIN}
"""


@pytest.mark.parametrize(
    ("rows", "said"), [(4000, "shards 0, 1 (8000 runs) lost: "), (40_000, "")], ids=["back", "out"]
)
def test_a_full_store_is_a_one_line_error(rows, said, here, gd):
    """The tables of the shards do not fit into it, or the shards themselves do not."""
    words = ("-m", "loss=rosenbrock", f"seed=range({2 * rows})", "start=random", "steps=9")
    words = (*words, *TABLES, f"engine.max_rows={rows}")
    assert gd(*words, "hydra.sweep.dir=alone").code == 0
    done = subprocess.run(
        [sys.executable, "-c", FULL, *words, RAY, "hydra.sweep.dir=s"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    failed = f"error: s: {said}Ray failed (OutOfDiskError: Local disk is full)"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{failed}; resume=s continues the sweep\n"
    assert gd("resume=s", "hydra.launcher.executor=serial").code == 0
    assert_same_tables(table("s"), table("alone"))
