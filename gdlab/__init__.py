"""A laboratory for gradient descent on PyTorch.

Public names are imported on first use, so that `--help` and tab completion do not import torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gdlab.version import __version__ as __version__

if TYPE_CHECKING:
    from gdlab.bench.comparison import bench as bench
    from gdlab.config.noise import Noise
    from gdlab.config.sections import Engine
    from gdlab.derivatives.findings.check import check_gradient
    from gdlab.engine.batch import Stop
    from gdlab.engine.history import History
    from gdlab.engine.outcome import Outcome
    from gdlab.engine.status import Status
    from gdlab.errors import GdlabError, RecordError, SettingError
    from gdlab.fields.declared import Number, setting
    from gdlab.losses import Loss, PointLoss, Transform
    from gdlab.optimizers import Optimizer
    from gdlab.results.load import load
    from gdlab.runs.compare import compare
    from gdlab.runs.run import Run, run
    from gdlab.schedules import Schedule
    from gdlab.sweeps.sweep import sweep
    from gdlab.watching.watch import Watch, watch

_MODULES = {
    "Engine": "gdlab.config.sections",
    "GdlabError": "gdlab.errors",
    "History": "gdlab.engine.history",
    "Loss": "gdlab.losses",
    "Noise": "gdlab.config.noise",
    "Number": "gdlab.fields.declared",
    "Outcome": "gdlab.engine.outcome",
    "PointLoss": "gdlab.losses",
    "Optimizer": "gdlab.optimizers",
    "RecordError": "gdlab.errors",
    "Run": "gdlab.runs.run",
    "Schedule": "gdlab.schedules",
    "SettingError": "gdlab.errors",
    "Status": "gdlab.engine.status",
    "Stop": "gdlab.engine.batch",
    "Transform": "gdlab.losses",
    "Watch": "gdlab.watching.watch",
    "check_gradient": "gdlab.derivatives.findings.check",
    "compare": "gdlab.runs.compare",
    "load": "gdlab.results.load",
    "run": "gdlab.runs.run",
    "setting": "gdlab.fields.declared",
    "sweep": "gdlab.sweeps.sweep",
    "watch": "gdlab.watching.watch",
}

_PACKAGES = ("bench", "derivatives", "losses", "optimizers", "schedules", "theory")
"""Those that are public; `gdlab.bench` can be called."""

__all__ = [
    "Engine",
    "GdlabError",
    "History",
    "Loss",
    "Noise",
    "Number",
    "Optimizer",
    "Outcome",
    "PointLoss",
    "RecordError",
    "Run",
    "Schedule",
    "SettingError",
    "Status",
    "Stop",
    "Transform",
    "Watch",
    "check_gradient",
    "compare",
    "load",
    "run",
    "setting",
    "sweep",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"gdlab.{name}")
    raise AttributeError(f"module 'gdlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES, "__version__"])
