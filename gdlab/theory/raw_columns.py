"""What standardizing the columns of a data set would change for gradient descent."""

from dataclasses import dataclass

import torch

from gdlab.engine.batch import Batch
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.theory.curvature import is_affordable, spectrum

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


def compare_columns(batch: Batch) -> RawColumns | None:
    """Compare a loss over raw columns with the same over standardized ones, at its own start.

    Numbers that differ between the runs of the batch are those of its first run. None if the
    columns are standardized, cannot be, or hardly change the loss.
    """
    first = batch.loss.with_columns(lambda value: float(torch.as_tensor(value).reshape(-1)[0]))
    try:
        other = first.standardized
    except SettingError:  # a column is constant, or the data are no table
        return None
    if other is None or not is_affordable(first, batch.steps):
        return None
    raw, standardized = (_sharpness(each, batch) for each in (first, other))
    is_to_blame = standardized > 0 and raw >= _STEEPER * standardized
    return RawColumns(raw, standardized) if is_to_blame else None


def _sharpness(loss: Loss, batch: Batch) -> float:
    loss = loss.to(batch.start.dtype, batch.start.device)
    start = loss.starts(torch.zeros_like(batch.seed[:1]))
    return float(spectrum(loss, start.expand(1, -1), critical=False).largest)
