"""The points of a path through the weights of a model, as many as fit into a bound of memory.

Shapes: n kept points, C weights of each.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_MOST = 2**16
_WIDE, _MOST_WIDE = 512, 128
"""Points of more weights, of which a copy takes as long as a part of a step. That many always fit:
of a model that is too large for them, every k-th weight is kept."""

_STAGED = 2**24
"""Bytes that wait on an accelerator, so that a step need not wait for each point."""


class Points:
    """Keeps the weights at steps 0, s, 2s, …, at first at every step.

    When the bound is reached, every other point is dropped and s doubles: what is kept is evenly
    spaced over all steps.

    Args:
        parameters: returns the parameters, to which new ones may come.
        memory: the bound in bytes.

    Attributes:
        stride: s.
        sampled: k, where only every k-th weight of a parameter is kept; 1 for all.
    """

    def __init__(self, parameters: Callable[[], Sequence[Tensor]], memory: int) -> None:
        self._parameters, self._memory = parameters, memory
        self._known: dict[Tensor, None] = {}  # new ones last, wherever their group is
        known = parameters()
        is_double = any(p.dtype in (torch.float64, torch.complex128) for p in known)
        self._dtype = torch.float64 if is_double else torch.float32
        weights = sum(p.numel() * (1 + p.is_complex()) for p in known)
        self.stride, self.sampled = 1, -(-weights * self._dtype.itemsize * _MOST_WIDE // memory)
        self._waiting: list[Tensor] = []
        self._make_room(torch.empty(0, sum(map(len, self._flat())), dtype=self._dtype))

    def _flat(self) -> list[Tensor]:
        """Return the weights to keep, as they are now, of each parameter."""
        parameters = self._parameters()
        if len(parameters) > len(self._known):
            self._known |= dict.fromkeys(parameters)
        whole = (p.detach() for p in self._known)
        flat = [(torch.view_as_real(p) if p.is_complex() else p).reshape(-1) for p in whole]
        return flat if self.sampled == 1 else [p[:: self.sampled] for p in flat]

    def _capacity(self, width: int) -> int:
        """Return how many points of some width fit."""
        most = _MOST_WIDE if width > _WIDE else _MOST
        return max(2, min(most, self._memory // (max(1, width) * self._dtype.itemsize)))

    def _make_room(self, rows: Tensor) -> None:
        """Keep rows (n, C), and reserve memory for as many as fit."""
        width = rows.shape[1]
        self._rows = torch.empty(self._capacity(width), width, dtype=self._dtype)
        self._rows[: len(rows)] = rows
        # The rows of the points in order, and those that are free: dropped points move no others.
        self._used, self._free = [*range(len(rows))], [*range(len(rows), len(self._rows))][::-1]

    def add(self, step: int) -> None:
        """Keep the weights as they are at a step, if it is one of those that are kept."""
        if step % self.stride:
            return
        flat = self._flat()
        if sum(map(len, flat)) > self._rows.shape[1]:
            self._widen(flat)
        if len(self._free) == len(self._waiting):
            self._halve()
        if step % self.stride:
            return
        home = flat[0].device
        if home.type == "cpu":
            self._used.append(self._free.pop())
            torch.cat([p.to(home) for p in flat], out=self._rows[self._used[-1]])
            return
        self._waiting.append(torch.cat([p.to(home, self._dtype) for p in flat]))
        if len(self._waiting) * self._rows.shape[1] * self._rows.itemsize >= _STAGED:
            self._fetch()

    def _fetch(self) -> None:
        """Copy what waits on an accelerator."""
        if self._waiting:
            rows = [self._free.pop() for _ in self._waiting]
            self._rows[rows] = torch.stack(self._waiting).cpu()
            self._used, self._waiting = [*self._used, *rows], []

    def _halve(self) -> None:
        """Drop every other point."""
        self._fetch()
        self._used, dropped = self._used[::2], self._used[1::2]
        self._free += dropped
        self.stride *= 2

    def _widen(self, flat: Sequence[Tensor]) -> None:
        """Add new weights to all points: up to now they were what they are."""
        self._fetch()
        new = torch.cat([p.cpu() for p in flat])[self._rows.shape[1] :]
        rows = self._rows[self._used]
        wider = torch.cat([rows, new.to(rows.dtype).expand(len(rows), -1)], 1)
        while len(wider) > self._capacity(wider.shape[1]):
            wider, self.stride = wider[::2], 2 * self.stride
        self._make_room(wider)

    def steps_and_rows(self) -> tuple[Tensor, Tensor]:
        """Return the steps (n,) and the points (n, C) that are kept."""
        self._fetch()
        return torch.arange(len(self._used)) * self.stride, self._rows[self._used]
