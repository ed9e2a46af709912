"""A sweep's runs to groups: which settings are structure, which are columns.

What differs between runs only by a number (lr, seed, start, each `Number` field of the loss, the
optimizer, the schedule, the transformation and the noise) is a column; whatever else differs makes
another group.

Shapes: R runs of the sweep, n runs of a group, D dimensions.
"""

import dataclasses
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from gdlab.config.settings import GROUPS, NUMERIC, Settings
from gdlab.engine.outcome import Outcome
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Field, field_of, parted, placed
from gdlab.fields.formatting import shown
from gdlab.fields.validation import Range
from gdlab.grid import Axis, Grid
from gdlab.hydra_files import Template
from gdlab.results.ranking import Metric
from gdlab.runs.batching import mode_of

EXECUTOR = Field(Literal["serial", "processes"], Range())
"""Who may run the shards of a sweep."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")
_LONGEST_NAME = 200
_OUTCOMES = {field.name for field in dataclasses.fields(Outcome)}


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one structure.

    Attributes:
        settings: those of its first run.
        columns: what differs, by dotted name: (n,), or (n, k) where a value is a list of k.
        runs: the numbers of its runs in the sweep: (n,), increasing.
    """

    settings: Settings
    columns: Mapping[str, np.ndarray]
    runs: np.ndarray

    def __len__(self) -> int:
        return len(self.runs)

    def take(self, rows: np.ndarray | slice) -> "Group":
        """Some of its runs."""
        columns = {key: values[rows] for key, values in self.columns.items()}
        return Group(self.settings, columns, self.runs[rows])

    def settings_of(self, row: int) -> Settings:
        """The settings of one run; its numbers were checked with their columns."""
        changes: dict[str, dict[str, Any]] = {node: {} for node in ("", "start", *NUMERIC)}
        for key, values in self.columns.items():
            value = values[row].tolist()
            node, name = parted(key)
            changes[node][name] = tuple(value) if isinstance(value, list) else value
        top = changes[""]
        for node in NUMERIC:
            if changes[node]:
                owner = getattr(self.settings, node)
                top[node] = owner.unchecked(**placed(owner, changes[node]))
        settings = self.settings.unchecked(**top)
        if changes["start"]:
            given = {int(place): value for place, value in changes["start"].items()}
            start = tuple(given.get(at, x) for at, x in enumerate(settings.starting_point()))
            settings = settings.unchecked(start=start)
        return settings


def decided(group: Group) -> Group:
    """A group with its mode decided by its size, for all its parts alike."""
    engine, mode = group.settings.engine, mode_of(group.settings, len(group))
    settings = group.settings.unchecked(engine=engine.unchecked(mode=mode))
    return dataclasses.replace(group, settings=settings)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep, in groups.

    Attributes:
        grid: what differs between the runs.
        groups: the runs by structure.
        templates: of each group's `.hydra` files; None in a sweep that Hydra has no part in.
        executor: who runs the shards, an `EXECUTOR`.
        rows: a shard has at most so many runs; None for `engine.max_rows`.
    """

    grid: Grid
    groups: tuple[Group, ...]
    templates: tuple[Template | None, ...]
    executor: str = "serial"
    rows: int | None = None

    def __len__(self) -> int:
        return len(self.grid)

    @property
    def options(self) -> Settings:
        """The settings of a sweep as a whole, which are those of each run."""
        return self.groups[0].settings

    def shards(self) -> Iterator[Group]:
        """The groups in pieces of at most `rows` runs."""
        rows = self.rows or self.options.engine.max_rows
        for group in map(decided, self.groups):
            for first in range(0, len(group), rows):
                yield group.take(slice(first, first + rows))

    def varied(self, runs: np.ndarray) -> dict[str, list[Any]]:
        """For each setting that varies its values in some runs."""
        return {
            column_name(axis.name): [axis.values[at] for at in self.grid.index[runs, place]]
            for place, axis in enumerate(self.grid.axes)
            if len(axis) > 1
        }

    def keys(self) -> list[str]:
        """The settings that vary, as the tables call them."""
        return [column_name(axis.name) for axis in self.grid.axes if len(axis) > 1]

    def by(self) -> list[str]:
        """The settings for whose combinations the summary names a best: what is no number."""
        if self.options.summary.by is not None:
            return [column_name(key) for key in self.options.summary.by]
        columns = self.groups[0].columns
        return [key for key in self.keys() if key not in columns]

    @cached_property
    def metrics(self) -> list[str]:
        """The names of what the losses measure at a point, such as accuracy."""
        return sorted({name for group in self.groups for name in group.settings.loss.metrics})

    @property
    def metric(self) -> Metric:
        """The column by which the summary ranks runs that did not converge."""
        summary = self.options.summary
        return Metric.of(summary.metric, summary.direction, self.metrics)

    def name(self, run: int) -> str:
        """The name of a run's directory: what sets it apart, in letters that are safe anywhere."""
        chosen = zip(self.grid.axes, self.grid.index[run], strict=True)
        words = [f"{axis.name}={axis.texts[at]}" for axis, at in chosen if len(axis) > 1]
        name = _UNSAFE.sub("", ",".join(words).replace("/", "."))
        return name if 0 < len(name) <= _LONGEST_NAME else f"run={run}"

    def place(self, run: int) -> tuple[int, int]:
        """The group of a run, and its row there."""
        group = int(self.group_of_run[run])
        return group, int(np.searchsorted(self.groups[group].runs, run))

    def settings_of(self, run: int) -> Settings:
        """The settings of a run."""
        group, row = self.place(run)
        return self.groups[group].settings_of(row)

    @cached_property
    def group_of_run(self) -> np.ndarray:
        """The number of each run's group: (R,)."""
        numbers = np.empty(len(self), dtype=np.int64)
        for number, group in enumerate(self.groups):
            numbers[group.runs] = number
        return numbers


