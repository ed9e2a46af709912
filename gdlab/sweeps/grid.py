"""The runs of a sweep: axes, crossed or zipped.

Shapes: R runs, A axes.
"""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from gdlab.config.overrides import setting_name
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value

MAX_RUNS = 20_000_000
POSITION = np.int32
"""The type of a position on an axis: there is one for each run and axis."""

WRITTEN_OUT = (type(None), bool, int, float, str, list, tuple, Mapping)
"""The types of values that tables hold; other objects of Python are called by their texts."""


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """The texts of plain numbers, made when they are asked for: there may be millions.

    Attributes:
        values: the numbers.
    """

    values: Sequence[Any]

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> "Texts": ...

    def __getitem__(self, at: int | slice) -> "str | Texts":
        return Texts(self.values[at]) if isinstance(at, slice) else repr(self.values[at])


@dataclass(frozen=True)
class Axis:
    """A setting and the values that a sweep gives it.

    Attributes:
        key: the setting, with Hydra's plus signs if it adds the key.
        values: the values as Python objects.
        texts: the values as written in a Hydra override.
    """

    key: str
    values: Sequence[Any]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of_numbers(cls, key: str, values: Sequence[Any]) -> "Axis":
        """Return the axis of plain numbers; a range of whole numbers is kept as one."""
        values = _as_range(values) or values
        return cls(key, values, Texts(values))

    @property
    def name(self) -> str:
        """The setting's name, without plus signs."""
        return setting_name(self.key)

    def value_of(self, text: str) -> Any:
        """Return the first value of a text."""
        return self.values[self.texts.index(text)]

    @property
    def recorded(self) -> Sequence[Any]:
        """The values as tables hold them."""
        if all(isinstance(value, WRITTEN_OUT) for value in self.values):
            return self.values
        return self.texts


def _as_range(values: Sequence[Any]) -> range | None:
    """Return the range of some numbers, if they are one."""
    if isinstance(values, range):
        return values
    if len(values) < 2 or {*map(type, values)} != {int}:
        return None
    first, second, last = (values[at] for at in (0, 1, -1))
    step = second - first or 1
    found = range(first, last + step, step)
    is_same = len(found) == len(values) and all(map(operator.eq, found, values))
    return found if is_same else None


@dataclass(frozen=True)
class Grid:
    """All runs of a sweep.

    Attributes:
        axes: in the order of the command; an axis of length 1 has one value for all runs.
        index: for each run, the position of its value on each axis: (R, A), `POSITION`.
    """

    axes: tuple[Axis, ...]
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def overrides(self, run: int) -> list[str]:
        """Return the overrides of one run, as Hydra's own sweeper would pass them to a launcher."""
        chosen = zip(self.axes, self.index[run], strict=True)
        return [f"{axis.key}={axis.texts[at]}" for axis, at in chosen]

    def column(self, key: str) -> list[Any]:
        """Return the value of an axis in each run."""
        position = [axis.key for axis in self.axes].index(key)
        return [self.axes[position].values[at] for at in self.index[:, position]]


def product(
    axes: Sequence[Axis], zipped: Sequence[str] = (), setting: str = "hydra.sweeper.zip"
) -> Grid:
    """Return every combination of the axes' values; the last axis varies fastest.

    Args:
        axes: the axes.
        zipped: keys of axes that vary together, at the position of the first of them.
        setting: the setting that gave them, for errors.

    Raises:
        SettingError: zipped axes differ in length, or there are more than `MAX_RUNS` runs.
    """
    dimensions = _assign_dimensions(axes, zipped, setting)
    check_run_count({axis.key: len(axis) for axis in axes}, zipped)
    sizes = [0] * (max(dimensions, default=-1) + 1)
    for axis, d in zip(axes, dimensions, strict=True):
        sizes[d] = len(axis)
    runs = math.prod(sizes)
    index = np.unravel_index(np.arange(runs), sizes) if sizes else ()
    return Grid(tuple(axes), stack_columns([index[d] for d in dimensions], 1))


def check_run_count(counts: Mapping[str, int], zipped: Sequence[str] = ()) -> None:
    """Refuse a sweep with too many runs, given the lengths of its axes, before it is built.

    Raises:
        SettingError: there are more than `MAX_RUNS` runs.
    """
    in_step = [count for key, count in counts.items() if key in zipped]
    crossed = [count for key, count in counts.items() if key not in zipped]
    runs = math.prod(max(count, 1) for count in crossed) * max(in_step, default=1)
    if runs > MAX_RUNS:
        several = {key: count for key, count in counts.items() if count > 1}
        product = " x ".join(f"{key} ({count:,})" for key, count in several.items())
        raise SettingError(f"{product}: {runs:,} runs, but a sweep can have at most {MAX_RUNS:,}")


def _assign_dimensions(axes: Sequence[Axis], zipped: Sequence[str], setting: str) -> list[int]:
    """Return for each axis the dimension of the product along which it varies."""
    keys = [axis.key for axis in axes]
    unknown = [key for key in zipped if key not in keys]
    if unknown:
        known = ", ".join(axis.key for axis in axes if len(axis) > 1)
        raise SettingError(
            f"{setting}={format_value(list(zipped))}: {unknown[0]} must be one of {known}"
        )
    lengths = {axis.key: len(axis) for axis in axes if axis.key in zipped}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise SettingError(
            f"{setting}={format_value(list(zipped))}: must have the same length; {counts}"
        )
    dimension: list[int] = []
    shared = None
    for axis in axes:
        if axis.key in zipped and shared is not None:
            dimension.append(shared)
            continue
        dimension.append(max(dimension, default=-1) + 1)
        if axis.key in zipped:
            shared = dimension[-1]
    return dimension


def stack_columns(columns: list[np.ndarray], runs: int) -> np.ndarray:
    """Stack columns (R,) to an index (R, A); without axes its shape is (R, 0)."""
    if not columns:
        return np.zeros((runs, 0), dtype=POSITION)
    return np.stack(columns, 1, dtype=POSITION, casting="same_kind")
