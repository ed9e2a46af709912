"""The plan of a sweep: its runs in groups, and the shards that these are cut into.

Shapes: R runs of the sweep, n runs of a group, D dimensions.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gdlab.config.settings import GROUPS, NUMERIC, TOP, Settings
from gdlab.engine.outcome import Outcome
from gdlab.fields.declared import nest_changes, split_key
from gdlab.losses.datasets.fingerprints import Fingerprint
from gdlab.losses.models.data_loss import VALIDATION_LOSS
from gdlab.results.ranking import FINAL_LOSS, Metric
from gdlab.runs.batching import resolve_mode
from gdlab.sweeps.executors.table import DEFAULT
from gdlab.sweeps.grid import Axis, Grid
from gdlab.sweeps.hydra_dir import RunWords, Template

_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")
_LONGEST_NAME, _LONG_NUMBER = 200, 8
MOST_ROWS = 8192
"""The most runs in a shard on a CPU, where no setting says otherwise."""

_OUTCOMES = {field.name for field in dataclasses.fields(Outcome)}


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ only in numbers.

    Attributes:
        settings: of its first run.
        columns: the numbers that differ, by dotted name: (n,), or (n, k) for lists of length k.
        runs: the numbers of its runs in the sweep: (n,), increasing.
    """

    settings: Settings
    columns: Mapping[str, np.ndarray]
    runs: np.ndarray

    def __len__(self) -> int:
        return len(self.runs)

    def take(self, rows: np.ndarray | slice) -> "Group":
        """Return some of its runs as a group."""
        columns = {key: values[rows] for key, values in self.columns.items()}
        return Group(self.settings, columns, self.runs[rows])

    def settings_of(self, row: int) -> Settings:
        """Return the settings of one run; its numbers were checked with their columns."""
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
            coordinates = {int(i): value for i, value in changes["start"].items()}
            start = tuple(coordinates.get(i, x) for i, x in enumerate(settings.starting_point()))
            settings = settings.unchecked(start=start)
        return settings


