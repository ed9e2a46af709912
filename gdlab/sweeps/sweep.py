"""A sweep from Python: `gdlab.sweep`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gdlab.config.loading import settings_from_flat
from gdlab.config.overrides import SHORTHANDS
from gdlab.config.settings import GROUPS, Settings
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured
from gdlab.fields.formatting import format_value
from gdlab.losses.function import Function
from gdlab.recording.files import claim_directory
from gdlab.results.load import Recorded, load
from gdlab.runs.interruption import interruptible
from gdlab.sweeps.checks import check_plan
from gdlab.sweeps.executors.choice import with_shards_for
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.executors.table import DEFAULT
from gdlab.sweeps.grid import Axis, product
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.runner import run_sweep
from gdlab.sweeps.table import join_tables

_LISTS = ("start", "betas", "center", "eigenvalues", "features", "widths")


def sweep(
    loss: Any = "quadratic",
    optimizer: Any = "sgd",
    lr: Any = None,
    *,
    directory: str | Path | None = None,
    executor: str = DEFAULT,
    **settings: Any,
) -> Recorded:
    """Run every combination of what is given as lists, as few tensor programs.

    >>> import gdlab
    >>> swept = gdlab.sweep(lr=[0.01, 0.1, 0.2], seed=range(2), start="random", steps=100)
    >>> len(swept.results), swept.best()[0].choice
    (6, {'lr': 0.1})

    Args:
        loss: a name from conf/loss, a `gdlab.Loss` or a function of one point (D,), which needs
            a start; or a list of them.
        optimizer: a name from conf/optimizer or a `gdlab.Optimizer`, or a list of them.
        lr: a number, or a list, an array or a tensor of them; None for each optimizer's own.
        directory: where to leave what a sweep on the command line leaves, a new or empty folder;
            None for the table alone.
        executor: "serial" for this process alone, "processes" for all cores.
        settings: further settings by their names in conf/config.yaml, those with a dot as
            `**{"loss.condition": [1, 10]}`; a list or a range varies one. A start is D numbers,
            and a list of such lists varies it.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
        ChildProcessError: a process that ran some of the runs died.
    """
    rates = {} if lr is None else {"lr": lr}
    given = {"loss": loss, "optimizer": optimizer, **rates, **settings}
    axes = [_in_full(_axis(key, value)) for key, value in given.items()]
    grid = product(axes)
    meant = {
        (axis.key, t): v for axis in axes for t, v in zip(axis.texts, axis.values, strict=True)
    }

    def compose(overrides: Sequence[str]) -> Settings:
        texts = dict(override.split("=", 1) for override in overrides)
        settings = settings_from_flat(
            _placed({key: meant[key, text] for key, text in texts.items()})
        )
        names = {group: texts[group] for group in GROUPS if group in texts}
        own, start = settings.loss, settings.start
        if isinstance(own, Function) and isinstance(start, tuple):
            own = own.replace(start=start)
        return settings.unchecked(loss=own, choices=settings.choices | names)

    groups = tuple(group_runs(grid, compose))
    plan = Plan(grid, groups, (None,) * len(groups))
    check_plan(plan)
    plan = with_shards_for(plan, executor, "executor")
    if directory is not None:
        claim_directory(Path(directory), exact=True, setting="directory")
        with interruptible() as interrupted:
            run_sweep(plan, Path(directory), interrupted)
        return load(directory)
    with interruptible() as interrupted:
        shards = dict(enumerate(plan.shards()))
        tables = dict(run_shards(plan, shards, interrupted=interrupted))
    results = join_tables([tables[number] for number in sorted(tables)]).to_pandas()
    return Recorded(None, results, {}, tuple(plan.keys()), {}, tuple(plan.metrics))


def _axis(key: str, value: Any) -> Axis:
    """What was given for a setting as an axis, of one value where it does not vary."""
    value = _plain(value)
    is_list = isinstance(value, (list, tuple, range))
    items = [_plain(item) for item in value] if is_list else [value]
    # A list is a value itself where the setting is one: a start, the betas.
    if is_list and _is_one(key, items):
        items = [tuple(items)]
    if not items:
        raise SettingError(f"{key}=[]: holds no values")
    values = [list(item) if isinstance(item, tuple) else item for item in items]
    return Axis(key, values, _words(values))


def _in_full(axis: Axis) -> Axis:
    """The axis of what stands for a setting in it, as one of that setting."""
    is_short = axis.key in SHORTHANDS and not any(isinstance(v, Configured) for v in axis.values)
    key = f"{axis.key}.{SHORTHANDS[axis.key]}" if is_short else axis.key
    return Axis(key, axis.values, axis.texts)


def _is_one(key: str, items: Sequence[Any]) -> bool:
    """Whether a list is one value of a setting, and not several."""
    last = key.rpartition(".")[2]
    is_flat = not any(isinstance(item, (list, tuple)) for item in items)
    is_text = any(isinstance(item, str) for item in items)
    return is_flat and (key == "summary.by" or (last in _LISTS and not is_text))


def _placed(given: dict[str, Any]) -> dict[str, Any]:
    """Settings in which the coordinates of a start, as start.0, are in their places."""
    start = given.get("start")
    if not isinstance(start, list):
        return given
    coordinates = {f"start.{place}": place for place in range(len(start))}
    start = [given.get(key, start[place]) for key, place in coordinates.items()]
    return {k: v for k, v in given.items() if k not in coordinates} | {"start": start}


def _plain(value: Any) -> Any:
    """Tensors, arrays and NumPy's numbers as Python's."""
    return value.tolist() if isinstance(value, (Tensor, np.ndarray, np.generic)) else value


def _words(values: Sequence[Any]) -> list[str]:
    """A text for each value; objects of one name are numbered, so that each has its own."""
    names: dict[str, list[Any]] = {}
    words = []
    for value in values:
        if isinstance(value, Configured):
            name = type(value).__name__
        elif callable(value):
            name = getattr(value, "__name__", type(value).__name__)
        else:
            words.append(repr(value) if isinstance(value, float) else format_value(value))
            continue
        same = names.setdefault(name, [])
        if not any(value is other for other in same):
            same.append(value)
        number = next(i for i, other in enumerate(same, 1) if value is other)
        words.append(name if number == 1 else f"{name}-{number}")
    return words
