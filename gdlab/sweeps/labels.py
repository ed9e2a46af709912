"""What tells the runs of a sweep apart in its pictures: a label for each, and its look.

Shapes: R runs of the sweep, n of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gdlab.console import visible
from gdlab.plots.colors import Palette, Value, text_of
from gdlab.sweeps.plan import Plan, column_name

_AVERAGED = ("seed", "start")
"""Settings over which a picture shows the spread; `start.0` and so on are a start too."""


@dataclass(frozen=True)
class Labels:
    """The labels of a sweep's runs.

    Attributes:
        plan: the plan of the sweep.
        keys: the settings whose values make a label, by their names in the tables.
    """

    plan: Plan
    keys: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan) -> "Labels":
        """Return the labels that all pictures of a sweep share.

        They are made of `summary.by`, or else of all that varies besides lr, the seed and the
        start. If nothing else varies, lr tells the runs apart, or else the first that varies.
        """
        varied = plan.keys()
        if plan.options.summary.by is not None:
            keys = [key for key in plan.by() if key in varied]
        else:
            keys = [key for key in varied if key != "lr" and key.split(".")[0] not in _AVERAGED]
        rest = [key for key in ("lr", *varied) if key in varied]
        return cls(plan, tuple(keys or rest[:1]))

    @property
    def groups(self) -> tuple[str, ...]:
        """The settings that make one curve each against lr."""
        return () if self.keys == ("lr",) else self.keys

    @property
    def setting(self) -> str:
        """The name of what tells the runs apart."""
        return ", ".join(map(visible, self._names.values()))

    @cached_property
    def palette(self) -> Palette:
        """One look for each label."""
        positions = self._positions
        rows = np.unique(self.plan.grid.index[:, positions], axis=0) if positions else []
        return Palette.of(self.setting, (self._label(row) for row in rows))

    def of_runs(self, runs: Sequence[int]) -> list[Value]:
        """Return the label of each of some runs."""
        rows = self.plan.grid.index[np.asarray(runs, dtype=np.int64)][:, self._positions]
        return [self._label(row) for row in rows]

    @cached_property
    def _positions(self) -> list[int]:
        axes = {column_name(axis.name): at for at, axis in enumerate(self.plan.grid.axes)}
        return [axes[key] for key in self.keys]

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """The shortest names of the keys that differ: `momentum` for `optimizer.momentum`."""
        axes = [self.plan.grid.axes[at].name for at in self._positions]
        last = [name.rpartition(".")[2] for name in axes]
        short = [n if last.count(n) == 1 else full for n, full in zip(last, axes, strict=True)]
        return dict(zip(self.keys, short, strict=True))

    def _label(self, row: np.ndarray) -> Value:
        """Return the label of the values at places (k,) of the axes of the keys."""
        parts: list[str] = []
        for name, position, at in zip(self._names.values(), self._positions, row, strict=True):
            axis = self.plan.grid.axes[position]
            value: Any = axis.values[at]
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if is_number and len(self.keys) == 1:
                return float(value)
            text = text_of(float(value)) if is_number else str(axis.texts[at])
            is_plain = not is_number and "." not in axis.name
            parts.append(visible(text if is_plain else f"{name} = {text}"))
        return ", ".join(parts)
