"""One shard with everything needed to run it anywhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.engine.known_steps import KnownSteps
from gdlab.numerics.threads import one_thread
from gdlab.runs.batching import resolve_device
from gdlab.sweeps.executors.board import Statuses
from gdlab.sweeps.machine import with_machine
from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import Records, run_group
from gdlab.sweeps.table import join_tables, table_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Work:
    """A shard and everything needed to run it; can be pickled.

    Attributes:
        number: the shard's number in its plan.
        shard: the runs.
        varied: for each setting that the sweep varies, its value in each run.
        records: receives what the runs record; None to keep only how they ended.
    """

    number: int
    shard: Group
    varied: Mapping[str, Sequence[Any]]
    records: Records | None


def run_work(
    work: Work,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
    steps: KnownSteps | None = None,
) -> "pa.Table":
    """Run a shard in this process and return its table: one row per run, in order.

    Torch starts no threads for it, since a process that is forked later could not use them.

    Args:
        work: the shard.
        interrupted: asked at every step; runs end as interrupted once it returns true.
        progress: receives the statuses of rows.
        steps: the compiled steps of the shard before.
    """
    with one_thread():
        return _run(work, interrupted, progress, steps)


def _run(
    work: Work,
    interrupted: Callable[[], bool],
    progress: Callable[[Statuses], None],
    steps: KnownSteps | None,
) -> "pa.Table":
    tables = []
    for ended in run_group(work.shard, work.records, interrupted, progress, steps):
        varied = work.varied
        if len(ended.runs) < len(work.shard):
            rows = np.searchsorted(work.shard.runs, ended.runs).tolist()
            varied = {key: [values[row] for row in rows] for key, values in varied.items()}
        tables.append(table_of(work.shard, ended, varied))
    return with_machine(join_tables(tables), resolve_device(work.shard.settings.device))
