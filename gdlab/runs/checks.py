"""What is checked before anything runs, the same for every entrance."""

import dataclasses
import re

from torch import Tensor

from gdlab import theory
from gdlab.config.settings import Settings
from gdlab.engine.metrics import SHARPNESS
from gdlab.engine.outcome import Outcome
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.losses.checks import check_dimensions
from gdlab.optimizers import SGD

_COLUMNS = {"run", "step", "loss", "optimizer", "lr", "seed", "seconds", "versions", SHARPNESS}


_TAKEN = _COLUMNS | {field.name for field in dataclasses.fields(Outcome)}


_COORDINATE = re.compile(r"x\d+")


def check_loss(loss: Loss, start: Tensor) -> None:
    """Ask a loss for all that a run needs of it beside values at points.

    Raises:
        SettingError: an answer has the wrong form.
    """
    check_dimensions(loss)
    kind = type(loss).__name__
    for name, metric in loss.metrics.items():
        if name in _TAKEN or _COORDINATE.fullmatch(name):
            raise SettingError(f"loss={kind}: its metric cannot be called {name}, as a column is")
        if metric(start).shape != start.shape[:-1]:
            shape = tuple(metric(start).shape)
            raise SettingError(f"loss={kind}: its metric {name} gives {shape} for one point")
    loss.distance(start)
    loss.suboptimality(start[..., 0])
    theory.stability_limit(loss, SGD())


def refuse_wrong_gradient(settings: Settings) -> None:
    """Refuse a loss whose gradient is wrong.

    Raises:
        SettingError: it is; the first thing that is wrong is named.
    """
    from gdlab.derivatives.findings.check import check_gradient

    found = check_gradient(settings.objective, seed=settings.seed)
    if not found.passed:
        raise SettingError(
            f"loss={settings.name('loss')}: {found.problems[0]} (check_gradient=true)"
        )
