"""One setting of a sweep and its values: from an override in Hydra's syntax to an axis."""

import math
import zlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Transformer,
)

from gdlab.config.overrides import setting_name
from gdlab.errors import SettingError
from gdlab.fields.declared import Field
from gdlab.fields.validation import Range
from gdlab.numerics import rng
from gdlab.sweeps.grid import MAX_RUNS, Axis, Grid, check_run_count, product, stack_columns


def count_values(override: Override, points: int) -> int:
    """How many values an override has at the most, counted without making one.

    Args:
        override: parsed by Hydra.
        points: how many values an interval is cut into.

    Raises:
        SettingError: it is a range that never ends.
    """
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        if isinstance(low, int) and isinstance(high, int):
            return min(points, max(high - low + 1, 1))
        return points
    if isinstance(sweep, RangeSweep):
        return _length(override, sweep)
    return len(sweep.list) if isinstance(sweep, ChoiceSweep) else 1


def is_interval(override: Override) -> bool:
    """Whether an override is an interval, which `make_axis` and `sample_axis` take values of."""
    return isinstance(override.value(), IntervalSweep)


def make_axis(override: Override, even: np.ndarray) -> Axis:
    """The axis of an override.

    Args:
        override: parsed by Hydra.
        even: from 0 to 1 the places where an interval takes its values; one of whole numbers
            takes the nearest ones, each once.

    Raises:
        SettingError: it has no values.
    """
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep):
        return _listed(override)
    low, high = _ends(override, sweep)
    values = _between(low, high, "log" in sweep.tags, even).tolist()
    return _numbers(override, values if isinstance(low, float) else _whole(values, low, high))


def sample_axis(override: Override, unit: np.ndarray) -> tuple[Axis, np.ndarray]:
    """The axis of an override, and which of its values each sample takes.

    Args:
        override: parsed by Hydra.
        unit: uniform numbers in (0, 1), one for each sample.

    Raises:
        SettingError: it has no values.
    """
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep):
        axis = _listed(override)
        return axis, (unit * len(axis)).astype(np.int64)
    low, high = _ends(override, sweep)
    is_log = "log" in sweep.tags
    if isinstance(low, float):
        axis = _numbers(override, _between(low, high, is_log, unit).tolist())
        return axis, np.arange(len(unit))
    # Half a unit beyond both ends, so that these are drawn as often as the numbers between them.
    values = _whole(_between(low - 0.5, high + 0.5, is_log, unit).tolist(), low, high)
    axis = _numbers(override, values)
    place = {value: at for at, value in enumerate(axis.values)}
    return axis, np.array([place[value] for value in values], dtype=np.int64)


def _length(override: Override, sweep: RangeSweep) -> int:
    """How many values a range has, by arithmetic: it may be too long to be listed."""
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None and stop is not None
    if not all(map(math.isfinite, (start, stop, step))):
        raise SettingError(f"{override.input_line}: must be finite")
    if step == 0:
        raise SettingError(f"{override.input_line}: must have a step other than 0")
    return max(0, math.ceil((Fraction(stop) - Fraction(start)) / Fraction(step)))


