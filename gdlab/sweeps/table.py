"""The table of a sweep: one row per run.

Columns: run; the settings that the sweep varied, plus loss, optimizer, lr and seed; then the fields
of the outcome, with the point as x0, x1, … if it has at most 16 coordinates.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.settings import Settings
from gdlab.engine.outcome import NUMBERS
from gdlab.engine.status import Status
from gdlab.engine.words import Words
from gdlab.fields.formatting import format_value
from gdlab.sweeps.machine import with_machines_of
from gdlab.sweeps.plan import Group
from gdlab.sweeps.shard import FinishedRuns

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_COORDINATES = 16
_ALWAYS = ("loss", "optimizer", "lr", "seed")


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
            columns[key] = pa.repeat(names[key], len(ended.runs))
        elif numbers is not None and numbers.ndim == 1:
            columns[key] = np.asarray(values, numbers.dtype)
        else:
            columns[key] = _plain(values)
    for key in _ALWAYS:
        if key not in columns:
            value = names[key] if key in names else getattr(settings, key)
            columns[key] = pa.repeat(value, len(ended.runs))
    for name, values in ends.columns().items():
        if name == "mode":
            columns["seconds"] = np.full(len(ended.runs), ended.seconds)
        if isinstance(values, Words):
            columns[name] = pa.array(values.texts, pa.string()).take(pa.array(values.codes))
        else:
            columns[name] = values
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


def join_tables(tables: Sequence["pa.Table"]) -> "pa.Table":
    """Join the rows of all tables, sorted by run; columns that a table lacks are null.

    The machines that the tables note are noted with it.

    If a column holds strings in one table and numbers or null in another, as for
    loss.center=0,[1,2], the latter become strings.
    """
    import pyarrow as pa

    schema = joined_schema([table.schema for table in tables])
    return _sorted(pa.concat_tables([with_schema(table, schema) for table in tables]))


def joined_schema(schemas: Iterable["pa.Schema"]) -> "pa.Schema":
    """Return the schema of the table that `join_tables` makes of tables with these."""
    import pyarrow as pa

    different = list(dict.fromkeys(schemas))
    fields = [field for schema in different for field in schema]
    strings = {field.name for field in fields if pa.types.is_string(field.type)}
    alike = [
        pa.schema([pa.field(f.name, pa.string()) if f.name in strings else f for f in schema])
        for schema in different
    ]
    return with_machines_of(pa.unify_schemas(alike, promote_options="permissive"), different)


def with_schema(table: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """Return a table with the columns of a schema that `joined_schema` made of its own."""
    import pyarrow as pa

    def column(field: "pa.Field") -> "pa.ChunkedArray | pa.Array":
        if field.name not in table.column_names:
            return pa.nulls(len(table), field.type)
        values = table[field.name]
        if pa.types.is_string(field.type) and not pa.types.is_string(values.type):
            return pa.array([format_value(value) for value in values.to_pylist()], field.type)
        return values if values.type == field.type else values.cast(field.type)

    return pa.table([column(field) for field in schema], schema=schema)


def in_order(tables: Iterable["pa.Table"], rows: int) -> Iterator["pa.Table"]:
    """Yield the rows of tables in the order of their runs, `rows` at a time.

    Only tables whose runs interleave are in memory together.

    Args:
        tables: with the same columns, each sorted by run, in the order of their first runs.
        rows: of a part that is yielded; the last may have fewer.
    """
    import pyarrow as pa

    waiting: list[pa.Table] = []
    most = rows
    for table in tables:
        # Where runs interleave, the rows that must wait are sorted again and again. They may
        # double in between, so that each is sorted a few times only.
        if sum(map(len, waiting)) > most:
            merged = _sorted(pa.concat_tables(waiting))
            ready = int(np.searchsorted(merged["run"].to_numpy(), table["run"][0].as_py()))
            ready -= ready % rows
            yield from _cut(merged.slice(0, ready), rows)
            waiting, most = [merged.slice(ready)], rows + 2 * (len(merged) - ready)
        waiting.append(table)
    if waiting:
        yield from _cut(_sorted(pa.concat_tables(waiting)), rows)


def _cut(table: "pa.Table", rows: int) -> Iterator["pa.Table"]:
    for first in range(0, len(table), rows):
        yield table.slice(first, rows)


def _sorted(table: "pa.Table") -> "pa.Table":
    """Return a table sorted by run, without a copy where it is: tables of one group are."""
    is_sorted = bool((np.diff(table["run"].to_numpy()) >= 0).all())
    return table if is_sorted else table.sort_by("run")


def _plain(values: Sequence[Any]) -> list[Any]:
    """Keep numbers, strings and None; format anything else as a string."""

    def plain(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return value if -(2**63) <= value < 2**63 else float(value)
        return value if value is None or isinstance(value, (float, str)) else format_value(value)

    return [plain(value) for value in values]
