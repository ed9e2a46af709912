"""Shards on the cores of a Ray cluster, or by Ray on those of this machine.

The cluster is that of `RAY_ADDRESS`, or the one that `ray start` began on this machine, as always
in Ray; a program that has called `ray.init` has chosen already. Only the driver writes: a shard
sends its table back. The driver runs it again if its worker dies, and not Ray, which does not tell
why, nor how often.

A Ray that was started here stays for the next sweep, and ends with this process.
"""

import atexit
import errno
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.engine.status import Status
from gdlab.errors import SettingError, first_line
from gdlab.numerics.threads import cores as available_cores
from gdlab.sweeps.executors.base import Job, ProcessDied, ShardLost, passed_on
from gdlab.sweeps.executors.by_value import by_value
from gdlab.sweeps.executors.counts import Counts
from gdlab.sweeps.executors.pickling import (
    Packer,
    Parcel,
    pack_bytes,
    pack_table,
    run_parcel,
    unpack_bytes,
    unpack_table,
)
from gdlab.sweeps.executors.ray_boards import SECONDS, DriverBoard, worker_board
from gdlab.sweeps.executors.sizes import ShardCost
from gdlab.sweeps.executors.work import Work

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = "ray"
_SILENT = {"enable_task_events": False}  # or what happens to each task is told to Ray's head node
_LARGE = 2**16  # bytes of settings that go through Ray's store
_SHORT_WAY, _SHORT = "RAY_max_direct_call_object_size", 2**23
"""What goes from process to process, and not through Ray's store, in bytes.

Ray's own limit of 100 kB is a table of a thousand runs. The store takes 4 ms of a core for each
shard, which the one machine lacks for its runs.
"""

_PATIENCE = 5.0  # seconds, for a cluster to answer

_DEATHS: Mapping[str, str] = {
    "OutOfMemoryError": "ran out of memory",
    "WorkerCrashedError": "died (killed, or out of memory)",
    "NodeDiedError": "died with its node",
    "ObjectLostError": "died with its table",
}
"""How the process of a shard died, by Ray's errors."""


class Ray:
    """Runs shards as tasks of Ray, each on one core."""

    shares_cores = True
    shares_disk = False
    needs_pickling = True
    cost = ShardCost(driver=1.6e-3, worker=10e-3)

    def cores(self) -> int:
        """Return the number of cores of the cluster.

        Raises:
            SettingError: Ray is missing, or no cluster answers.
        """
        return _count_cores(_connect())

    @contextmanager
    def open(self, job: Job) -> Iterator["_Session"]:
        """Get ready to submit tasks; those that are left end with the block.

        Raises:
            ChildProcessError: Ray itself failed, as where its object store is full.
        """
        ray = _connect()
        session = _Session(ray, job)
        try:
            with by_value():
                yield session
        except ray.exceptions.RayError as error:
            raise ChildProcessError(errno.ECHILD, _describe(ray, error)) from error
        finally:
            session.close()


