"""The plan of a sweep on disk: written once, and read to resume without composing anything.

`plan.parquet` holds the index of the grid, `plan.json` the rest. The latter is written last, so
that a directory with a `plan.json` has a complete plan. The plan names classes; one from outside
gdlab is imported only if the person who resumes the sweep names it again.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gdlab.config.loading import settings_from_values
from gdlab.config.settings import GROUPS, Settings
from gdlab.errors import GdlabError, RecordError, SettingError, describe_error
from gdlab.fields.declared import Configured, Field
from gdlab.fields.validation import Range
from gdlab.losses.datasets.fingerprints import Fingerprint
from gdlab.recording.digests import VerifiedFiles, write_with_digest
from gdlab.recording.names import ABOUT
from gdlab.recording.parquet import read_parquet, write_table
from gdlab.sweeps.executors.table import check_executor
from gdlab.sweeps.grid import Axis, Grid, check_run_count, stack_columns
from gdlab.sweeps.grouping import columns_of
from gdlab.sweeps.hydra_dir import Template
from gdlab.sweeps.plan import Group, Plan

_Restored = TypeVar("_Restored")

PLAN, INDEX = "plan.json", "plan.parquet"
_ROWS = Field(int | None, Range(ge=1))

CLASS_NAMES = ("_target_", "cls")
"""The settings that name a class to import."""

_OF_TORCH = re.compile(r"torch\.optim\.\w+")


def save(plan: Plan, directory: Path) -> None:
    """Write a plan into a sweep's directory."""
    import pyarrow as pa

    index = {f"axis{number}": pa.array(at) for number, at in enumerate(plan.grid.index.T)}
    write_table(directory, INDEX, pa.table({"group": pa.array(plan.group_of_run), **index}))
    groups = [
        {
            "settings": plain_settings(group.settings),
            "choices": group.settings.choices,
            "columns": list(group.columns),
            "template": None if template is None else vars(template),
        }
        for group, template in zip(plan.groups, plan.templates, strict=True)
    ]
    written = {
        "executor": plan.executor,
        "rows": plan.rows,
        "axes": list(map(_plain_axis, plan.grid.axes)),
        "groups": groups,
        "data": [vars(file) for file in plan.data],
    }
    text = json.dumps(written, indent=1)
    write_with_digest(directory, PLAN, text.encode())


def load(directory: Path, named: Iterable[str] = ()) -> Plan:
    """Read the plan of a sweep's directory.

    Args:
        directory: the sweep's.
        named: classes from outside gdlab that the person who resumes names.

    Raises:
        SettingError: there is no plan, it names a class that the person did not, or a file that
            its losses read has changed.
        RecordError: the plan is damaged.
    """
    if not (directory / PLAN).is_file() and (directory / ABOUT).is_file():
        why = "holds a sweep made in Python, which cannot be resumed; call gdlab.sweep again"
        raise SettingError(f"resume={directory}: {why}")
    return restored(directory, PLAN, "sweep", partial(_restore, directory, set(named)))


def restored(
    directory: Path, name: str, what: str, restore: Callable[[VerifiedFiles], _Restored]
) -> _Restored:
    """Return what was saved in a directory to resume it.

    Args:
        directory: of a sweep or a comparison.
        name: the file without which there is nothing to resume.
        what: that this is of, in a word.
        restore: makes it of the directory's files.

    Raises:
        SettingError: there is no such file.
        RecordError: a file is damaged.
    """
    if not (directory / name).is_file():
        why = f"holds no {what} (no {name})" if directory.is_dir() else "there is no such folder"
        raise SettingError(f"resume={directory}: {why}")
    try:
        return restore(VerifiedFiles(directory))
    except GdlabError:
        raise
    except Exception as error:  # a damaged file may hold anything
        described = describe_error(error)
        raise RecordError(f"{directory / name}: missing or damaged ({described})") from error


