"""Compare optimizers fairly: equal tuning, new seeds, evaluations to targets, tests for ties.

The package can be called: `gdlab.bench(...)` is `gdlab.bench.comparison.bench`.
"""

import sys
from inspect import signature
from types import ModuleType

from gdlab.bench.comparison import Comparison, bench

__all__ = ["Comparison", "bench"]


class _Callable(ModuleType):
    __call__ = staticmethod(bench)


__signature__ = signature(bench)
sys.modules[__name__].__class__ = _Callable
