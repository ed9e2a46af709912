"""A sweep from Python: `gdlab.sweep`."""

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from gdlab.config.every_error import with_every_error
from gdlab.config.loading import settings_from_flat
from gdlab.config.settings import GROUPS, Settings
from gdlab.fields.validation import Range, check_value
from gdlab.paths import user_path
from gdlab.recording.digests import begin_digests
from gdlab.recording.lock import claimed
from gdlab.results.load import Recorded, load
from gdlab.sweeps.checks import check_plan
from gdlab.sweeps.drawing import SweepDrawing
from gdlab.sweeps.executors.choice import with_shards_for
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.executors.table import DEFAULT
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.python_axes import grid_of
from gdlab.sweeps.runner import run_sweep
from gdlab.sweeps.table import join_tables


def sweep(
    loss: Any = "quadratic",
    optimizer: Any = "sgd",
    lr: Any = None,
    *,
    zip: Sequence[str] = (),
    directory: str | Path | None = None,
    executor: str | Executor = DEFAULT,
    **settings: Any,
) -> Recorded:
    """Run every combination of the values given as lists, as few tensor programs.

    >>> import gdlab
    >>> swept = gdlab.sweep(lr=[0.01, 0.1, 0.2], seed=range(2), start="random", steps=100)
    >>> len(swept.results), swept.best()[0].choice
    (6, {'lr': 0.1})

    Signals are the caller's: Ctrl-C raises KeyboardInterrupt, SIGTERM ends the program. After
    Ctrl-C the directory can be loaded, with the runs whose batches have ended.

    Args:
        loss: a name from conf/loss, a `gdlab.Loss` or its class, a function of one point (D,),
            which needs a start, or a `torch.nn.Module` or its class, which needs data; or a list
            of these.
        optimizer: a name from conf/optimizer, a `gdlab.Optimizer` or its class, or a class of
            torch.optim; or a list of these.
        lr: a number, or a list, array or tensor of numbers; None for each optimizer's default.
        zip: names of settings that vary together, the first values of each in one run, and so on.
        directory: a new or empty folder for the files that a sweep on the command line writes;
            None to return the table only.
        executor: "serial" for this process, "processes" for all cores, "ray" for a cluster of Ray;
            or any `concurrent.futures.Executor`, as of dask, which stays the caller's.
        settings: further settings by their names in conf/config.yaml, those with a dot as
            `**{"loss.condition": [1, 10]}`; a setting of a chosen loss, optimizer or schedule also
            by its own name, as `condition=[1, 10]`, where only one has it. A list, range, iterator,
            array, tensor or column of pandas varies a setting; if the setting is itself a list, as
            a start of D numbers is, a list of lists varies it.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
        ChildProcessError: a process that ran some of the runs died; with a directory, the tables of
            all others are in it.
    """
    rates = {} if lr is None else {"lr": lr}
    zip = [zip] if isinstance(zip, str) else zip
    given = {"loss": loss, "optimizer": optimizer, **rates, **settings}

    def plan_of(kept: Mapping[str, Any]) -> Plan:
        return _make_plan(kept, [name for name in zip if name in kept or name not in given])

    plan = with_every_error(plan_of, given)
    plan = with_shards_for(plan, executor, "executor")
    if directory is not None:
        folder = user_path(check_value("directory", directory, str, Range()))
        with claimed(folder, exact=True, setting="directory") as path:
            begin_digests(path)  # a sweep on the command line has one, that of its plan
            run_sweep(plan, path)
        recorded = load(path)
        return dataclasses.replace(recorded, draw=SweepDrawing(plan, recorded.results))
    tables = dict(run_shards(plan, dict(enumerate(plan.shards()))))
    results = join_tables([tables[number] for number in sorted(tables)]).to_pandas()
    drawing = SweepDrawing(plan, results)
    return Recorded(None, results, {}, directories={}, draw=drawing, **plan.describe())


def _make_plan(given: Mapping[str, Any], zipped: Sequence[str]) -> Plan:
    """Return the checked plan of a sweep; `zipped` are the names of what varies together."""
    grid = grid_of(given, zipped)
    by_key = {axis.key: axis for axis in grid.axes}

    def compose(overrides: Sequence[str]) -> Settings:
        texts = dict(override.split("=", 1) for override in overrides)
        settings = settings_from_flat(
            _fill_start({key: by_key[key].value_of(text) for key, text in texts.items()})
        )
        names = {group: texts[group] for group in GROUPS if group in texts}
        return settings.unchecked(choices=settings.choices | names)

    groups = tuple(group_runs(grid, compose))
    plan = Plan(grid, groups, (None,) * len(groups))
    check_plan(plan)
    return plan


def _fill_start(given: dict[str, Any]) -> dict[str, Any]:
    """Put single coordinates of a start, such as start.0, into the start."""
    start = given.get("start")
    if not isinstance(start, list):
        return given
    coordinates = {f"start.{i}": i for i in range(len(start))}
    start = [given.get(key, start[i]) for key, i in coordinates.items()]
    return {k: v for k, v in given.items() if k not in coordinates} | {"start": start}
