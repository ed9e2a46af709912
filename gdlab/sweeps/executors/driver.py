"""The driver: submits the shards of a plan to its executor and collects their tables."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import chain, islice
from typing import TYPE_CHECKING

from gdlab.numerics.threads import cores as available_cores
from gdlab.sweeps.executors.base import Job, Session, find_executor
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.work import Work, run_work
from gdlab.sweeps.plan import Group, Plan
from gdlab.sweeps.shard import Records

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS = 0.1  # between two looks at the board


def run_shards(
    plan: Plan,
    shards: Mapping[int, Group],
    records: Records | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
    cores: int | None = None,
) -> Iterator[tuple[int, "pa.Table"]]:
    """Run shards by the plan's executor and yield their numbers and tables as they end.

    After an interruption no further shard begins. But one is run in any case, since a table needs
    at least one row.

    Args:
        plan: of the sweep.
        shards: those to run, by their numbers.
        records: receives what runs record; None to keep only how they ended.
        interrupted: asked at every step; runs end as interrupted once it returns true.
        progress: receives the statuses of rows.
        cores: the number of cores to use; None for all available.

    Raises:
        ChildProcessError: a process that ran a shard died.
    """
    if not shards:
        return
    executor = find_executor(plan.executor)
    works = _prepare(plan, shards, records, one_thread=executor.shares_cores)
    first, is_empty = next(works), True
    job = Job(len(shards), cores or available_cores(), interrupted, progress)
    with executor.open(job) as session:
        for number, table in _collect(session, chain([first], works), job):
            is_empty = False
            yield number, table
    if is_empty:
        yield first.number, run_work(first, interrupted, progress)


def _prepare(
    plan: Plan, shards: Mapping[int, Group], records: Records | None, *, one_thread: bool
) -> Iterator[Work]:
    """Yield shards with everything needed to run them, one by one to save memory."""
    for number, shard in shards.items():
        group = _with_one_thread(shard) if one_thread else shard
        yield Work(number, group, plan.varied(shard.runs), records)


def _collect(session: Session, works: Iterator[Work], job: Job) -> Iterator[tuple[int, "pa.Table"]]:
    """Keep the session busy until all shards ended or the sweep is interrupted."""
    waiting = enumerate(works)
    running: dict[Future[pa.Table | None], int] = {}
    while True:
        if job.interrupted():
            session.board.stop()
        else:
            for shard, work in islice(waiting, session.capacity - len(running)):
                running[session.submit(work, shard)] = work.number
        if not running:
            return
        done, _ = wait(running, _SECONDS, FIRST_COMPLETED)
        update = session.board.new_counts()
        if update is not None:
            job.progress(update)
        for future in done:
            number, table = running.pop(future), future.result()
            if table is not None:
                yield number, table


def _with_one_thread(shard: Group) -> Group:
    """Return a shard whose batches use one thread."""
    settings = shard.settings
    single = settings.unchecked(engine=settings.engine.unchecked(threads=1))
    return dataclasses.replace(shard, settings=single)