def column_name(key: str) -> str:
    """What the tables call a setting: its name, unless what ended is called so."""
    return f"setting.{key}" if key in _OUTCOMES else key


def grouped(
    grid: Grid,
    compose: Callable[[Sequence[str]], Settings],
    structure: Container[str] = (),
) -> list[Group]:
    """The groups of a grid's runs, each composed once.

    Args:
        grid: all runs.
        compose: the settings of a run from its overrides.
        structure: settings that are structure though they are numbers, since others follow them.

    Raises:
        SettingError: a setting of any run cannot be used.
    """
    structural = [
        len(axis) > 1 and (axis.name in structure or not _may_be_column(axis)) for axis in grid.axes
    ]
    while True:
        found = [(rows, compose(grid.overrides(rows[0]))) for rows in _alike(grid, structural)]
        varying = [a for a, axis in enumerate(grid.axes) if len(axis) > 1 and not structural[a]]
        wrong = [
            a
            for a in varying
            if not all(_is_columnable(settings, grid.axes[a].name) for _, settings in found)
        ]
        if not wrong:
            break
        structural = [is_one or a in wrong for a, is_one in enumerate(structural)]
    keys = [grid.axes[a].name for a in varying]
    return [Group(s, columns_of(grid, s, keys, rows), rows) for rows, s in found]


def columns_of(
    grid: Grid, settings: Settings, keys: Sequence[str], runs: np.ndarray
) -> dict[str, np.ndarray]:
    """The values of some axes for some runs, checked.

    Raises:
        SettingError: one of them is out of range or of the wrong form, or some do not go together.
    """
    places = {axis.name: place for place, axis in enumerate(grid.axes) if axis.name in keys}
    columns = {
        key: _column(settings, grid.axes[place])[grid.index[runs, place]]
        for key, place in places.items()
    }
    for group in GROUPS:
        own = [place for key, place in places.items() if key.startswith(f"{group}.")]
        if own:
            axes = [grid.axes[place] for place in own]
            _check_together(settings, group, axes, grid.index[runs][:, own])
    return columns


def _alike(grid: Grid, structural: Sequence[bool]) -> Iterator[np.ndarray]:
    """Runs that agree in all structural axes, in the order of their first runs."""
    chosen = grid.index[:, np.flatnonzero(structural)]
    _, first, which = np.unique(chosen, axis=0, return_index=True, return_inverse=True)
    for number in np.argsort(first):
        yield np.flatnonzero(which.reshape(-1) == number)


def _may_be_column(axis: Axis) -> bool:
    """Whether an axis holds numbers, or lists of as many numbers."""
    values = axis.values
    if axis.key in GROUPS or axis.key.startswith(("hydra.", "~")):
        return False
    lists = [value if isinstance(value, list) else [value] for value in values]
    same = len({(isinstance(v, list), len(item)) for v, item in zip(values, lists, strict=True)})
    return same == 1 and all(
        isinstance(n, (int, float)) and not isinstance(n, bool) for item in lists for n in item
    )


def _is_columnable(settings: Settings, key: str) -> bool:
    """Whether runs that differ in a setting may share a batch."""
    if key in ("lr", "seed", "start"):
        return True
    node, name = parted(key)
    if node == "start":
        return name.isdigit() and int(name) < settings.loss.dim and settings.start != "random"
    field = field_of(getattr(settings, node), name) if node in NUMERIC else None
    return field is not None and field.numeric


def _column(settings: Settings, axis: Axis) -> np.ndarray:
    """An axis's values as an array, each checked.

    Raises:
        SettingError: one of them is out of range, or of the wrong form.
    """
    node, name = parted(axis.name)
    owner = getattr(settings, node) if node in NUMERIC else settings
    field = field_of(owner, "start" if node == "start" else name)
    if field is None:
        raise SettingError(f"{axis.name}: no such setting")
    for value in axis.values:
        given = tuple(value) if isinstance(value, list) else value
        field.check(axis.name, (given,) if node == "start" else given)
        if axis.name == "start" and len(given) != settings.loss.dim:
            raise SettingError(f"start={shown(given)}: must be {settings.loss.dim} numbers")
    return np.asarray(axis.values, dtype=np.int64 if axis.name == "seed" else np.float64)


def _check_together(
    settings: Settings, group: str, axes: Sequence[Axis], index: np.ndarray
) -> None:
    """Let a class that checks more than each field alone see what its runs give it.

    Raises:
        SettingError: some values do not go together.
    """
    owner = getattr(settings, group)
    if type(owner).__post_init__ is Configured.__post_init__:
        return
    for row in np.unique(index, axis=0).tolist():
        values = {axis.name: axis.values[at] for axis, at in zip(axes, row, strict=True)}
        try:
            changes = {parted(key)[1]: value for key, value in values.items()}
            owner.replace(**placed(owner, changes))
        except SettingError as error:
            raise SettingError(f"{group}.{error}") from error
        except Exception as error:  # a person's own class may raise anything
            given = ", ".join(f"{key}={shown(value)}" for key, value in values.items())
            raise SettingError(f"{given}: {type(error).__name__}: {error}") from error
