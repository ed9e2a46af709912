"""Independent jobs side by side, in copies of this process.

A forked process has all that this one has in memory, modules too, so that a job may begin at once.
It also has every lock that another thread held at that moment, and waits forever for one that it
needs. So nothing depends on it: what it does not return in time is computed in this process.
"""

import ctypes
import os
import pickle
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

import torch

T = TypeVar("T")

Done: TypeAlias = dict[int, T]
"""What jobs returned, by their numbers."""

_NUMBER = 4  # bytes of the number of a job
_MOST_JOBS = 4096  # their numbers fit into a pipe
_PR_SET_PDEATHSIG = 1

# How long to wait for a forked process once no job waits: the longest job here took at most so many
# times less, and at least so many seconds.
_TIMES, _SECONDS = 5, 5.0


def run_side_by_side(
    jobs: Sequence[Callable[[], T]],
    processes: int,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[T]:
    """Run jobs, and return what they return, in order.

    Each process takes the next job once it is done with one. Torch must use one thread. Where there
    is a GPU nothing is forked: autograd has threads for it, which a forked process lacks. A job
    that raises in a forked process, or whose process dies or hangs, is run again in this one, where
    it may raise.

    Args:
        jobs: what to run; what they return can be pickled.
        processes: how many to use, this one included. Only on Linux more than one is used.
        meanwhile: what this process does first if there are others; no job needs it.
    """
    count = min(processes, len(jobs))
    can_fork = sys.platform.startswith("linux") and not torch.accelerator.is_available()
    if count < 2 or len(jobs) > _MOST_JOBS or not can_fork:
        return [job() for job in jobs]
    waiting, numbers = os.pipe()
    os.write(numbers, b"".join(n.to_bytes(_NUMBER, "little") for n in range(len(jobs))))
    os.close(numbers)
    children: list[_Child[T]] = []
    try:
        for _ in range(count - 1):
            children.append(_Child(waiting, jobs))  # noqa: PERF401 — those forked before are ended
        meanwhile()
        done: Done[T] = {}
        longest = _take_jobs(waiting, jobs, done)
        deadline = time.monotonic() + max(_SECONDS, _TIMES * longest)
        for child in children:
            done |= child.results(deadline)
    finally:
        os.close(waiting)
        for child in children:
            child.end()
    return [done[n] if n in done else job() for n, job in enumerate(jobs)]


def _take_jobs(waiting: int, jobs: Sequence[Callable[[], T]], done: Done[T]) -> float:
    """Run waiting jobs until there are none, and note what they return.

    Returns:
        How long the longest took, in seconds.
    """
    longest = 0.0
    while taken := os.read(waiting, _NUMBER):
        number, begun = int.from_bytes(taken, "little"), time.monotonic()
        done[number] = jobs[number]()
        longest = max(longest, time.monotonic() - begun)
    return longest


class _Child(Generic[T]):
    """A forked process that takes waiting jobs, and ends with this one."""

    def __init__(self, waiting: int, jobs: Sequence[Callable[[], T]]) -> None:
        self._answers, answer = os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            # From Python 3.12 on. The other threads only wait, or redraw a progress bar.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if self._process == 0:
            _work_and_exit(parent, waiting, jobs, answer)
        os.close(answer)

    def results(self, deadline: float) -> Done[T]:
        """Wait for what its jobs returned; nothing if it died, or has not begun to answer in time.

        Args:
            deadline: a time of the monotonic clock.
        """
        poll = select.poll()
        poll.register(self._answers)
        if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
            return {}
        with open(self._answers, "rb", closefd=False) as file:
            content = file.read()
        return pickle.loads(content) if content else {}

    def end(self) -> None:
        """Make sure that it is gone."""
        os.close(self._answers)
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _work_and_exit(parent: int, waiting: int, jobs: Sequence[Callable[[], T]], answer: int) -> None:
    """Take jobs in a forked process, write what they return, and end it without cleaning up."""
    done: Done[T] = {}
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            _take_jobs(waiting, jobs, done)
    finally:  # whatever was raised: the parent runs that job again
        with open(answer, "wb") as file:
            file.write(pickle.dumps(done))
        os._exit(0)
