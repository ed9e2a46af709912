"""The size of the numbers that a loss is made of, which bounds the rounding errors of its value.

Shapes: n rows, D dimensions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


def largest_term(function: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Return the largest finite |number| that a function of points (n, D) computes on its way.

    A value is rounded to a few units in the last place of its terms, however small it is itself:
    cos(x) + 1 is 0 at π, but computed from terms of size 1. What a function computes outside torch
    is not seen, except for its values.

    Args:
        function: maps points (n, D) to values (n,).
        x: the points.
    """
    watcher = _Watcher()
    with torch.no_grad(), watcher:
        value = function(x)
    return max(watcher.largest, _largest(value))


class _Watcher(TorchDispatchMode):
    """Keeps the largest number that operations compute."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not import its own compiler."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and look at its value."""
        value = func(*args, **(kwargs or {}))
        if isinstance(value, Tensor) and value.is_floating_point():
            self.largest = max(self.largest, _largest(value.detach()))
        return value


def _largest(value: Tensor) -> float:
    """Return the largest finite magnitude among some numbers; 0 if there is none."""
    finite = torch.where(value.isfinite(), value.abs(), 0.0)
    return float(finite.max()) if finite.numel() else 0.0
