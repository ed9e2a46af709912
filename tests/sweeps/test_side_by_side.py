"""Jobs that run in forked copies of this process."""

import os
import signal
import threading
from pathlib import Path

import pytest

from gdlab.sweeps import side_by_side
from gdlab.sweeps.side_by_side import run_side_by_side


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
def test_results_are_in_the_order_of_the_jobs(processes):
    jobs = [lambda n=n: n**2 for n in range(7)]
    assert run_side_by_side(jobs, processes) == [n**2 for n in range(7)]


def test_there_may_be_no_job():
    assert run_side_by_side([], 2) == []


def meet(folder: Path, name: str) -> str:
    """Wait until the other process is at its job too."""
    (folder / name).touch()
    while len(list(folder.iterdir())) < 2:
        os.sched_yield()
    return name


def test_jobs_run_at_the_same_time(tmp_path):
    jobs = [lambda: meet(tmp_path, "first"), lambda: meet(tmp_path, "second")]
    assert run_side_by_side(jobs, 2) == ["first", "second"]


def die(parent: int) -> int:
    """End a forked process as the kernel does when memory is short."""
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def fail(parent: int) -> int:
    """Raise in a forked process only."""
    if os.getpid() != parent:
        raise MemoryError
    return 1


def hang(parent: int) -> int:
    """Wait in a forked process for a lock that nothing there will release."""
    if os.getpid() != parent:
        held = threading.Lock()
        held.acquire()
        held.acquire()
    return 1


@pytest.mark.parametrize("job", [die, fail, hang])
def test_what_a_forked_process_leaves_is_done_here(job, monkeypatch):
    monkeypatch.setattr(side_by_side, "_SECONDS", 0.3)
    parent = os.getpid()
    assert run_side_by_side([lambda: job(parent)] * 6, 4) == [1] * 6


def test_what_a_job_raises_is_raised_here_and_no_process_is_left(monkeypatch):
    fork, children = os.fork, []

    def note() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr(os, "fork", note)

    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_side_by_side([fail] * 4, 2)
    assert len(children) == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], os.WNOHANG)
