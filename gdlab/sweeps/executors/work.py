"""A shard with all that is needed to run it anywhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import Tensor

from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import Records, run_group
from gdlab.sweeps.table import join_tables, table_of

if TYPE_CHECKING:
    import pyarrow as pa


SETTING = "hydra.launcher.executor"


class Statuses(Protocol):
    """What progress is told of: as many rows as have a status, those still running among them."""

    @property
    def status(self) -> Tensor:
        """The statuses of the rows: (n,)."""
        ...


@dataclass(frozen=True, eq=False)
class Work:
    """A shard and all that is needed to run it; picklable.

    Attributes:
        number: of the shard in its plan.
        shard: the runs.
        varied: for each setting that the sweep varied its value in each of them.
        records: keeps what they record; None to keep only how they ended.
    """

    number: int
    shard: Group
    varied: Mapping[str, Sequence[Any]]
    records: Records | None


def run_work(
    work: Work,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Callable[[Statuses], None] = lambda rows: None,
) -> "pa.Table":
    """Run a shard in this process: one row per run, in the order of the runs."""
    tables = []
    for ended in run_group(work.shard, work.records, interrupted, progress):
        rows = np.searchsorted(work.shard.runs, ended.runs).tolist()
        varied = {key: [values[row] for row in rows] for key, values in work.varied.items()}
        tables.append(table_of(work.shard, ended, varied))
    return join_tables(tables)