def _restore(directory: Path, named: set[str], files: VerifiedFiles) -> Plan:
    table = read_parquet(files, INDEX)
    written = json.loads(files.read_text(PLAN))
    data = tuple(Fingerprint(**file) for file in written["data"])
    refuse_changed(data, directory)
    axes = tuple(map(_axis_of, written["axes"]))
    columns = [table[f"axis{number}"].to_numpy() for number in range(len(axes))]
    group_of_run, saved = table["group"].to_numpy(), written["groups"]
    index = stack_columns(columns, len(group_of_run))
    if len(table.columns) != 1 + len(axes) or set(group_of_run.tolist()) != set(range(len(saved))):
        raise ValueError(f"{INDEX} belongs to another plan")
    grid = Grid(axes, index)
    groups = []
    for number, group in enumerate(saved):
        for key, target in targets(group["settings"]):
            refuse_foreign(key, target, named, directory)
        settings = settings_from_values(group["settings"], group["choices"])
        runs = np.flatnonzero(group_of_run == number)
        groups.append(Group(settings, columns_of(grid, settings, group["columns"], runs), runs))
    templates = [None if g["template"] is None else Template(**g["template"]) for g in saved]
    executor = check_executor(f"{directory / PLAN}: executor", written["executor"])
    rows = _ROWS.check(f"{directory / PLAN}: rows", written["rows"])
    return Plan(grid, tuple(groups), tuple(templates), executor, rows, data)


def _plain_axis(axis: Axis) -> dict[str, Any]:
    """Return an axis as plain values; a range, which may have millions, by its ends."""
    values = axis.values
    if isinstance(values, range):
        return {"key": axis.key, "range": [values.start, values.stop, values.step]}
    return {"key": axis.key, "values": list(values), "texts": list(axis.texts)}


def _axis_of(plain: Mapping[str, Any]) -> Axis:
    """Return the axis of plain values, the inverse of `_plain_axis`."""
    if "range" not in plain:
        return Axis(**plain)
    values = range(*plain["range"])
    check_run_count({plain["key"]: len(values)})
    return Axis.of_numbers(plain["key"], values)


def refuse_changed(data: Iterable[Fingerprint], directory: Path) -> None:
    """Refuse to mix the runs of a sweep with runs on other data.

    Raises:
        SettingError: a file is gone or has changed.
    """
    for file in data:
        change = file.find_change()
        if change is not None:
            raise SettingError(f"resume={directory}: {change}")


def plain_settings(settings: Settings) -> dict[str, Any]:
    """Return settings as nested plain values, the inverse of `settings_from_values`."""
    values: dict[str, Any] = {}
    for key, value in settings.settings().items():
        if isinstance(value, Configured):
            values[key] = tagged(value) if key in GROUPS else value.settings()
        elif key != "choices":
            values[key] = value
    return values


def tagged(value: Configured) -> dict[str, Any]:
    """Return the fields of a value with the name of its class, nested values likewise."""
    fields = {
        name: tagged(field) if isinstance(field, Configured) else field
        for name, field in value.settings().items()
    }
    return {"_target_": class_name(value), **fields}


def class_name(value: Configured) -> str:
    """Return the dotted name of a value's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def targets(values: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting that names a class, at any depth of nested plain values, and the class."""
    inner = values if isinstance(values, dict) else dict(enumerate(values))
    for key, value in inner.items():
        if key in CLASS_NAMES:
            yield f"{prefix}{key}", str(value)
        elif isinstance(value, (dict, list)):
            yield from targets(value, f"{prefix}{key}.")


def refuse_foreign(key: str, target: str, named: set[str], directory: Path) -> None:
    """Refuse a class from outside gdlab and torch that the person who resumes did not name.

    Raises:
        SettingError: the setting `key` of the directory's plan names such a class.
    """
    is_known = target.startswith("gdlab.") or _OF_TORCH.fullmatch(target)
    if not is_known and target not in named:
        raise SettingError(
            f"resume={directory}: its plan names {target}; to run that class, name it "
            f"again: add {key}={target}"
        )
