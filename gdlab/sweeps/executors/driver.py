"""The driver: submits the shards of a plan to its executor and collects their tables."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from gdlab.config.settings import Settings
from gdlab.display.terminal import show_warning
from gdlab.numerics.threads import cores as available_cores
from gdlab.sweeps.executors.base import Job, ProcessDied, Session, ShardLost, find_executor
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.executors.work import Work, run_work
from gdlab.sweeps.plan import Group, Plan
from gdlab.sweeps.shard import Records

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS = 0.1  # between two looks at the board
_BYTES = 2**30  # of the tables of all shards that are submitted
_NAMED = 10  # shards in a message
_TRIES = 4  # of a shard whose process dies
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
        ShardLost: some shards have no table, as where their processes died each time; all others
            have ended.
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
    given = used = None
    for number, shard in shards.items():
        if shard.settings is not given:  # the shards of a group share one object
            given = shard.settings
            used = _with_one_thread(given) if one_thread else given
        group = dataclasses.replace(shard, settings=used)
        yield Work(number, group, plan.varied(shard.runs), records)


@dataclass(frozen=True, eq=False)
class _Task:
    """A shard on its way.

    Attributes:
        shard: its position among the shards being run.
        work: the shard.
        tries: how often it has begun.
    """

    shard: int
    work: Work
    tries: int = 1

    def again(self) -> "_Task":
        """Return the task for its next try."""
        return dataclasses.replace(self, tries=self.tries + 1)


class _Queue:
    """The shards that wait, in order.

    Those whose processes died come last: where memory was short, fewer run beside them then.

    Args:
        works: the shards.
    """

    def __init__(self, works: Iterator[Work]) -> None:
        self._fresh = (_Task(shard, work) for shard, work in enumerate(works))
        self._again, self._said = deque[_Task](), set[str]()

    def take(self, most: int) -> Iterator[_Task]:
        """Yield the first ones, and forget them."""
        return islice(chain(self._fresh, self._drain()), max(0, most))

    def _drain(self) -> Iterator[_Task]:
        while self._again:
            yield self._again.popleft()

    def put_back(self, task: _Task, died: ProcessDied) -> None:
        """Take a shard whose process died once more, and say so once for each try."""
        again = task.again()
        self._again.append(again)
        text = (
            f"a process that ran a part of the sweep {died.strerror}; it is run again "
            f"(try {again.tries} of {_TRIES})"
        )
        if text not in self._said:
            self._said.add(text)
            show_warning(text)


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
    waiting = _Queue(works)
    running: dict[Future[pa.Table | None], _Task] = {}
    lost: list[tuple[Work, ShardLost]] = []
    while True:
        if is_interrupted := job.interrupted():
            session.board.stop()
        else:
            most = min(session.capacity, max(1, _BYTES // size))
            for task in waiting.take(most - len(running)):
                running[session.submit(task.work, task.shard)] = task
        if not running:
            break
        done, _ = wait(running, _SECONDS, FIRST_COMPLETED)
        update = session.board.new_counts()
        if update is not None:
            job.progress(update)
        for future in done:
            task = running.pop(future)
            try:
                table = future.result()
            except ShardLost as error:
                if not isinstance(error, ProcessDied) or task.tries == _TRIES:
                    lost.append((task.work, error))
                elif not is_interrupted:
                    waiting.put_back(task, error)
                continue
            if table is not None:
                size = max(size, table.nbytes)
                yield task.work.number, table
    if lost:
        raise _all_of(lost)


def _all_of(lost: Sequence[tuple[Work, ShardLost]]) -> ShardLost:
    """Return one error that names all shards that were lost."""
    numbers = sorted(work.number for work, _ in lost)
    runs = sum(len(work.shard) for work, _ in lost)
    named = ", ".join(map(str, numbers[:_NAMED])) + (", …" if len(numbers) > _NAMED else "")
    which = f"shard {named}" if len(numbers) == 1 else f"shards {named}"
    error = lost[0][1]
    why = error.strerror
    if isinstance(error, ProcessDied):
        why = f"the process {why} at each of {_TRIES} tries"
    return ShardLost(error.errno, f"{which} ({runs} runs) lost: {why}")


def _with_one_thread(settings: Settings) -> Settings:
    """Return the settings of batches that use one thread."""
    return settings.unchecked(engine=settings.engine.unchecked(threads=1))
