"""What a sweep varies: axes, crossed or zipped.

Shapes: R runs, A axes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdlab.config.overrides import setting_name
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value

MAX_RUNS = 20_000_000


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

    @property
    def name(self) -> str:
        """The setting's name, without plus signs."""
        return setting_name(self.key)


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


def product(axes: Sequence[Axis], zipped: Sequence[str] = ()) -> Grid:
    """Every combination of the axes' values; the last axis varies fastest.

    Args:
        axes: what varies.
        zipped: keys of axes that vary together, in the place of the first of them.

    Raises:
        SettingError: zipped axes differ in length, or there are too many runs.
    """
    dimension = _dimensions(axes, zipped)
    check_run_count({axis.key: len(axis) for axis in axes}, zipped)
    sizes = [0] * (max(dimension, default=-1) + 1)
    for axis, d in zip(axes, dimension, strict=True):
        sizes[d] = len(axis)
    runs = math.prod(sizes)
    place = np.unravel_index(np.arange(runs), sizes) if sizes else ()
    return Grid(tuple(axes), stack_columns([place[d] for d in dimension], 1))


def check_run_count(counts: Mapping[str, int], zipped: Sequence[str] = ()) -> None:
    """Refuse a sweep by the lengths of its axes, before anything as long as these is made."""
    together = [count for key, count in counts.items() if key in zipped]
    crossed = [count for key, count in counts.items() if key not in zipped]
    runs = math.prod(max(count, 1) for count in crossed) * max(together, default=1)
    if runs > MAX_RUNS:
        several = {key: count for key, count in counts.items() if count > 1}
        product = " x ".join(f"{key} ({count:,})" for key, count in several.items())
        raise SettingError(f"{product}: {runs:,} runs are more than a sweep can have, {MAX_RUNS:,}")


def _dimensions(axes: Sequence[Axis], zipped: Sequence[str]) -> list[int]:
    """For each axis the dimension of the product along which it varies."""
    keys = [axis.key for axis in axes]
    unknown = [key for key in zipped if key not in keys]
    if unknown:
        known = ", ".join(axis.key for axis in axes if len(axis) > 1)
        raise SettingError(
            f"hydra.sweeper.zip={format_value(list(zipped))}: {unknown[0]} is none of {known}"
        )
    lengths = {axis.key: len(axis) for axis in axes if axis.key in zipped}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise SettingError(
            f"hydra.sweeper.zip={format_value(list(zipped))}: must be equally long; {counts}"
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


def stack_columns(columns: list[np.ndarray], runs: int) -> np.ndarray:
    """The columns of an index (R, A); without axes its shape is (R, 0)."""
    return np.stack(columns, 1) if columns else np.zeros((runs, 0), dtype=np.int64)
