"""The table of a sweep: one row per run.

Columns: run, the settings that the sweep varied plus loss, optimizer, lr and seed, then how the run
ended, with the point as x0, x1, … where it has at most 16 coordinates.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.settings import Settings
from gdlab.engine.outcome import NUMBERS
from gdlab.engine.status import Status
from gdlab.fields.formatting import format_value
from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import FinishedRuns

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_COORDINATES = 16
_ALWAYS = ("loss", "optimizer", "lr", "seed")


def table_of(group: Group, ended: FinishedRuns, varied: Mapping[str, Sequence[Any]]) -> "pa.Table":
    """The rows of runs that ended.

    Args:
        group: the group that they are of.
        ended: how they ended.
        varied: for each setting that the sweep varied its value in each of the runs.
    """
    import pyarrow as pa

    settings, ends = group.settings, ended.outcomes
    names = {"loss": settings.name("loss"), "optimizer": settings.name("optimizer")}
    columns: dict[str, Any] = {"run": ended.runs}
    for key, values in varied.items():
        held = group.columns.get(key)
        if key in names:
            columns[key] = [names[key]] * len(ended.runs)
        elif held is not None and held.ndim == 1:
            columns[key] = np.asarray(values, held.dtype)
        else:
            columns[key] = _plain(values)
    for key in _ALWAYS:
        if key not in columns:
            value = names[key] if key in names else getattr(settings, key)
            columns[key] = [value] * len(ended.runs)
    for name, values in ends.columns().items():
        if name == "mode":
            columns["seconds"] = np.full(len(ended.runs), ended.seconds)
        columns[name] = pa.array(values, pa.string()) if name == "mode_reason" else values
    if ends.x.shape[1] <= _MOST_COORDINATES:
        columns |= {f"x{i}": ends.x[:, i] for i in range(ends.x.shape[1])}
    return pa.table(columns)


def table_of_failed(
    settings: Settings, reasons: Mapping[int, str], varied: Mapping[str, Sequence[Any]]
) -> "pa.Table":
    """The rows of runs that could not begin or left nothing, such as for a setting out of range.

    Args:
        settings: of another run of the sweep, for what does not vary.
        reasons: for each run why it failed.
        varied: for each setting that the sweep varied its value in each of the runs.
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
    """The table of no runs."""
    import pyarrow as pa

    return pa.table({"run": pa.array([], pa.int64()), "final_loss": pa.array([], pa.float64())})


def join_tables(tables: Sequence["pa.Table"]) -> "pa.Table":
    """The rows of all tables by run; a column that one has not is null there.

    Where one has texts and another numbers or null, as of loss.center=0,[1,2], these become texts.
    """
    import pyarrow as pa

    fields = [field for table in tables for field in table.schema]
    texts = {field.name for field in fields if pa.types.is_string(field.type)}

    def alike(name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray | pa.Array":
        if name not in texts or pa.types.is_string(column.type):
            return column
        return pa.array([format_value(value) for value in column.to_pylist()])

    tables = [
        pa.table({name: alike(name, table[name]) for name in table.column_names})
        for table in tables
    ]
    return pa.concat_tables(tables, promote_options="permissive").sort_by("run")


def _plain(values: Sequence[Any]) -> list[Any]:
    """Numbers, texts and null as they are, anything else as a text."""

    def plain(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return value if -(2**63) <= value < 2**63 else float(value)
        return value if value is None or isinstance(value, (float, str)) else format_value(value)

    return [plain(value) for value in values]
