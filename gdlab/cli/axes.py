"""From overrides in Hydra's syntax to the axes of a sweep and the grid of its runs."""

import math
import operator
import zlib
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import accumulate, repeat
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
    """Return the maximum number of values of an override, without making any.

    Args:
        override: parsed by Hydra.
        points: number of values into which an interval is divided.

    Raises:
        SettingError: the override is a range that never ends.
    """
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        if isinstance(low, int) and isinstance(high, int):
            return min(points, max(high - low + 1, 1))
        return points
    if isinstance(sweep, RangeSweep):
        return _range_length(override, sweep)
    return len(sweep.list) if isinstance(sweep, ChoiceSweep) else 1


def make_axis(override: Override, points: int) -> Axis:
    """Make the axis of an override.

    Args:
        override: parsed by Hydra.
        points: number of evenly spaced values of an interval; an interval of whole numbers takes
            the nearest ones, each once.

    Raises:
        SettingError: the override has no values.
    """
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep):
        return _list_axis(override)
    low, high = _check_ends(override, sweep)
    values = _space(low, high, "log" in sweep.tags, points)
    return _number_axis(override, values if isinstance(low, float) else _round(values, low, high))


def sample_axis(override: Override, unit: np.ndarray) -> tuple[Axis, np.ndarray]:
    """Make the axis of an override; return it and the index of the value that each sample takes.

    Args:
        override: parsed by Hydra.
        unit: uniform numbers in (0, 1), one for each sample.

    Raises:
        SettingError: the override has no values.
    """
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep):
        axis = _list_axis(override)
        return axis, (unit * len(axis)).astype(np.int64)
    low, high = _check_ends(override, sweep)
    is_log = "log" in sweep.tags
    if isinstance(low, float):
        axis = _number_axis(override, _interpolate(low, high, is_log, unit).tolist())
        return axis, np.arange(len(unit))
    # Half a unit beyond both ends, so that the ends are as likely as the numbers between them.
    values = _round(_interpolate(low - 0.5, high + 0.5, is_log, unit).tolist(), low, high)
    axis = _number_axis(override, values)
    index = {value: i for i, value in enumerate(axis.values)}
    return axis, np.array([index[value] for value in values], dtype=np.int64)


def _range_length(override: Override, sweep: RangeSweep) -> int:
    """Return the number of values of a range by arithmetic: it may be too long to list."""
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None and stop is not None
    if not all(map(math.isfinite, (start, stop, step))):
        raise SettingError(f"{override.input_line}: must be finite")
    if step == 0:
        raise SettingError(f"{override.input_line}: must have a step other than 0")
    return max(0, math.ceil((Fraction(stop) - Fraction(start)) / Fraction(step)))


def _list_axis(override: Override) -> Axis:
    """Make the axis of an override that is not an interval."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return Axis(key, [override.value()], [override.get_value_element_as_str()])
    elements = list(override.sweep_iterator())  # only once: each call shuffles a shuffled axis anew
    if not elements:
        raise SettingError(f"{override.input_line}: holds no values")
    if {*map(type, elements)} == {int}:
        return Axis.of_numbers(key, elements)
    return Axis(key, list(map(_unquote, elements)), list(map(Transformer.str, elements)))


def _unquote(value: Any) -> Any:
    """Return a parsed value without the quotes that Hydra keeps around texts."""
    if isinstance(value, dict):
        return {_unquote(key): _unquote(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_unquote, value))
    return value.text if isinstance(value, QuotedString) else value


def _number_axis(override: Override, values: Sequence[float]) -> Axis:
    """Make the axis of some numbers; whole numbers are taken once each."""
    if isinstance(values[0], int):
        values = list(dict.fromkeys(values))
    return Axis.of_numbers(override.get_key_element(), values)


def _check_ends(override: Override, sweep: IntervalSweep) -> tuple[float, float]:
    """Return the ends of an interval, as integers if it was cast to int.

    Raises:
        SettingError: the interval is empty, or its ends do not fit its scale.
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


def _space(low: float, high: float, is_log: bool, points: int) -> list[float]:
    """Space numbers evenly between two, the first of them `low`, on a linear or logarithmic scale.

    On a logarithmic scale, values of at most 15 digits are exact, by decimal arithmetic: 1e-5 to
    1e5 has 0.01, not 0.01000000000000001. The others are numpy's.
    """
    if not is_log:
        return _interpolate(low, high, False, np.linspace(0, 1, points)).tolist()
    with localcontext(prec=40):
        first, last = Decimal(repr(low)), Decimal(repr(high))
        ratios = repeat((last / first) ** (1 / Decimal(max(points - 1, 1))), points - 1)
        exact = list(accumulate(ratios, operator.mul, initial=first))
    with localcontext(prec=30):
        short = [value.normalize() for value in exact]
    pairs = zip(short, np.geomspace(low, high, points).tolist(), strict=True)
    return [float(v) if len(v.as_tuple().digits) <= 15 else rounded for v, rounded in pairs]


