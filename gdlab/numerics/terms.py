"""The size of the numbers that a loss is made of, which bounds the rounding errors of its value.

Shapes: n rows, D dimensions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


def largest_terms(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the largest finite |number| that a function computes on its way from points: (n,).

    A value is rounded to a few units in the last place of its terms, however small it is itself:
    cos(x) + 1 is 0 at π, but computed from terms of size 1. The coordinates count as exact. What a
    function computes outside torch is not seen, except for its values.

    Args:
        function: maps points (n, D) to values (n,).
        x: the points.
    """
    watcher = _Watcher(x)
    with torch.no_grad(), watcher:
        value = function(x)
    return torch.maximum(watcher.largest, _magnitude(value.detach()).to(x))


class _Watcher(TorchDispatchMode):
    """Keeps the largest numbers that operations compute of points (n, D)."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.largest = torch.zeros_like(x[:, 0])

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not import its own compiler."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and look at its value, unless it shows a part of its argument only."""
        value = func(*args, **(kwargs or {}))
        if isinstance(value, Tensor) and value.is_floating_point() and not func.is_view:
            self._examine(_magnitude(value.detach()).to(self.largest))
        return value

    def _examine(self, size: Tensor) -> None:
        """Count magnitudes (n, ...) for their rows, others for all."""
        has_rows = size.ndim > 0 and len(size) == len(self.largest)
        if size.numel():
            found = size.flatten(1).amax(1) if has_rows and size.ndim > 1 else size
            self.largest = torch.maximum(self.largest, found if has_rows else size.max())


def _magnitude(value: Tensor) -> Tensor:
    """Return |numbers|; 0 for those that are not finite."""
    return torch.where(value.isfinite(), value.abs(), 0.0)
