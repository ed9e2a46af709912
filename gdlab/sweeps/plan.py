"""A sweep's runs to groups: which settings are structure, which are columns.

What differs between runs only by a number (lr, seed, start, each `Number` field of the loss, the
optimizer, the schedule, the transformation and the noise) is a column; whatever else differs makes
another group.

Shapes: R runs of the sweep, n runs of a group, D dimensions.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gdlab.config.settings import NUMERIC, Settings
from gdlab.engine.outcome import Outcome
from gdlab.fields.declared import nest_changes, split_key
from gdlab.results.ranking import Metric
from gdlab.runs.batching import resolve_mode
from gdlab.sweeps.executors.table import DEFAULT
from gdlab.sweeps.grid import Grid
from gdlab.sweeps.hydra_dir import Template

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
            node, name = split_key(key)
            changes[node][name] = tuple(value) if isinstance(value, list) else value
        top = changes[""]
        for node in NUMERIC:
            if changes[node]:
                owner = getattr(self.settings, node)
                top[node] = owner.unchecked(**nest_changes(owner, changes[node]))
        settings = self.settings.unchecked(**top)
        if changes["start"]:
            given = {int(place): value for place, value in changes["start"].items()}
            start = tuple(given.get(at, x) for at, x in enumerate(settings.starting_point()))
            settings = settings.unchecked(start=start)
        return settings


def with_resolved_mode(group: Group) -> Group:
    """A group with its mode decided by its size, for all its parts alike."""
    engine, mode = group.settings.engine, resolve_mode(group.settings, len(group))
    settings = group.settings.unchecked(engine=engine.unchecked(mode=mode))
    return dataclasses.replace(group, settings=settings)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep, in groups.

    Attributes:
        grid: what differs between the runs.
        groups: the runs by structure.
        templates: of each group's `.hydra` files; None in a sweep that Hydra has no part in.
        executor: the name of the executor that runs the shards.
        rows: a shard has at most so many runs; None for `engine.max_rows`.
    """

    grid: Grid
    groups: tuple[Group, ...]
    templates: tuple[Template | None, ...]
    executor: str = DEFAULT
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
        for group in map(with_resolved_mode, self.groups):
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
