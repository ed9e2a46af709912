"""Compare optimizers fairly: equal tuning, new seeds, evaluations to targets, tests for ties.

The package can be called: `gdlab.bench(...)` is `gdlab.bench.comparison.bench`. It imports torch
only then, so that `python -m gdlab.bench --help` does not.
"""

import importlib
import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdlab.bench.comparison import Comparison, bench

__all__ = ["Comparison", "bench"]


class _Package(ModuleType):
    def __call__(self, *args: Any, **settings: Any) -> "Comparison":
        """Compare optimizers; see `gdlab.bench.comparison.bench`."""
        return __getattr__("bench")(*args, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(__getattr__("bench"))


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("gdlab.bench.comparison"), name)
    raise AttributeError(f"module 'gdlab.bench' has no attribute {name!r}")


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
