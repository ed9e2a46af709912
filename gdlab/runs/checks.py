"""The checks before a run, shared by the command line, `gdlab.run` and `gdlab.sweep`."""

import dataclasses
import re

import torch
from torch import Tensor

from gdlab.config.settings import Settings
from gdlab.display.summary import warning
from gdlab.engine.batch import Batch
from gdlab.engine.metrics import QUANTITIES, check_quantities
from gdlab.engine.outcome import Outcome
from gdlab.engine.rows import Rows
from gdlab.errors import SettingError
from gdlab.fields.custom_classes import errors_as
from gdlab.losses.base import Loss
from gdlab.losses.checks import check_definition
from gdlab.losses.models.trained import network_blocks
from gdlab.runs.batching import batch_of
from gdlab.schedules.base import initial_memory, rates_of

_RESERVED = {
    *("run", "step", "loss", "optimizer", "lr", "seed", "seconds", "versions"),
    *QUANTITIES,
    *(field.name for field in dataclasses.fields(Outcome)),
}
_COORDINATE = re.compile(r"x\d+")


def check_run(settings: Settings, *, check_gradient: bool = False) -> Batch:
    """Check the settings of a run before any file is created.

    Args:
        settings: the settings of the run.
        check_gradient: whether to test that autograd gives the derivative of the loss.

    Returns:
        The batch of this one run.

    Raises:
        SettingError: a setting cannot be used; the message names it.
    """
    with errors_as(f"loss={settings.name('loss')}"):
        batch = batch_of(settings)
        check_loss(batch.loss, batch.start)
        if check_gradient:
            refuse_wrong_gradient(settings)
        check_quantities(batch.loss, batch.start, batch.intervals)
        refuse_checkpoint(settings)
    with errors_as(f"schedule={settings.name('schedule')}"):
        if not initial_memory(batch.schedule, batch.lr):
            ends = torch.tensor([0, settings.steps - 1], device=batch.lr.device)
            rates_of(batch.schedule, ends, batch.lr, settings.steps)
    with errors_as(f"optimizer={settings.name('optimizer')}"):
        check_optimizer(batch)
        warning(settings)
    return batch


def refuse_checkpoint(settings: Settings) -> None:
    """Refuse to record the network of a loss that has none.

    Raises:
        SettingError: `record.checkpoint` asks for it.
    """
    kind = settings.record.checkpoint
    if kind is not None and not network_blocks(settings.objective):
        what = f"is for networks, loss=mlp and loss=module, not loss={settings.name('loss')}"
        raise SettingError(f"record.checkpoint={kind}: {what}")


def check_optimizer(batch: Batch) -> None:
    """Check that the optimizer of a batch fits its loss.

    Raises:
        SettingError: it does not; the message says why.
    """
    batch.check()
    Rows.of(dataclasses.replace(batch, mode="eager"))  # without padding for compiled steps


def check_loss(loss: Loss, start: Tensor) -> None:
    """Check all attributes of a loss that a run uses besides its value.

    Args:
        loss: the loss.
        start: starting points (R, D).

    Raises:
        SettingError: an attribute has the wrong form, or a metric has the name of a column.
    """
    check_definition(loss)
    class_name, expected = type(loss).__name__, tuple(start.shape[:-1])
    for name, metric in loss.metrics.items():
        if name in _RESERVED or _COORDINATE.fullmatch(name):
            message = f"a metric cannot be called {name}: that is the name of a column"
            raise SettingError(f"loss={class_name}: {message}")
        shape = tuple(metric(start).shape)
        if shape != expected:
            points = f"points of shape {tuple(start.shape)}"
            message = f"its metric {name} has shape {shape} for {points}, must be {expected}"
            raise SettingError(f"loss={class_name}: {message}")
    loss.distance(start)
    loss.suboptimality(start[..., 0])
    if loss.curvature is not None:
        _least, _largest = loss.curvature


def refuse_wrong_gradient(settings: Settings) -> None:
    """Refuse a loss whose gradient is wrong.

    Raises:
        SettingError: the gradient is wrong; the message gives the first problem.
    """
    from gdlab.derivatives.findings.check import check_gradient  # few runs need it

    check = check_gradient(settings.objective, seed=settings.seed)
    if not check.passed:
        name = settings.name("loss")
        raise SettingError(f"loss={name}: {check.problems[0]} (check_gradient=true)")
