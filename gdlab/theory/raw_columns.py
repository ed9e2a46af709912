"""What standardizing the columns of a data set would change for gradient descent."""

from dataclasses import dataclass

import torch

from gdlab.engine.batch import Batch
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.losses.models.data_loss import DataLoss
from gdlab.theory.curvature import has_curvature, is_affordable, spectrum

_UNEVEN = 10
"""The ratio of the scales of columns from which they are worth standardizing."""

_OFF_CENTER = 3
"""The mean of a column, in standard deviations, from which it is worth centering."""

_STEEPER = 100
"""How many times steeper raw columns must make the loss to be blamed."""


@dataclass(frozen=True)
class RawColumns:
    """The largest eigenvalue of the Hessian at the start of a loss over a data set.

    Attributes:
        raw: with the columns as they are.
        standardized: with columns of mean 0 and standard deviation 1.
    """

    raw: float
    standardized: float


def standardized_if_uneven(loss: Loss) -> Loss | None:
    """Return a loss with standardized columns, if its own have uneven scales or are far from 0.

    None if the scales are much the same, or the columns cannot be standardized.
    """
    other = _standardized(loss)
    if other is None or not isinstance(loss, DataLoss):
        return None
    columns = loss.inputs.double().flatten(1)
    columns = columns[:, (columns != columns[0]).any(0)]  # without the ones of an intercept
    scale, mean = columns.std(0), columns.mean(0).abs()
    is_uneven = scale.max() > _UNEVEN * scale.min() or bool((mean > _OFF_CENTER * scale).any())
    return other if is_uneven else None


def compare_columns(batch: Batch) -> RawColumns | None:
    """Compare a loss over raw columns with the same over standardized ones, at its own start.

    Numbers that differ between the runs of the batch are those of its first run. None if the
    columns are standardized, cannot be, or hardly change the loss.
    """
    first = batch.loss.with_columns(lambda value: float(torch.as_tensor(value).reshape(-1)[0]))
    other = _standardized(first)
    if other is None or not is_affordable(first, batch.steps):
        return None
    if not has_curvature(first, batch.start[:1]):
        return None
    raw, standardized = (_sharpness(each, batch) for each in (first, other))
    is_to_blame = standardized > 0 and raw >= _STEEPER * standardized
    return RawColumns(raw, standardized) if is_to_blame else None


def _standardized(loss: Loss) -> Loss | None:
    """Return a loss with standardized columns; None if they are, or cannot be."""
    try:
        return loss.standardized
    except SettingError:  # a column is constant, or the data are no table
        return None


def _sharpness(loss: Loss, batch: Batch) -> float:
    loss = loss.to(batch.start.dtype, batch.start.device)
    start = loss.starts(torch.zeros_like(batch.seed[:1]))
    return float(spectrum(loss, start.expand(1, -1), critical=False).largest)
