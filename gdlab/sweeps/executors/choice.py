"""Who runs the shards of a sweep: this process alone, or processes on all cores.

A shard is one piece of work for either, so both give the same tables, and a sweep that one of them
began the other can finish. How large the shards are is decided once, with the plan.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from gdlab.config.settings import GROUPS
from gdlab.errors import SettingError
from gdlab.sweeps.executors.work import SETTING, Statuses, Work, run_work
from gdlab.sweeps.plan import EXECUTOR, Group, Plan
from gdlab.sweeps.shard import Records

if TYPE_CHECKING:
    import pyarrow as pa

# A multiple of what batches are padded to; so many shards for each core that none waits for long.
_ROWS, _SHARDS_PER_CORE = 32, 2


def with_shards_for(plan: Plan, executor: str, setting: str = SETTING) -> Plan:
    """A plan that an executor shall carry out.

    With processes its shards are so small that each core gets some, however few the runs are: a
    function of the runs and of the cores there are as the plan is made, which is kept in it.

    Args:
        plan: of a sweep.
        executor: its name.
        setting: what gave the name, for errors.

    Raises:
        SettingError: there is no such executor, or a class cannot be sent to another process.
    """
    chosen = with_executor(plan, executor, setting)
    if executor == "serial":
        return chosen
    from gdlab.sweeps.executors.processes import cores

    even = -(-len(plan) // (_SHARDS_PER_CORE * cores()))
    rows = min(plan.options.engine.max_rows, -(-even // _ROWS) * _ROWS)
    return dataclasses.replace(chosen, rows=rows)


def with_executor(plan: Plan, executor: str, setting: str = SETTING) -> Plan:
    """A plan with the same shards for another executor; see `with_shards_for`.

    Raises:
        SettingError: there is no such executor, or a class cannot be sent to another process.
    """
    EXECUTOR.check(setting, executor)
    if executor == "processes":
        for group in plan.groups:
            _refuse_immovable(group, setting)
    return dataclasses.replace(plan, executor=executor)


def _refuse_immovable(group: Group, setting: str) -> None:
    """Find out before a sweep starts that a class of a person's own cannot be pickled."""
    import cloudpickle

    for node in GROUPS:
        try:
            cloudpickle.dumps(getattr(group.settings, node))
        except Exception as error:  # such a class may raise anything
            what = " ".join(f"{type(error).__name__}: {error}".split())
            name = f"{node}={group.settings.name(node)}"
            raise SettingError(
                f"{setting}=processes: {name} cannot be sent to another process ({what}); "
                f"use {setting}=serial"
            ) from error


def run_shards(
    plan: Plan,
    shards: Mapping[int, Group],
    records: Records | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
) -> Iterator[tuple[int, "pa.Table"]]:
    """Run shards by the plan's executor and yield their numbers and tables as they end.

    Once it is interrupted, no further shard is begun; but one is run in any case, since a table
    needs a row at the least.

    Args:
        plan: of the sweep.
        shards: those to be run, by their numbers.
        records: keeps what is recorded; None to keep only how runs ended.
        interrupted: asked at every step; runs end as interrupted once it says true.
        progress: told what became of rows.

    Raises:
        ChildProcessError: a process that ran a shard died.
    """
    works = (
        Work(number, _on_its_core(shard, plan), plan.varied(shard.runs), records)
        for number, shard in shards.items()
    )
    if plan.executor == "processes" and shards:
        from gdlab.sweeps.executors.processes import run_by_processes

        yield from run_by_processes(works, len(shards), interrupted, progress)
        return
    for place, work in enumerate(works):
        if place and interrupted():
            return
        yield work.number, run_work(work, interrupted, progress)


def _on_its_core(shard: Group, plan: Plan) -> Group:
    """A shard that uses one core where processes share them."""
    if plan.executor == "serial":
        return shard
    settings = shard.settings
    single = settings.unchecked(engine=settings.engine.unchecked(threads=1))
    return dataclasses.replace(shard, settings=single)
