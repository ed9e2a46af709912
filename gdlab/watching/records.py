"""The numbers of a watched loop, one row for each step, with bounded memory.

Shapes: n rows.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.metrics import SHARPNESS

_MOST = 2**20
"""Rows; beyond it only every second one is kept, then every fourth, and so on."""

_WAITING = 2**12
"""Rows that wait to be read together."""

MEASURED = ("loss", "grad_norm", "lr")


class Row(NamedTuple):
    """What was seen of a step.

    Attributes:
        step: its number.
        loss: the loss at the point that the step left.
        norms: the gradient norms there, of each optimizer that has gradients.
        numbers: further numbers by name; the first is lr.
    """

    step: int
    loss: Tensor | float
    norms: Sequence[Tensor | float]
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Best:
    """The least loss and its step."""

    loss: float = np.inf
    step: int = 0


class Records:
    """Rows that are read from the device many at a time.

    Attributes:
        stride: s, where rows of steps 0, s, 2s, … are kept, and those with a sharpness.
        count: the steps taken.
        best: the least loss of all steps.
        last_finite: the last step with a finite loss; -1 for none.
    """

    def __init__(self) -> None:
        self.stride, self.count, self.last_finite = 1, 0, -1
        self.best = Best()
        self._step = array("q")
        self._columns = {name: array("d") for name in MEASURED}
        self._waiting: list[Row] = []

    def add(self, row: Row) -> bool:
        """Take in the next row; return whether so many wait that they must be read."""
        self._waiting.append(row)
        self.count += 1
        return len(self._waiting) >= _WAITING

    def read(self) -> dict[str, np.ndarray]:
        """Read the rows that wait; return their columns (n,) by name, with their steps."""
        rows, self._waiting = self._waiting, []
        if not rows:
            return {}
        names = list(dict.fromkeys(chain.from_iterable({tuple(row.numbers): 0 for row in rows})))
        columns = {name: _column(rows, name) for name in names}
        new = {"loss": _values([row.loss for row in rows]), "grad_norm": _norms(rows), **columns}
        step = np.array([row.step for row in rows])
        self._note(step, new["loss"])
        self._keep(step, new)
        return {"step": step, **new}

    def _note(self, step: np.ndarray, loss: np.ndarray) -> None:
        finite = np.flatnonzero(np.isfinite(loss))
        if not len(finite):
            return
        self.last_finite = int(step[finite[-1]])
        least = finite[np.argmin(loss[finite])]
        if loss[least] < self.best.loss:
            self.best = Best(float(loss[least]), int(step[least]))

    def _keep(self, step: np.ndarray, new: Mapping[str, np.ndarray]) -> None:
        before = len(self._step)
        kept = self._is_kept(step, new.get(SHARPNESS))
        for name in [*self._columns, *(name for name in new if name not in self._columns)]:
            column = self._columns.setdefault(name, array("d", [np.nan]) * before)
            values = new.get(name, np.full(len(step), np.nan))
            column.frombytes(values[kept].astype(np.float64).tobytes())
        self._step.frombytes(step[kept].astype(np.int64).tobytes())
        if len(self._step) > _MOST:
            self.stride *= 2
            self._thin()

    def _is_kept(self, step: np.ndarray, sharpness: np.ndarray | None) -> np.ndarray:
        is_kept = step % self.stride == 0
        return is_kept if sharpness is None else is_kept | np.isfinite(sharpness)

    def _thin(self) -> None:
        columns = self.columns()
        kept = self._is_kept(columns.pop("step"), columns.get(SHARPNESS))
        self._step = array("q", np.frombuffer(self._step, np.int64)[kept].tobytes())
        self._columns = {name: array("d", c[kept].tobytes()) for name, c in columns.items()}

    def columns(self) -> dict[str, np.ndarray]:
        """Return the rows that are kept: steps and columns (n,) by name, NaN where not known."""
        step = np.frombuffer(self._step, np.int64).copy() if self._step else np.empty(0, np.int64)
        columns = {name: np.array(column) for name, column in self._columns.items()}
        return {"step": step, **columns}


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    numbers = [row.numbers.get(name, np.nan) for row in rows]
    return np.array(numbers, dtype=np.float64)


def _values(numbers: Sequence[Tensor | float]) -> np.ndarray:
    """Return numbers, some of which may be tensors of one element, as float64 (n,)."""
    places = [k for k, number in enumerate(numbers) if isinstance(number, Tensor)]
    if not places:
        return np.array(numbers, dtype=np.float64)
    plain: list[Any] = list(numbers)
    tensors = [plain[k] for k in places]
    for k in places:
        plain[k] = np.nan
    found, home = np.array(plain, dtype=np.float64), tensors[0].device
    stacked = torch.stack([tensor.reshape(()).to(home) for tensor in tensors])
    found[places] = stacked.cpu().double().numpy()
    return found


def _norms(rows: Sequence[Row]) -> np.ndarray:
    """Return the norms of the gradients of all optimizers together (n,); NaN for none."""
    norms = _values([norm for row in rows for norm in row.norms])
    counts = [len(row.norms) for row in rows]
    found = np.full(len(rows), np.nan)
    some = np.flatnonzero(counts)
    if len(some):
        first = np.cumsum([0, *counts])[some]
        found[some] = np.hypot.reduceat(norms, first)  # no square overflows
    return found
