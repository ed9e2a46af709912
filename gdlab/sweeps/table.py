"""The table of a sweep: one row per run.

Columns: run; the settings that the sweep varied, plus loss, optimizer, lr and seed; then the fields
of the outcome, with the point as x0, x1, … if it has at most 16 coordinates.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.settings import Settings
from gdlab.engine.outcome import NUMBERS
from gdlab.engine.status import Status
from gdlab.fields.formatting import format_value
from gdlab.sweeps.machine import with_machines_of
from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import FinishedRuns

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_COORDINATES = 16
_ALWAYS = ("loss", "optimizer", "lr", "seed")
_NULLABLE_TEXTS = ("diagnosis", "mode_reason")


def table_of(group: Group, ended: FinishedRuns, varied: Mapping[str, Sequence[Any]]) -> "pa.Table":
    """Return the rows of runs that ended.

    Args:
        group: the group of the runs.
        ended: how they ended.
        varied: for each setting that the sweep varied, its value in each of the runs.
    """
    import pyarrow as pa

    settings, ends = group.settings, ended.outcomes
    names = {"loss": settings.name("loss"), "optimizer": settings.name("optimizer")}
    columns: dict[str, Any] = {"run": ended.runs}
    for key, values in varied.items():
        numbers = group.columns.get(key)
        if key in names:
            columns[key] = [names[key]] * len(ended.runs)
        elif numbers is not None and numbers.ndim == 1:
            columns[key] = np.asarray(values, numbers.dtype)
        else:
            columns[key] = _plain(values)
    for key in _ALWAYS:
        if key not in columns:
            value = names[key] if key in names else getattr(settings, key)
            columns[key] = [value] * len(ended.runs)
    for name, values in ends.columns().items():
        if name == "mode":
            columns["seconds"] = np.full(len(ended.runs), ended.seconds)
        columns[name] = pa.array(values, pa.string()) if name in _NULLABLE_TEXTS else values
    if ends.x.shape[1] <= _MAX_COORDINATES:
        columns |= {f"x{i}": ends.x[:, i] for i in range(ends.x.shape[1])}
    return pa.table(columns)


def table_of_failed(
    settings: Settings, reasons: Mapping[int, str], varied: Mapping[str, Sequence[Any]]
) -> "pa.Table":
    """Return the rows of runs without a result, such as those with a setting out of range.

    Args:
        settings: of another run of the sweep, for the settings that do not vary.
        reasons: why each run failed, by the numbers of the runs.
        varied: for each setting that the sweep varied, its value in each of the runs.
    """
    import pyarrow as pa

    count = len(reasons)
    always = {key: settings.name(key) for key in ("loss", "optimizer")}
    always |= {"lr": settings.lr, "seed": settings.seed}
    columns: dict[str, Any] = {"run": list(reasons)}
    columns |= {key: _plain(values) for key, values in varied.items()}
    columns |= {key: [value] * count for key, value in always.items() if key not in columns}
    columns |= {"status": [str(Status.FAILED)] * count, "reason": list(reasons.values())}
    columns |= {
        name: np.full(count, about["initial"], about["dtype"])
        for name, about in NUMBERS.items()
        if not about["nullable"]
    }
    columns |= {"seconds": np.zeros(count), "mode": ["eager"] * count}
    return pa.table(columns)


def empty_table() -> "pa.Table":
    """Return a table of no runs."""
    import pyarrow as pa

    return pa.table({"run": pa.array([], pa.int64()), "final_loss": pa.array([], pa.float64())})


def join_tables(tables: Sequence["pa.Table"]) -> "pa.Table":
    """Join the rows of all tables, sorted by run; columns that a table lacks are null.

    The machines that the tables note are noted with it.

    If a column holds strings in one table and numbers or null in another, as for
    loss.center=0,[1,2], the latter become strings.
    """
    import pyarrow as pa

    fields = [field for table in tables for field in table.schema]
    strings = {field.name for field in fields if pa.types.is_string(field.type)}

    def unify(name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray | pa.Array":
        if name not in strings or pa.types.is_string(column.type):
            return column
        return pa.array([format_value(value) for value in column.to_pylist()])

    unified = [
        pa.table({name: unify(name, table[name]) for name in table.column_names})
        for table in tables
    ]
    joined = pa.concat_tables(unified, promote_options="permissive")
    # Those of one group are: to sort them again would take the memory of another table.
    is_sorted = bool((np.diff(joined["run"].to_numpy()) >= 0).all())
    return with_machines_of(joined if is_sorted else joined.sort_by("run"), tables)


def _plain(values: Sequence[Any]) -> list[Any]:
    """Keep numbers, strings and None; format anything else as a string."""

    def plain(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return value if -(2**63) <= value < 2**63 else float(value)
        return value if value is None or isinstance(value, (float, str)) else format_value(value)

    return [plain(value) for value in values]
