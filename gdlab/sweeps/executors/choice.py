"""The executor of a plan, and the size of its shards.

A shard is the same piece of work for every executor, so all give the same tables, and one can
finish a sweep that another began. The size of the shards is decided once, with the plan.
"""

import dataclasses
from concurrent.futures import Executor as PoolExecutor
from contextlib import nullcontext

import torch

from gdlab.config.settings import Settings
from gdlab.runs.batching import resolve_device, shortest_run
from gdlab.sweeps.executors.base import find_executor
from gdlab.sweeps.executors.by_value import by_value
from gdlab.sweeps.executors.pickling import check_picklable
from gdlab.sweeps.executors.sizes import shard_size
from gdlab.sweeps.executors.table import DEFAULT, SETTING, check_executor
from gdlab.sweeps.plan import MOST_ROWS, Plan

_ROWS = 32  # shards have a multiple of it, since batches are padded to a divisor of it

_MOST_ON_GPU = 2**20
"""The most runs in a shard on a GPU. More would not make it faster, and a shard that is interrupted
begins anew."""

_VECTORS = 128
"""The numbers of a run in its batch, for each coordinate: records, state, and what autograd keeps.
There are as many more as examples."""


def with_shards_for(
    plan: Plan, executor: str | PoolExecutor, setting: str = SETTING, cores: int | None = None
) -> Plan:
    """Return a plan for an executor, with shards of a size that suits it.

    Where shards run side by side they are small enough for each core to get some, however few runs
    there are, and large enough for the driver to send them in time. On a GPU a shard is as large as
    its memory is likely to hold; one that does not fit is cut while it runs. The size is kept in
    the plan.

    Args:
        plan: of the sweep.
        executor: its name, or a pool that was handed over.
        setting: what gave the name, for errors.
        cores: the number of cores to use; None for all available.

    Raises:
        SettingError: there is no such executor, or a class cannot be sent to another process.
    """
    chosen, most = with_executor(plan, executor, setting), plan.options.engine.max_rows
    if _on_gpu(plan):
        rows = most or min(_fitting(g.settings) for g in plan.groups)
        return dataclasses.replace(chosen, rows=rows)
    found = find_executor(executor)
    if found.cost is None:
        return chosen
    run = sum(len(g) * shortest_run(g.settings) for g in plan.groups) / len(plan)
    rows = shard_size(len(plan), cores or found.cores(), most or MOST_ROWS, found.cost, run)
    return dataclasses.replace(chosen, rows=rows)


def with_executor(plan: Plan, executor: str | PoolExecutor, setting: str = SETTING) -> Plan:
    """Return a plan with the same shards for another executor; see `with_shards_for`.

    On a GPU one process of this machine runs all shards: others would only take memory from it.

    Raises:
        SettingError: there is no such executor, or a class cannot be sent to another process.
    """
    if not isinstance(executor, PoolExecutor):
        check_executor(setting, executor)
    found = find_executor(executor)
    if found.shares_cores and found.shares_disk and _on_gpu(plan):
        return dataclasses.replace(plan, executor=DEFAULT)
    if found.needs_pickling:
        with nullcontext() if found.shares_disk else by_value():
            for group in plan.groups:
                check_picklable(group, executor, setting)
    return dataclasses.replace(plan, executor=executor)


def _on_gpu(plan: Plan) -> bool:
    """Whether a group of the plan runs on a GPU here."""
    return any(resolve_device(group.settings.device).type == "cuda" for group in plan.groups)


def _fitting(settings: Settings) -> int:
    """Return how many runs are likely to fit into the memory of this machine's GPU."""
    loss, size = settings.loss, getattr(torch, settings.dtype).itemsize
    each = size * loss.dim * (_VECTORS + (loss.examples or 0))
    memory = torch.cuda.get_device_properties(0).total_memory
    return min(max(_ROWS, memory // 2 // max(1, each) // _ROWS * _ROWS), _MOST_ON_GPU)