def _listed(override: Override) -> Axis:
    """The axis of an override that is no interval."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return Axis(key, [override.value()], [override.get_value_element_as_str()])
    elements = list(override.sweep_iterator())  # once: a shuffled axis has another order each time
    if not elements:
        raise SettingError(f"{override.input_line}: holds no values")
    return Axis(key, list(map(_unquoted, elements)), list(map(Transformer.str, elements)))


def _unquoted(value: Any) -> Any:
    """A parsed value as it is; Hydra keeps the quotes of texts."""
    if isinstance(value, dict):
        return {_unquoted(key): _unquoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_unquoted, value))
    return value.text if isinstance(value, QuotedString) else value


def _numbers(override: Override, values: Sequence[float]) -> Axis:
    """The axis of some numbers; a whole one stands there once."""
    if isinstance(values[0], int):
        values = list(dict.fromkeys(values))
    return Axis(override.get_key_element(), values, list(map(repr, values)))


def _ends(override: Override, sweep: IntervalSweep) -> tuple[float, float]:
    """The ends of an interval: whole numbers where it was cast to such.

    Raises:
        SettingError: nothing lies between them, or they do not suit its scale.
    """
    low, high = sweep.start, sweep.end
    assert low is not None and high is not None
    if not low < high:
        raise SettingError(f"{override.input_line}: must have its lower end first")
    if not sweep.tags <= {"log"}:
        raise SettingError(f"{override.input_line}: the tag of an interval is log")
    if not math.isfinite(high - low):
        raise SettingError(f"{override.input_line}: must be finite")
    if "log" in sweep.tags and low <= 0:
        raise SettingError(f"{override.input_line}: must lie above 0")
    return low, high


def _between(low: float, high: float, is_log: bool, unit: np.ndarray) -> np.ndarray:
    """Numbers at the places `unit` in [0, 1] between two, on a linear or a logarithmic scale."""
    if not is_log:
        return np.clip(low + unit * (high - low), low, high)
    values = np.clip(10 ** (np.log10(low) + unit * (np.log10(high) - np.log10(low))), low, high)
    values[unit == 0], values[unit == 1] = low, high
    return values


def _whole(values: Sequence[float], low: float, high: float) -> list[int]:
    """The whole numbers nearest to some, not past the ends."""
    return [min(max(round(value), int(low)), int(high)) for value in values]


def cross_overrides(overrides: Sequence[Override], points: int, zipped: Sequence[str] = ()) -> Grid:
    """Every combination of the axes' values; the last axis varies fastest.

    Args:
        overrides: parsed by Hydra; a later one takes an earlier one's place.
        points: how many values an interval is cut into.
        zipped: keys of axes that vary together, in the place of the first of them.

    Raises:
        SettingError: an axis has no values, zipped axes differ in length, or there are too many
            runs; nothing as large as these is made first.
    """
    points = Field(int, Range(ge=1, le=MAX_RUNS)).check("hydra.sweeper.points", points)
    zipped = Field(tuple[str, ...], Range()).check("hydra.sweeper.zip", zipped)
    last = _last(overrides)
    typed = {setting_name(key): key for key in (one.get_key_element() for one in last)}
    zipped = [typed.get(key, key) for key in zipped]
    check_run_count({one.get_key_element(): count_values(one, points) for one in last}, zipped)
    is_cut = points > 1 and any(map(is_interval, last))
    even = np.linspace(0, 1, points) if is_cut else np.zeros(1)
    return product([make_axis(override, even) for override in last], zipped)


def sample_overrides(overrides: Sequence[Override], samples: int, seed: int) -> Grid:
    """Samples of the same description, each value of each run drawn on its own.

    A number depends on the seed, its axis's key and its sample alone.

    Raises:
        SettingError: an axis has no values or too many, or the samples cannot be counted so.
    """
    samples = Field(int, Range(ge=1, le=MAX_RUNS)).check("hydra.sweeper.samples", samples)
    seed = Field(int, Range(ge=0, lt=2**63)).check("hydra.sweeper.seed", seed)
    last = _last(overrides)
    for override in last:
        count = count_values(override, 1)
        if count > MAX_RUNS:
            what = f"{count:,} values are more than can be drawn of, {MAX_RUNS:,}"
            raise SettingError(f"{override.input_line}: {what}; an int(interval(…)) has no limit")
    keys = [zlib.crc32(override.get_key_element().encode()) for override in last]
    place = torch.tensor(keys, dtype=torch.int64)[:, None]
    unit = rng.uniform(torch.tensor(seed), rng.Stream.SWEEP, torch.arange(samples), place).numpy()
    made = [sample_axis(override, u) for override, u in zip(last, unit, strict=True)]
    return Grid(
        tuple(axis for axis, _ in made), stack_columns([column for _, column in made], samples)
    )


def _last(overrides: Sequence[Override]) -> list[Override]:
    """The overrides, of those with the same key the last in the place of the first."""
    return list({override.get_key_element(): override for override in overrides}.values())


def grid_of_jobs(jobs: Sequence[Sequence[Override]]) -> Grid:
    """Jobs that were made one by one, as a grid.

    Raises:
        SettingError: the jobs do not override the same settings.
    """
    keys = [[override.get_key_element() for override in job] for job in jobs]
    if any(key != keys[0] for key in keys):
        raise SettingError("hydra/launcher=batched: all jobs must override the same settings")
    axes, columns = [], []
    for place, key in enumerate(keys[0] if keys else []):
        given = {job[place].get_value_element_as_str(): job[place].value() for job in jobs}
        axes.append(Axis(key, list(given.values()), list(given)))
        order = {text: number for number, text in enumerate(given)}
        texts = [job[place].get_value_element_as_str() for job in jobs]
        columns.append(np.array([order[text] for text in texts]))
    return Grid(tuple(axes), stack_columns(columns, len(jobs)))
