"""The search space of an optimizer: which of its settings a comparison tunes, and where.

Shapes: n trials, K tuned numbers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value

MOST = 4
"""How many numbers of an optimizer may be tuned: lr and three more."""

_EDGE = 0.05  # of the width of an interval, on its scale


@dataclass(frozen=True)
class Scale:
    """A scale on which numbers are spread evenly.

    Attributes:
        to: maps numbers to the scale.
        back: maps the scale to numbers.
        contains: whether a number lies on the scale.
    """

    to: Callable[[Any], Any]
    back: Callable[[Any], Any]
    contains: Callable[[float], bool]


SCALES: Mapping[str, Scale] = {
    "linear": Scale(lambda value: value, lambda at: at, np.isfinite),
    "log": Scale(np.log, np.exp, lambda value: value > 0),
    "complement": Scale(lambda v: -np.log1p(-v), lambda at: -np.expm1(-at), lambda v: v < 1),
}
"""Scales by name; on that of the complement, 1 - x is spread evenly in its logarithm."""


@dataclass(frozen=True)
class Interval:
    """Where one number is searched.

    Attributes:
        low: the least value.
        high: the greatest value.
        scale: a name in `SCALES`.
    """

    low: float
    high: float
    scale: str

    @classmethod
    def of(cls, key: str, given: Any) -> "Interval":
        """Read an interval such as {log: [1e-5, 10]}.

        Args:
            key: what it is called in errors.
            given: a mapping with the name of a scale and two increasing numbers.

        Raises:
            SettingError: it is nothing of the kind.
        """
        try:
            ((scale, (low, high)),) = given.items()
            low, high = float(low), float(high)
            if low < high and all(map(SCALES[scale].contains, (low, high))):
                return cls(low, high, scale)
        except (AttributeError, TypeError, ValueError, KeyError):
            pass  # refused below
        must = f"must be an interval {{SCALE: [low, high]}} with a scale of {', '.join(SCALES)}"
        raise SettingError(f"{key}={format_value(given)}: {must}")

    def at(self, fraction: np.ndarray) -> np.ndarray:
        """Return the numbers at fractions (n,) of the interval: (n,)."""
        scale = SCALES[self.scale]
        low, high = scale.to(self.low), scale.to(self.high)
        return np.clip(scale.back(low + fraction * (high - low)), self.low, self.high)

    def written(self) -> dict[str, list[float]]:
        """Return what `of` reads."""
        return {self.scale: [self.low, self.high]}

    def edge(self, value: float) -> str | None:
        """Return the end that a number is close to, "lowest" or "highest"; None for neither."""
        low, at, high = (SCALES[self.scale].to(v) for v in (self.low, value, self.high))
        fraction = (at - low) / (high - low)
        return "lowest" if fraction < _EDGE else "highest" if fraction > 1 - _EDGE else None

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} ({self.scale})"


@dataclass(frozen=True)
class Space:
    """The settings that are tuned, each a number or a list with numbers that are.

    Attributes:
        intervals: by setting, and for a list its position: ("optimizer.betas", 0).
        fixed: the other numbers of such lists, likewise.
    """

    intervals: Mapping[tuple[str, int | None], Interval]
    fixed: Mapping[tuple[str, int | None], float]

    @classmethod
    def of(cls, name: str, given: Any) -> "Space":
        """Read the space of an optimizer, as its file in conf/optimizer gives it.

        Args:
            name: of the optimizer, for errors.
            given: an interval for each setting, or a list of intervals and numbers.

        Raises:
            SettingError: an interval is wrong, or there are none or too many.
        """
        where = f"optimizer={name}: space"
        if not isinstance(given, Mapping):
            raise SettingError(f"{where}={format_value(given)}: must map settings to intervals")
        intervals: dict[tuple[str, int | None], Interval] = {}
        fixed: dict[tuple[str, int | None], float] = {}
        for key, value in given.items():
            setting = key if key == "lr" else f"optimizer.{key}"
            parts = enumerate(value) if isinstance(value, (list, tuple)) else [(None, value)]
            for position, part in parts:
                if position is not None and isinstance(part, (int, float)):
                    fixed[setting, position] = float(part)
                else:
                    intervals[setting, position] = Interval.of(f"{where}.{key}", part)
        if not 1 <= len(intervals) <= MOST:
            raise SettingError(f"{where}: has {len(intervals)} intervals, must have 1 to {MOST}")
        return cls(intervals, fixed)

    def written(self) -> dict[str, Any]:
        """Return what `of` reads."""
        parts: dict[str, dict[int | None, Any]] = {}
        for (setting, at), interval in self.intervals.items():
            parts.setdefault(setting, {})[at] = interval.written()
        for (setting, at), value in self.fixed.items():
            parts[setting][at] = value
        return {
            setting.removeprefix("optimizer."): (
                by_position[None]
                if None in by_position
                else [by_position[at] for at in range(len(by_position))]
            )
            for setting, by_position in parts.items()
        }

    @property
    def settings(self) -> list[str]:
        """The settings that are tuned."""
        return list(dict.fromkeys(setting for setting, _ in self.intervals))

    def trials(self, count: int) -> dict[str, np.ndarray]:
        """Return the settings of n trials, (n,) each or (n, k) for a list of k numbers.

        They are the first points of a Sobol sequence, the same for every problem.
        """
        engine = torch.quasirandom.SobolEngine(len(self.intervals), scramble=True, seed=0)
        return self.at(engine.draw(count, dtype=torch.float64).numpy())

    def at(self, unit: np.ndarray) -> dict[str, np.ndarray]:
        """Return the settings at points of the unit cube (n, K), as `trials` does."""
        numbers = {
            key: interval.at(column)
            for (key, interval), column in zip(self.intervals.items(), unit.T, strict=True)
        }
        numbers |= {key: np.full(len(unit), value) for key, value in self.fixed.items()}
        columns = {}
        for setting in self.settings:
            parts = [(at, column) for (name, at), column in numbers.items() if name == setting]
            parts.sort(key=lambda part: part[0] or 0)
            is_list = parts[0][0] is not None
            columns[setting] = np.stack([c for _, c in parts], 1) if is_list else parts[0][1]
        return columns

    def edges(self, chosen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each setting whose chosen value lies at an end of its interval, and that end.

        Args:
            chosen: the values by setting, a number or a list each.
        """
        for (setting, at), interval in self.intervals.items():
            value = chosen[setting] if at is None else chosen[setting][at]
            end = interval.edge(value)
            if end is not None:
                yield (setting if at is None else f"{setting}[{at}]"), end