def with_resolved_mode(group: Group) -> Group:
    """Return a group whose mode is decided by its size, so that all its shards share it."""
    engine, mode = group.settings.engine, resolve_mode(group.settings, len(group))
    settings = group.settings.unchecked(engine=engine.unchecked(mode=mode))
    return dataclasses.replace(group, settings=settings)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep, in groups.

    Attributes:
        grid: the axes, and the values of each run.
        groups: the runs by structure.
        templates: of each group's `.hydra` files; None in a sweep from Python.
        executor: the name of what runs the shards, or a pool that was handed over.
        rows: maximum number of runs in a shard; None for `engine.max_rows`, or
            for `MOST_ROWS` where that is None, too.
        data: the files that the losses read.
    """

    grid: Grid
    groups: tuple[Group, ...]
    templates: tuple[Template | None, ...]
    executor: str | Executor = DEFAULT
    rows: int | None = None
    data: tuple[Fingerprint, ...] = ()

    def __len__(self) -> int:
        return len(self.grid)

    @property
    def options(self) -> Settings:
        """The settings of the sweep as a whole, which all runs share."""
        return self.groups[0].settings

    def shards(self) -> Iterator[Group]:
        """Cut the groups into shards of at most `rows` runs."""
        rows = self.rows or self.options.engine.max_rows or MOST_ROWS
        for group in map(with_resolved_mode, self.groups):
            for first in range(0, len(group), rows):
                yield group.take(slice(first, first + rows))

    def varied(self, runs: np.ndarray) -> dict[str, list[Any]]:
        """Return for each setting that varies its values in some runs."""
        return {
            name: [values[at] for at in self.grid.index[runs, position]]
            for name, position, values in self._recorded
        }

    @cached_property
    def _recorded(self) -> list[tuple[str, int, Sequence[Any]]]:
        """Of each axis that varies: its column, its position, and its values as tables hold them.

        Each shard asks for them, and an axis may have millions.
        """
        axes = [(column_name(a.name), p, a.recorded) for p, a in enumerate(self.grid.axes)]
        return [(name, position, values) for name, position, values in axes if len(values) > 1]

    def keys(self) -> list[str]:
        """Return the settings that vary, by their names in the tables."""
        return [column_name(axis.name) for axis in self.grid.axes if len(axis) > 1]

    def problems(self) -> list[str]:
        """Return the settings that vary and change the function being minimized, as `keys` does."""
        return [
            column_name(axis.name)
            for axis in self.grid.axes
            if len(axis) > 1 and any(g.settings.changes_problem(axis.name) for g in self.groups)
        ]

    def by(self) -> list[str]:
        """Return the settings that the summary tells apart, besides those of the problem.

        By default they are those that are structure.
        """
        if self.options.summary.by is not None:
            return [column_name(key) for key in self.options.summary.by]
        columns = self.groups[0].columns
        return [key for key in self.keys() if key not in columns]

    @cached_property
    def metrics(self) -> list[str]:
        """The names of those metrics of the losses of which the largest is best, as accuracy."""
        losses = [group.settings.loss for group in self.groups]
        return sorted({n for loss in losses for n in loss.metrics.keys() - loss.minimized_metrics})

    @cached_property
    def _metric_name(self) -> str:
        """The column that ranks runs: as asked, or the validation loss where every loss has it."""
        losses = [group.settings.loss for group in self.groups]
        validates = all(VALIDATION_LOSS in loss.metrics for loss in losses)
        return self.options.summary.metric or (VALIDATION_LOSS if validates else FINAL_LOSS.name)

    @property
    def metric(self) -> Metric:
        """The column by which the summary ranks runs that did not converge."""
        return Metric.of(self._metric_name, self.options.summary.direction, self.metrics)

    def describe(self) -> dict[str, Any]:
        """Return what a reader of the results has to know, by the fields of `Recorded`."""
        summary = self.options.summary
        return {
            "varied": tuple(self.keys()),
            "problems": tuple(self.problems()),
            "metrics": tuple(self.metrics),
            "by": tuple(self.by()),
            "metric": self._metric_name,
            "direction": summary.direction,
        }

    def name(self, run: int) -> str:
        """Return the directory of a run: as the command asks, or what varies in safe characters."""
        group = self.group_of_run[run]
        template = None if group < 0 else self.templates[group]
        asked = None if template is None else template.name(self.words(run))
        if asked is not None:
            return asked
        places = self.grid.index[run].tolist()
        words = [
            f"{prefix}{texts[at]}" for at, (prefix, texts) in zip(places, self._words, strict=True)
        ]
        name = _UNSAFE.sub("", ",".join(filter(None, words)).replace("/", "."))
        return name if 0 < len(name) <= _LONGEST_NAME else f"run={run}"

    @cached_property
    def _words(self) -> list[tuple[str, Sequence[str]]]:
        """What the name of a run says of each axis and its values; nothing if it has only one."""
        last = [_last_part(axis.name) for axis in self.grid.axes]
        words = []
        for axis, short in zip(self.grid.axes, last, strict=True):
            name = short if last.count(short) == 1 else axis.name
            prefix = "" if axis.name in GROUPS else f"{name}="
            words.append((prefix, _shorten(axis)) if len(axis) > 1 else ("", [""]))
        return words

    def words(self, run: int) -> RunWords:
        """Return what a run fills into the template of its group."""
        overrides = [o for o in self.grid.overrides(run) if not o.startswith(("hydra.", "hydra/"))]
        chosen = zip(self.grid.axes, self.grid.index[run], strict=True)
        values = {axis.name: axis.values[at] for axis, at in chosen if len(axis) > 1}
        return RunWords(run, overrides, values)

    def place(self, run: int) -> tuple[int, int]:
        """Return the number of a run's group, and its row there."""
        group = int(self.group_of_run[run])
        return group, int(np.searchsorted(self.groups[group].runs, run))

    def settings_of(self, run: int) -> Settings:
        """Return the settings of a run."""
        group, row = self.place(run)
        return self.groups[group].settings_of(row)

    @cached_property
    def group_of_run(self) -> np.ndarray:
        """The number of each run's group, -1 for a job that is in none: (R,)."""
        numbers = np.full(len(self), -1)
        for number, group in enumerate(self.groups):
            numbers[group.runs] = number
        return numbers


def _last_part(key: str) -> str:
    """Return the last part of a setting's name, unless it could mean another setting."""
    last = key.rpartition(".")[2]
    return key if last in (*GROUPS, *TOP) or not last.isidentifier() else last


def _shorten(axis: Axis) -> Sequence[str]:
    """Return the values of an axis with at most six digits, if these tell them apart."""
    if not any(isinstance(value, float) for value in axis.values):
        return axis.texts
    short = [
        f"{value:.6g}" if isinstance(value, float) and len(text) > _LONG_NUMBER else text
        for value, text in zip(axis.values, axis.texts, strict=True)
    ]
    return short if len(set(short)) == len(set(axis.texts)) else axis.texts


def column_name(key: str) -> str:
    """Return the column of a setting in the tables: its name, unless an outcome has that name."""
    return f"setting.{key}" if key in _OUTCOMES else key
