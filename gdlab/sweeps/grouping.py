"""Grouping: which runs of a sweep share a batch.

A setting that differs between runs only by a number is a column: lr, seed, start, and each `Number`
field of the loss, the optimizer, the schedule, the transformation and the noise. Every other
difference is one of structure, and makes another group.

Shapes: n runs of a group.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain

import numpy as np

from gdlab.config.settings import GROUPS, NUMERIC, Settings
from gdlab.errors import CUSTOM_ERRORS, SettingError
from gdlab.fields.custom_classes import errors_as
from gdlab.fields.declared import Configured, find_field, nest_changes, split_key
from gdlab.fields.formatting import format_value
from gdlab.losses.checks import check_definition
from gdlab.sweeps.grid import Axis, Grid
from gdlab.sweeps.plan import Group


def group_runs(
    grid: Grid,
    compose: Callable[[Sequence[str]], Settings],
    structure: Container[str] = (),
) -> list[Group]:
    """Group the runs of a grid; each group is composed once.

    Args:
        grid: all runs.
        compose: makes the settings of a run from its overrides.
        structure: numeric settings to treat as structure, since other settings refer to them.

    Raises:
        SettingError: a setting of some run cannot be used.
    """
    structural = [
        len(axis) > 1 and (axis.name in structure or not _may_be_column(axis)) for axis in grid.axes
    ]
    while True:
        composed = [(rows, compose(grid.overrides(rows[0]))) for rows in _split(grid, structural)]
        varying = [a for a, axis in enumerate(grid.axes) if len(axis) > 1 and not structural[a]]
        wrong = [
            a
            for a in varying
            if not all(_is_columnable(settings, grid.axes[a].name) for _, settings in composed)
        ]
        if not wrong:
            break
        structural = [is_one or a in wrong for a, is_one in enumerate(structural)]
    keys = [grid.axes[a].name for a in varying]
    return [Group(s, columns_of(grid, s, keys, rows), rows) for rows, s in composed]


def columns_of(
    grid: Grid, settings: Settings, keys: Sequence[str], runs: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the values of some axes in some runs, checked.

    Raises:
        SettingError: a value is out of range or of the wrong form, or some do not fit together.
    """
    positions = {axis.name: at for at, axis in enumerate(grid.axes) if axis.name in keys}
    columns = {
        key: _column_of(settings, grid.axes[at])[grid.index[runs, at]]
        for key, at in positions.items()
    }
    for group in GROUPS:
        in_group = [at for key, at in positions.items() if key.startswith(f"{group}.")]
        if in_group:
            axes = [grid.axes[at] for at in in_group]
            _check_jointly(settings, group, axes, grid.index[runs][:, in_group])
    return columns


def _split(grid: Grid, structural: Sequence[bool]) -> Iterator[np.ndarray]:
    """Split the runs by the values of their structural axes, in the order of their first runs."""
    chosen = grid.index[:, np.flatnonzero(structural)]
    _, first, part = np.unique(chosen, axis=0, return_index=True, return_inverse=True)
    for number in np.argsort(first):
        yield np.flatnonzero(part.reshape(-1) == number)


def _may_be_column(axis: Axis) -> bool:
    """Whether an axis holds numbers, or lists of numbers of the same length."""
    values = axis.values
    if axis.key in GROUPS or axis.key.startswith(("hydra.", "~")):
        return False
    forms = {len(value) if isinstance(value, list) else None for value in values}
    numbers = chain.from_iterable(v if isinstance(v, list) else (v,) for v in values)
    kinds = set(map(type, numbers))
    return len(forms) == 1 and all(issubclass(k, (int, float)) and k is not bool for k in kinds)


def _is_columnable(settings: Settings, key: str) -> bool:
    """Whether runs that differ in a setting may share a batch."""
    if key in ("lr", "seed", "start"):
        return True
    node, name = split_key(key)
    if node == "start":
        return name.isdigit() and int(name) < _dim(settings) and settings.start != "random"
    field = find_field(getattr(settings, node), name) if node in NUMERIC else None
    return field is not None and field.numeric


def _column_of(settings: Settings, axis: Axis) -> np.ndarray:
    """Return the values of an axis as an array, each checked.

    Raises:
        SettingError: a value is out of range, or of the wrong form.
    """
    node, name = split_key(axis.name)
    owner = getattr(settings, node) if node in NUMERIC else settings
    field = find_field(owner, "start" if node == "start" else name)
    if field is None:
        raise SettingError(f"{axis.name}: no such setting")
    for value in axis.values:
        given = tuple(value) if isinstance(value, list) else value
        field.check(axis.name, (given,) if node == "start" else given)
        if axis.name == "start" and len(given) != _dim(settings):
            raise SettingError(f"start={format_value(given)}: must be {_dim(settings)} numbers")
    of_numbers = np.fromiter if isinstance(axis.values, range) else np.asarray
    return of_numbers(axis.values, dtype=np.int64 if axis.name == "seed" else np.float64)


def _dim(settings: Settings) -> int:
    """Return the dimension of a loss, which may be custom and not checked yet."""
    with errors_as(f"loss={settings.name('loss')}"):
        check_definition(settings.loss)
        return settings.loss.dim


def _check_jointly(settings: Settings, group: str, axes: Sequence[Axis], index: np.ndarray) -> None:
    """Let a class that checks its fields together see the values of each run.

    Raises:
        SettingError: some values do not fit together.
    """
    owner = getattr(settings, group)
    if type(owner).__post_init__ is Configured.__post_init__:
        return
    for row in np.unique(index, axis=0).tolist():
        values = {axis.name: axis.values[at] for axis, at in zip(axes, row, strict=True)}
        try:
            changes = {split_key(key)[1]: value for key, value in values.items()}
            owner.replace(**nest_changes(owner, changes))
        except SettingError as error:
            raise SettingError(f"{group}.{error}") from error
        except CUSTOM_ERRORS as error:
            given = ", ".join(f"{key}={format_value(value)}" for key, value in values.items())
            raise SettingError(f"{given}: {type(error).__name__}: {error}") from error
