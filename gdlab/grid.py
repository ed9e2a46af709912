"""What a sweep varies: axes in Hydra's syntax, crossed, zipped or drawn at random.

Shapes: R runs, A axes.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, Transformer

from gdlab import rng
from gdlab.errors import SettingError
from gdlab.fields import Field, Range, shown

_MOST_RUNS = 20_000_000


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes.

    Attributes:
        key: the setting, with a plus sign where it is added.
        values: the values as they are.
        texts: the values as Hydra writes them in an override.
    """

    key: str
    values: Sequence[Any]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Grid:
    """All runs of a sweep.

    Attributes:
        axes: in the order of the command; one of length 1 is the same in all runs.
        index: which value of each axis each run takes: (R, A).
    """

    axes: tuple[Axis, ...]
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def overrides(self, run: int) -> list[str]:
        """The overrides of one run, as Hydra's own sweeper would give them to a launcher."""
        chosen = zip(self.axes, self.index[run], strict=True)
        return [f"{axis.key}={axis.texts[at]}" for axis, at in chosen]

    def column(self, key: str) -> list[Any]:
        """The values of one axis for all runs."""
        place = [axis.key for axis in self.axes].index(key)
        return [self.axes[place].values[at] for at in self.index[:, place]]


def crossed(overrides: Sequence[Override], points: int, zipped: Sequence[str] = ()) -> Grid:
    """Every combination of the axes' values; the last axis varies fastest.

    Args:
        overrides: parsed by Hydra; a later one takes an earlier one's place.
        points: how many values an interval is cut into.
        zipped: keys of axes that vary together, in the place of the first of them.

    Raises:
        SettingError: an axis has no values, or zipped axes differ in length.
    """
    points = Field(int, Range(ge=1)).check("hydra.sweeper.points", points)
    zipped = Field(tuple[str, ...], Range()).check("hydra.sweeper.zip", zipped)
    even = np.linspace(0, 1, points) if points > 1 else np.zeros(1)
    return product([_axis(override, even) for override in _last(overrides)], zipped)


def product(axes: Sequence[Axis], zipped: Sequence[str] = ()) -> Grid:
    """Every combination of the axes' values; the last axis varies fastest.

    Args:
        axes: what varies.
        zipped: keys of axes that vary together, in the place of the first of them.

    Raises:
        SettingError: zipped axes differ in length.
    """
    dimension = _dimensions(axes, zipped)
    sizes = [0] * (max(dimension, default=-1) + 1)
    for axis, d in zip(axes, dimension, strict=True):
        sizes[d] = len(axis)
    runs = math.prod(sizes)
    if runs > _MOST_RUNS:
        counts = " x ".join(f"{axis.key} ({len(axis)})" for axis in axes if len(axis) > 1)
        raise SettingError(
            f"{counts}: {runs:,} runs are more than a sweep can have, {_MOST_RUNS:,}"
        )
    place = np.unravel_index(np.arange(runs), sizes) if sizes else ()
    return Grid(tuple(axes), _stacked([place[d] for d in dimension], 1))


def drawn(overrides: Sequence[Override], samples: int, seed: int) -> Grid:
    """Samples of the same description, each value of each run drawn on its own.

    A number depends on the seed, its axis's key and its sample alone.

    Raises:
        SettingError: an axis has no values, or there are no samples.
    """
    samples = Field(int, Range(ge=1)).check("hydra.sweeper.samples", samples)
    seed = Field(int, Range(ge=0, lt=2**63)).check("hydra.sweeper.seed", seed)
    last = _last(overrides)
    keys = [zlib.crc32(override.get_key_element().encode()) for override in last]
    place = torch.tensor(keys, dtype=torch.int64)[:, None]
    unit = rng.uniform(torch.tensor(seed), rng.Stream.SWEEP, torch.arange(samples), place).numpy()
    axes = tuple(_axis(override, u) for override, u in zip(last, unit, strict=True))
    columns = [
        np.arange(samples) if _is_interval(override) else (u * len(axis)).astype(np.int64)
        for override, axis, u in zip(last, axes, unit, strict=True)
    ]
    return Grid(axes, _stacked(columns, samples))


def _last(overrides: Sequence[Override]) -> list[Override]:
    """The overrides, of those with the same key the last in the place of the first."""
    return list({override.get_key_element(): override for override in overrides}.values())


def _axis(override: Override, unit: np.ndarray) -> Axis:
    """The axis of an override; an interval takes its values at the places `unit` in (0, 1)."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return Axis(key, [override.value()], [override.get_value_element_as_str()])
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        values = _between(key, sweep, unit)
        return Axis(key, values, [repr(value) for value in values])
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


def _between(key: str, sweep: IntervalSweep, unit: np.ndarray) -> list[float]:
    """The values of an interval, on a linear scale or (tagged log) on a logarithmic one."""
    low, high = sweep.start, sweep.end
    assert low is not None and high is not None
    if not low < high:
        raise SettingError(f"{key}=interval({low:g},{high:g}): must have its lower end first")
    unknown = sweep.tags - {"log"}
    if unknown:
        raise SettingError(f"{key}=tag({', '.join(unknown)}, …): the tag of an interval is log")
    if not math.isfinite(high - low):
        raise SettingError(f"{key}=interval({low:g},{high:g}): must be finite")
    if "log" not in sweep.tags:
        return np.clip(low + unit * (high - low), low, high).tolist()
    if low <= 0:
        raise SettingError(f"{key}=tag(log,interval({low:g},{high:g})): must lie above 0")
    values = np.clip(10 ** (np.log10(low) + unit * (np.log10(high) - np.log10(low))), low, high)
    values[unit == 0], values[unit == 1] = low, high
    return values.tolist()


def _is_interval(override: Override) -> bool:
    return isinstance(override.value(), IntervalSweep)


def _dimensions(axes: Sequence[Axis], zipped: Sequence[str]) -> list[int]:
    """For each axis the dimension of the product along which it varies."""
    keys = [axis.key for axis in axes]
    unknown = [key for key in zipped if key not in keys]
    if unknown:
        known = ", ".join(axis.key for axis in axes if len(axis) > 1)
        raise SettingError(
            f"hydra.sweeper.zip={shown(list(zipped))}: {unknown[0]} is none of {known}"
        )
    lengths = {axis.key: len(axis) for axis in axes if axis.key in zipped}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise SettingError(
            f"hydra.sweeper.zip={shown(list(zipped))}: must be equally long; {counts}"
        )
    dimension: list[int] = []
    together = None
    for axis in axes:
        if axis.key in zipped and together is not None:
            dimension.append(together)
            continue
        dimension.append(max(dimension, default=-1) + 1)
        if axis.key in zipped:
            together = dimension[-1]
    return dimension


def _stacked(columns: list[np.ndarray], runs: int) -> np.ndarray:
    return np.stack(columns, 1) if columns else np.zeros((runs, 0), dtype=np.int64)


def listed(jobs: Sequence[Sequence[Override]]) -> Grid:
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
    return Grid(tuple(axes), _stacked(columns, len(jobs)))
