"""The driver: submits the shards of a plan to its executor and collects their tables."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import chain, islice
from typing import TYPE_CHECKING

from gdlab.numerics.threads import cores as available_cores
from gdlab.sweeps.executors.base import Job, Session, ShardLost, find_executor
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.work import Work, run_work
from gdlab.sweeps.plan import Group, Plan
from gdlab.sweeps.shard import Records

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS = 0.1  # between two looks at the board
_BYTES = 2**30  # of the tables of all shards that are submitted
_NAMED = 10  # shards in a message
_ROW = 2**9  # bytes of a run in a table, before one has come


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
        ShardLost: the processes that ran some shards died; all others have ended.
        ChildProcessError: a process that ran a shard died.
    """
    if not shards:
        return
    executor = find_executor(plan.executor)
    records = records if executor.shares_disk else None
    works = _prepare(plan, shards, records, one_thread=executor.shares_cores)
    first, is_empty = next(works), True
    job = Job(len(shards), cores or available_cores(), interrupted, progress)
    with executor.open(job) as session:
        size = _ROW * max(map(len, shards.values()))
        for number, table in _collect(session, chain([first], works), job, size):
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


def _collect(
    session: Session, works: Iterator[Work], job: Job, size: int
) -> Iterator[tuple[int, "pa.Table"]]:
    """Keep the session busy until all shards ended or the sweep is interrupted.

    Args:
        session: the open executor.
        works: the shards.
        job: what the executor was opened for.
        size: of a table, as far as one can tell before, in bytes.

    Raises:
        ShardLost: in the end, if some shards have no table.
    """
    waiting = enumerate(works)
    running: dict[Future[pa.Table | None], Work] = {}
    lost: list[tuple[Work, ShardLost]] = []
    while True:
        if job.interrupted():
            session.board.stop()
        else:
            most = min(session.capacity, max(1, _BYTES // size))
            for shard, work in islice(waiting, max(0, most - len(running))):
                running[session.submit(work, shard)] = work
        if not running:
            break
        done, _ = wait(running, _SECONDS, FIRST_COMPLETED)
        update = session.board.new_counts()
        if update is not None:
            job.progress(update)
        for future in done:
            work = running.pop(future)
            try:
                table = future.result()
            except ShardLost as error:
                lost.append((work, error))
                continue
            if table is not None:
                size = max(size, table.nbytes)
                yield work.number, table
    if lost:
        raise _all_of(lost)


def _all_of(lost: Sequence[tuple[Work, ShardLost]]) -> ShardLost:
    """Return one error that names all shards that were lost."""
    numbers = sorted(work.number for work, _ in lost)
    runs = sum(len(work.shard) for work, _ in lost)
    named = ", ".join(map(str, numbers[:_NAMED])) + (", …" if len(numbers) > _NAMED else "")
    which = f"shard {named}" if len(numbers) == 1 else f"shards {named}"
    error = lost[0][1]
    return ShardLost(error.errno, f"{which} ({runs} runs) lost: {error.strerror}")


def _with_one_thread(shard: Group) -> Group:
    """Return a shard whose batches use one thread."""
    settings = shard.settings
    single = settings.unchecked(engine=settings.engine.unchecked(threads=1))
    return dataclasses.replace(shard, settings=single)
