"""The plan of a sweep on disk: written once, read to resume, composing nothing.

`plan.parquet` holds which value of each axis each run takes, `plan.json` the rest; the latter is
written last, so that a directory with a `plan.json` has a whole plan. Classes are named there, and
a name that is not gdlab's own is used only where the person who resumes names it again.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.loading import settings_from_values
from gdlab.config.settings import GROUPS, Settings
from gdlab.errors import GdlabError, RecordError, SettingError
from gdlab.fields.declared import Configured, Field
from gdlab.fields.validation import Range
from gdlab.recording.files import write_atomically
from gdlab.recording.parquet import read_parquet, write_table
from gdlab.sweeps.executors.table import check_executor
from gdlab.sweeps.grid import Axis, Grid
from gdlab.sweeps.grouping import columns_of
from gdlab.sweeps.hydra_dir import Template
from gdlab.sweeps.plan import Group, Plan

if TYPE_CHECKING:
    import pyarrow as pa

PLAN, INDEX = "plan.json", "plan.parquet"
_ROWS = Field(int | None, Range(ge=1))

CLASS_NAMES = ("_target_", "cls")
"""The settings whose values are names of classes, which are imported."""

_OF_TORCH = re.compile(r"torch\.optim\.\w+")


def save(plan: Plan, directory: Path) -> None:
    """Write a plan into a sweep's directory."""
    import pyarrow as pa

    index = {f"axis{place}": pa.array(at) for place, at in enumerate(plan.grid.index.T)}
    write_table(directory / INDEX, pa.table({"group": pa.array(plan.group_of_run), **index}))
    groups = [
        {
            "settings": plain_settings(group.settings),
            "choices": group.settings.choices,
            "columns": list(group.columns),
            "template": None if template is None else vars(template),
        }
        for group, template in zip(plan.groups, plan.templates, strict=True)
    ]
    axes = [{**vars(axis), "values": list(axis.values)} for axis in plan.grid.axes]
    written = {"executor": plan.executor, "rows": plan.rows, "axes": axes, "groups": groups}
    text = json.dumps(written, indent=1)
    write_atomically(directory / PLAN, text.encode())


def load(directory: Path, named: Iterable[str] = ()) -> Plan:
    """Read the plan of a sweep's directory.

    Args:
        directory: the sweep's.
        named: classes beside gdlab's own that the person who resumes names.

    Raises:
        SettingError: there is no plan, or it names a class that was not named.
        RecordError: it is damaged.
    """
    if not (directory / PLAN).is_file():
        raise SettingError(f"resume={directory}: holds no sweep (no {PLAN})")
    table = read_parquet(directory / INDEX)
    try:
        written = json.loads((directory / PLAN).read_text(encoding="utf-8"))
        return _plan(written, table, set(named), directory)
    except GdlabError:
        raise
    # What was damaged may hold anything.
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise RecordError(f"{directory / PLAN}: missing or damaged ({what})") from error


def _plan(written: dict[str, Any], table: "pa.Table", named: set[str], directory: Path) -> Plan:
    axes = tuple(Axis(**axis) for axis in written["axes"])
    columns = [table[f"axis{place}"].to_numpy() for place in range(len(axes))]
    which, groups = table["group"].to_numpy(), written["groups"]
    index = np.stack(columns, 1) if columns else np.zeros((len(which), 0), dtype=np.int64)
    if len(table.columns) != 1 + len(axes) or set(which.tolist()) != set(range(len(groups))):
        raise ValueError(f"{INDEX} is of another plan")
    grid = Grid(axes, index)
    made = []
    for number, group in enumerate(groups):
        for key, target in _targets(group["settings"]):
            _refuse_foreign(key, target, named, directory)
        settings = settings_from_values(group["settings"], group["choices"])
        runs = np.flatnonzero(which == number)
        made.append(Group(settings, columns_of(grid, settings, group["columns"], runs), runs))
    templates = [None if g["template"] is None else Template(**g["template"]) for g in groups]
    executor = check_executor(f"{directory / PLAN}: executor", written["executor"])
    rows = _ROWS.check(f"{directory / PLAN}: rows", written["rows"])
    return Plan(grid, tuple(made), tuple(templates), executor, rows)


def plain_settings(settings: Settings) -> dict[str, Any]:
    """Settings as nested plain values, from which `settings_from_values` makes them again."""
    values: dict[str, Any] = {}
    for key, value in settings.settings().items():
        if isinstance(value, Configured):
            values[key] = _tagged(value) if key in GROUPS else value.settings()
        elif key != "choices":
            values[key] = value
    return values


def _tagged(value: Configured) -> dict[str, Any]:
    """A value's fields with the name of its class; the same of those that are configured."""
    fields = {
        name: _tagged(field) if isinstance(field, Configured) else field
        for name, field in value.settings().items()
    }
    return {"_target_": class_name(value), **fields}


def class_name(value: Configured) -> str:
    """The dotted name of a setting's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _targets(values: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The classes that nested plain values name, wherever they do, after the settings that do."""
    inner = values if isinstance(values, dict) else dict(enumerate(values))
    for key, value in inner.items():
        if key in CLASS_NAMES:
            yield f"{prefix}{key}", str(value)
        elif isinstance(value, (dict, list)):
            yield from _targets(value, f"{prefix}{key}.")


def _refuse_foreign(key: str, target: str, named: set[str], directory: Path) -> None:
    is_known = target.startswith("gdlab.") or _OF_TORCH.fullmatch(target)
    if not is_known and target not in named:
        raise SettingError(
            f"resume={directory}: its plan names {target}; to run that class, name it again: "
            f"add {key}={target}"
        )
