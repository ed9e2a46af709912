"""How the runs of a sweep ended, as far as a summary of it reads: a few numbers of each run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gdlab.numerics.memory import release_memory
from gdlab.results.ranking import DataFrame
from gdlab.sweeps.machine import differences
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.standings import Standings, standings_of

if TYPE_CHECKING:
    import pyarrow as pa

_ENDS = ("status", "reason", "steps", "final_loss", "evaluations", "diagnosis", "mode_reason")
_READ_IF_VARIED = {"lr": ("lr_limit", "best_loss"), "start.0": ("x0",), "start.1": ("x1",)}
"""Columns of the table of a sweep, beside those of the settings that vary and the metric."""


@dataclass(frozen=True, eq=False)
class SweepResults:
    """How the runs of a sweep ended, and what it found: computed once, whoever asks.

    Attributes:
        plan: of the sweep.
        frame: a row for each run that ended or was interrupted, of the table of the sweep those
            columns that a summary, a choice of runs and pictures read.
        machines_differ: in what the machines differ that the runs ran on.
    """

    plan: Plan
    frame: DataFrame
    machines_differ: Sequence[str]

    @cached_property
    def standings(self) -> Standings:
        """What the sweep found."""
        return standings_of(self.plan, self.frame)


def results_of(plan: Plan, parts: Iterable["pa.Table"]) -> SweepResults:
    """Return how the runs of a sweep ended.

    Args:
        plan: of the sweep.
        parts: of its table, one after the other, at least one; they are not kept.
    """
    import pandas as pd

    chosen = _columns_read(plan)
    columns: dict[str, np.ndarray] = {}
    schema, count = None, 0
    for part in parts:
        schema, rows = part.schema, slice(count, count + len(part))
        for name in schema.names:
            if name in chosen:
                values = _to_numpy(part[name])
                column = columns.get(name)
                if column is None:
                    column = np.empty(len(plan), values.dtype)
                # Whole numbers are others where some are null.
                columns[name] = column.astype(np.result_type(column, values), copy=False)
                columns[name][rows] = values
        count = rows.stop
        del part
        release_memory()
    assert schema is not None
    series = {
        name: pd.Series(values[:count], dtype=values.dtype, copy=False)
        for name, values in columns.items()
    }
    return SweepResults(plan, pd.DataFrame(series, copy=False), differences(schema))


def _columns_read(plan: Plan) -> set[str]:
    """Return the names of the columns that something reads before the sweep is over."""
    keys = plan.keys()
    others = [name for key in keys for name in _READ_IF_VARIED.get(key, ())]
    return {"run", *_ENDS, plan.metric.name, *keys, *plan.by(), *others}


def _to_numpy(column: "pa.ChunkedArray") -> np.ndarray:
    """Return a column as numbers or objects; equal texts are one object."""
    import pyarrow as pa

    if not pa.types.is_string(column.type):
        return column.to_numpy()
    coded = column.combine_chunks().dictionary_encode()
    texts = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    return texts[coded.indices.fill_null(len(texts) - 1).to_numpy()]
