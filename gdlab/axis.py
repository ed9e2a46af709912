"""One setting of a sweep and its values: from an override in Hydra's syntax to an axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Transformer,
)

from gdlab.config.overrides import name_of
from gdlab.errors import SettingError


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
        return name_of(self.key)


def most_values(override: Override, points: int) -> int:
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
    """Whether an override is an interval, which `cut` and `sampled` take values of."""
    return isinstance(override.value(), IntervalSweep)


def cut(override: Override, even: np.ndarray) -> Axis:
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


def sampled(override: Override, unit: np.ndarray) -> tuple[Axis, np.ndarray]:
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