def _interpolate(low: float, high: float, is_log: bool, unit: np.ndarray) -> np.ndarray:
    """Interpolate between two numbers at `unit` in [0, 1], on a linear or a logarithmic scale."""
    if not is_log:
        return np.clip(low + unit * (high - low), low, high)
    values = np.clip(10 ** (np.log10(low) + unit * (np.log10(high) - np.log10(low))), low, high)
    values[unit == 0], values[unit == 1] = low, high
    return values


def _round(values: Sequence[float], low: float, high: float) -> list[int]:
    """Round to whole numbers, clipped to the ends."""
    return [min(max(round(value), int(low)), int(high)) for value in values]


def cross_overrides(overrides: Sequence[Override], points: int, zipped: Sequence[str] = ()) -> Grid:
    """Return the grid of all combinations of the axes' values; the last axis varies fastest.

    Args:
        overrides: parsed by Hydra; a later one replaces an earlier one of the same key.
        points: number of values into which an interval is divided.
        zipped: keys of axes that vary together, at the position of the first of them.

    Raises:
        SettingError: an axis has no values, zipped axes differ in length, or there are too many
            runs; this is checked before anything of that size is made.
    """
    points = Field(int, Range(ge=1, le=MAX_RUNS)).check("hydra.sweeper.points", points)
    zipped = Field(tuple[str, ...], Range()).check("hydra.sweeper.zip", zipped)
    unique = _drop_replaced(overrides)
    counts = {override.get_key_element(): count_values(override, points) for override in unique}
    keys = {setting_name(key): key for key in counts}
    zipped = [keys.get(key, key) for key in zipped]
    check_run_count(counts, zipped)
    return product([make_axis(override, points) for override in unique], zipped)


def sample_overrides(overrides: Sequence[Override], samples: int, seed: int) -> Grid:
    """Return random samples of the axes; each value of each run is drawn independently.

    A number depends only on the seed, the key of its axis and the number of its sample.

    Raises:
        SettingError: an axis has no values or too many, or `samples` or `seed` is out of range.
    """
    samples = Field(int, Range(ge=1, le=MAX_RUNS)).check("hydra.sweeper.samples", samples)
    seed = Field(int, Range(ge=0, lt=2**63)).check("hydra.sweeper.seed", seed)
    unique = _drop_replaced(overrides)
    for override in unique:
        count = count_values(override, 1)
        if count > MAX_RUNS:
            limit = f"has {count:,} values, but can have at most {MAX_RUNS:,}"
            raise SettingError(f"{override.input_line}: {limit}; an int(interval(…)) has no limit")
    hashes = [zlib.crc32(override.get_key_element().encode()) for override in unique]
    place = torch.tensor(hashes, dtype=torch.int64)[:, None]
    unit = rng.uniform(torch.tensor(seed), rng.Stream.SWEEP, torch.arange(samples), place).numpy()
    sampled = [sample_axis(override, row) for override, row in zip(unique, unit, strict=True)]
    axes, columns = zip(*sampled, strict=True) if sampled else ((), ())
    return Grid(tuple(axes), stack_columns(list(columns), samples))


def _drop_replaced(overrides: Sequence[Override]) -> list[Override]:
    """Keep the last override of each key, at the position of the first."""
    return list({override.get_key_element(): override for override in overrides}.values())


def grid_of_jobs(jobs: Sequence[Sequence[Override]]) -> Grid:
    """Return the grid of jobs that were made one by one.

    Raises:
        SettingError: the jobs do not override the same settings.
    """
    keys = [[override.get_key_element() for override in job] for job in jobs]
    if any(key != keys[0] for key in keys):
        raise SettingError("hydra/launcher=batched: all jobs must override the same settings")
    axes, columns = [], []
    for place, key in enumerate(keys[0] if keys else []):
        texts = [job[place].get_value_element_as_str() for job in jobs]
        values = {text: job[place].value() for text, job in zip(texts, jobs, strict=True)}
        axes.append(Axis(key, list(values.values()), list(values)))
        order = {text: number for number, text in enumerate(values)}
        columns.append(np.array([order[text] for text in texts]))
    return Grid(tuple(axes), stack_columns(columns, len(jobs)))
