"""The executor of a plan, and the size of its shards.

A shard is the same piece of work for every executor, so all give the same tables, and one can
finish a sweep that another began. The size of the shards is decided once, with the plan.
"""

import dataclasses
from concurrent.futures import Executor as PoolExecutor
from contextlib import nullcontext

from gdlab.runs.batching import shortest_run
from gdlab.sweeps.executors.base import find_executor
from gdlab.sweeps.executors.pickling import by_value, check_picklable
from gdlab.sweeps.executors.sizes import shard_size
from gdlab.sweeps.executors.table import SETTING, check_executor
from gdlab.sweeps.plan import Plan


def with_shards_for(
    plan: Plan, executor: str | PoolExecutor, setting: str = SETTING, cores: int | None = None
) -> Plan:
    """Return a plan for an executor, with shards of a size that suits it.

    Where shards run side by side they are small enough for each core to get some, however few runs
    there are, and large enough for the driver to send them in time. The size is kept in the plan.

    Args:
        plan: of the sweep.
        executor: its name, or a pool that was handed over.
        setting: what gave the name, for errors.
        cores: the number of cores to use; None for all available.

    Raises:
        SettingError: there is no such executor, or a class cannot be sent to another process.
    """
    chosen, found = with_executor(plan, executor, setting), find_executor(executor)
    if found.cost is None:
        return chosen
    run = sum(len(g) * shortest_run(g.settings) for g in plan.groups) / len(plan)
    most = plan.options.engine.max_rows
    rows = shard_size(len(plan), cores or found.cores(), most, found.cost, run)
    return dataclasses.replace(chosen, rows=rows)


def with_executor(plan: Plan, executor: str | PoolExecutor, setting: str = SETTING) -> Plan:
    """Return a plan with the same shards for another executor; see `with_shards_for`.

    Raises:
        SettingError: there is no such executor, or a class cannot be sent to another process.
    """
    if not isinstance(executor, PoolExecutor):
        check_executor(setting, executor)
    found = find_executor(executor)
    if found.needs_pickling:
        with nullcontext() if found.shares_disk else by_value():
            for group in plan.groups:
                check_picklable(group, executor, setting)
    return dataclasses.replace(plan, executor=executor)