def _connect() -> Any:
    """Return Ray's module, connected to a cluster.

    Raises:
        SettingError: Ray is missing, or no cluster answers.
    """
    try:
        ray = import_module("ray")
    except ImportError as error:
        raise SettingError(f"executor={_NAME}: needs Ray: pip install 'gdlab[ray]'") from error
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        try:
            _require_answer(address)
            _start(ray)
            atexit.register(_leave, ray)
        except (OSError, RuntimeError, ValueError) as error:
            where = f"RAY_ADDRESS={address}" if address else "executor=ray"
            why = f"Ray does not start, or no cluster answers ({first_line(error)})"
            raise SettingError(f"{where}: {why}") from error
        # Of a worker that dies gdlab tells itself, in a line. Ray has no public word for this.
        with suppress(ImportError):
            vars(import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    return ray


def _require_answer(address: str) -> None:
    """Refuse the address of a cluster that does not answer: Ray itself would try for two minutes.

    Raises:
        OSError: it does not.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "://" not in host:
        socket.create_connection((host, int(port)), _PATIENCE).close()


def _start(ray: Any) -> None:
    """Connect to a cluster, or start one with the cores of this process."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    before = os.environ.get(_SHORT_WAY)
    os.environ.setdefault(_SHORT_WAY, str(_SHORT))
    try:
        ray.init(num_cpus=available_cores(), include_dashboard=False, **quiet)
    except ValueError:  # it is not ours to say how many: there is a cluster
        ray.init(**quiet)
    finally:
        if before is None:
            del os.environ[_SHORT_WAY]


def _leave(ray: Any) -> None:
    """Leave the cluster, or end the one that was started here.

    Ray would do so by itself, but wait half a second for messages, and another whole one for its
    scaler of clusters, which says good-bye to a process that has ended. The scaler has no work on
    one machine.
    """
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            with suppress(OSError):
                if b"/ray/autoscaler/" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
    ray.shutdown()


def _count_cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


class _Session:
    def __init__(self, ray: Any, job: Job) -> None:
        strategies = import_module("ray.util.scheduling_strategies")
        self._ray, self._refs = ray, dict[int, Any]()
        self._cores, self._counted = _count_cores(ray), time.monotonic()
        # Where the driver is: the board is lost only together with it.
        here = strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._name = f"gdlab-{uuid.uuid4().hex}"
        options = {"num_cpus": 0, "name": self._name, "scheduling_strategy": here} | _SILENT
        actor = ray.remote(Counts).options(**options)
        self._actor = actor.remote(job.shards, len(Status))
        self._task = ray.remote(_run).options(num_cpus=1, max_retries=0, **_SILENT)
        self._packer, self._stored = Packer(), (b"", None)
        self.board = DriverBoard(ray, self._actor, self._refs)

    @property
    def capacity(self) -> int:
        """Some ahead for each core, so that none waits for its next shard; a cluster may grow."""
        if time.monotonic() > self._counted + SECONDS:
            self._cores, self._counted = _count_cores(self._ray), time.monotonic()
        return 4 * self._cores

    def submit(self, work: Work, shard: int) -> "Future[pa.Table | None]":
        """Send a shard as a task."""
        parcel = self._packer.pack(work)
        packed = pack_bytes(parcel.rest), len(parcel.rest)
        settings = self._settings_of(parcel)
        ref = self._task.remote(settings, parcel.key, *packed, self._name, shard)
        self._refs[shard] = ref
        future = ref.future()
        future.add_done_callback(lambda _: self._refs.pop(shard, None))

        def read(content: bytes | None) -> "pa.Table | None":
            if content is None:
                return None
            table = unpack_table(content)
            self.board.add(shard, table)
            return table

        return passed_on(future, lambda error: _explain(self._ray, error), read)

    def _settings_of(self, parcel: Parcel) -> Any:
        """Return pickled settings as Ray sends them: large ones once to each node, by its store."""
        content = np.frombuffer(parcel.settings, np.uint8)
        if len(content) < _LARGE:
            return content
        if self._stored[0] != parcel.key:
            self._stored = parcel.key, self._ray.put(content)
        return self._stored[1]

    def close(self) -> None:
        """End the tasks that are left, and the board."""
        for ref in list(self._refs.values()):
            self._ray.cancel(ref, force=True)
        self._ray.kill(self._actor)


def _run(
    settings: np.ndarray, key: bytes, packed: bytes, size: int, name: str, shard: int
) -> bytes | None:
    """Run a shard as a task.

    Args:
        settings: of its parcel.
        key: of the settings.
        packed: the rest of its parcel.
        size: of the rest, in bytes.
        name: of the board.
        shard: its position among the shards being run.
    """
    board = worker_board(name)
    board.begin(shard)
    parcel = Parcel(key, settings, unpack_bytes(packed, size))
    table = run_parcel(parcel, _NAME, board, shard)
    return None if table is None else pack_table(table)


def _explain(ray: Any, error: Exception) -> Exception | None:
    """Return what a task raised, or that it was lost; None for one that was canceled."""
    if isinstance(error, ray.exceptions.TaskCancelledError):
        return None
    if isinstance(error, ray.exceptions.RayTaskError):
        cause = getattr(error, "cause", None)
        cause = cause if isinstance(cause, Exception) else error
        is_of_ray = isinstance(cause, ray.exceptions.RayError)
        return ShardLost(errno.ECHILD, _describe(ray, cause)) if is_of_ray else cause
    if death := _death_of(ray, error):
        return ProcessDied(errno.ECHILD, death)
    is_of_ray = isinstance(error, ray.exceptions.RayError)
    return ShardLost(errno.ECHILD, _describe(ray, error)) if is_of_ray else error


def _death_of(ray: Any, error: Exception) -> str | None:
    """Say how a process died, by Ray's error; None if none did."""
    kinds = ((getattr(ray.exceptions, name), death) for name, death in _DEATHS.items())
    return next((death for kind, death in kinds if isinstance(error, kind)), None)


def _describe(ray: Any, error: Exception) -> str:
    """Say in a line what failed in Ray itself."""
    if death := _death_of(ray, error):  # of which Ray's own text is a page
        return f"Ray failed: a process of it {death}"
    return f"Ray failed ({type(error).__name__}: {first_line(error)})"
