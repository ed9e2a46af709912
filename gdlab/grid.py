"""What a sweep varies: axes in Hydra's syntax, crossed, zipped or drawn at random.

Shapes: R runs, A axes.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hydra.core.override_parser.types import Override

from gdlab.axis import Axis, cut, is_interval, most_values, sampled
from gdlab.config.overrides import name_of
from gdlab.errors import SettingError
from gdlab.fields.declared import Field
from gdlab.fields.formatting import shown
from gdlab.fields.validation import Range
from gdlab.numerics import rng

_MOST_RUNS = 20_000_000


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
        SettingError: an axis has no values, zipped axes differ in length, or there are too many
            runs; nothing as large as these is made first.
    """
    points = Field(int, Range(ge=1, le=_MOST_RUNS)).check("hydra.sweeper.points", points)
    zipped = Field(tuple[str, ...], Range()).check("hydra.sweeper.zip", zipped)
    last = _last(overrides)
    typed = {name_of(key): key for key in (one.get_key_element() for one in last)}
    zipped = [typed.get(key, key) for key in zipped]
    _refuse_too_many({one.get_key_element(): most_values(one, points) for one in last}, zipped)
    is_cut = points > 1 and any(map(is_interval, last))
    even = np.linspace(0, 1, points) if is_cut else np.zeros(1)
    return product([cut(override, even) for override in last], zipped)


def product(axes: Sequence[Axis], zipped: Sequence[str] = ()) -> Grid:
    """Every combination of the axes' values; the last axis varies fastest.

    Args:
        axes: what varies.
        zipped: keys of axes that vary together, in the place of the first of them.

    Raises:
        SettingError: zipped axes differ in length, or there are too many runs.
    """
    dimension = _dimensions(axes, zipped)
    _refuse_too_many({axis.key: len(axis) for axis in axes}, zipped)
    sizes = [0] * (max(dimension, default=-1) + 1)
    for axis, d in zip(axes, dimension, strict=True):
        sizes[d] = len(axis)
    runs = math.prod(sizes)
    place = np.unravel_index(np.arange(runs), sizes) if sizes else ()
    return Grid(tuple(axes), _stacked([place[d] for d in dimension], 1))


def drawn(overrides: Sequence[Override], samples: int, seed: int) -> Grid:
    """Samples of the same description, each value of each run drawn on its own.

    A number depends on the seed, its axis's key and its sample alone.

    Raises:
        SettingError: an axis has no values or too many, or the samples cannot be counted so.
    """
    samples = Field(int, Range(ge=1, le=_MOST_RUNS)).check("hydra.sweeper.samples", samples)
    seed = Field(int, Range(ge=0, lt=2**63)).check("hydra.sweeper.seed", seed)
    last = _last(overrides)
    for override in last:
        count = most_values(override, 1)
        if count > _MOST_RUNS:
            what = f"{count:,} values are more than can be drawn of, {_MOST_RUNS:,}"
            raise SettingError(f"{override.input_line}: {what}; an int(interval(…)) has no limit")
    keys = [zlib.crc32(override.get_key_element().encode()) for override in last]
    place = torch.tensor(keys, dtype=torch.int64)[:, None]
    unit = rng.uniform(torch.tensor(seed), rng.Stream.SWEEP, torch.arange(samples), place).numpy()
    made = [sampled(override, u) for override, u in zip(last, unit, strict=True)]
    return Grid(tuple(axis for axis, _ in made), _stacked([column for _, column in made], samples))


def _last(overrides: Sequence[Override]) -> list[Override]:
    """The overrides, of those with the same key the last in the place of the first."""
    return list({override.get_key_element(): override for override in overrides}.values())


def _refuse_too_many(counts: Mapping[str, int], zipped: Sequence[str] = ()) -> None:
    """Refuse a sweep by the lengths of its axes, before anything as long as these is made."""
    together = [count for key, count in counts.items() if key in zipped]
    crossed = [count for key, count in counts.items() if key not in zipped]
    runs = math.prod(max(count, 1) for count in crossed) * max(together, default=1)
    if runs > _MOST_RUNS:
        several = {key: count for key, count in counts.items() if count > 1}
        product = " x ".join(f"{key} ({count:,})" for key, count in several.items())
        raise SettingError(
            f"{product}: {runs:,} runs are more than a sweep can have, {_MOST_RUNS:,}"
        )


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
