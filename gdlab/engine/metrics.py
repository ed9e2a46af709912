"""Metrics recorded at intervals: those of the loss, and quantities of any smooth loss.

A new quantity is an entry of `QUANTITIES`, a field of `Intervals` and its line in conf/config.yaml.

Shapes: D dimensions, k records, n rows, padding included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from gdlab.errors import CUSTOM_ERRORS, SettingError, describe_error, raise_if_signaled
from gdlab.fields.declared import Configured, setting
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products, is_twice_differentiable
from gdlab.numerics.lanczos import numbers_per_row, sharpness
from gdlab.numerics.rowwise import LANES, by_rows

SHARPNESS = "sharpness"


Measure: TypeAlias = Callable[[Loss, Tensor], Tensor]
"""Maps a loss and points (k, n, D) to numbers (k, n)."""


@dataclass(frozen=True)
class Quantity:
    """A number that can be computed at a point of any loss that is smooth enough.

    Attributes:
        function: maps a loss and points (k, n, D) to numbers (k, n).
        why_undefined: says why it does not exist for a loss at points (n, D); None if it does.
    """

    function: Measure
    why_undefined: Callable[[Loss, Tensor], str | None]


@dataclass(frozen=True)
class Metric:
    """A number that is recorded at intervals.

    Attributes:
        function: maps a loss and points (k, n, D) to numbers (k, n).
        every: the interval in steps: computed at steps 0, every, 2·every, … and at the last one.
    """

    function: Measure
    every: int


def metrics_of(
    loss: Loss,
    full_every: int,
    intervals: Mapping[str, int],
    measures: Mapping[str, Measure] | None = None,
) -> dict[str, Metric]:
    """Return the metrics to record for a loss, by name.

    Args:
        loss: may have metrics of its own, such as accuracy.
        full_every: their interval.
        intervals: the intervals of `QUANTITIES` by name; 0 for never.
        measures: faster functions that compute metrics of the loss, by name.
    """
    faster = measures or {}
    metrics = {
        name: Metric(faster.get(name) or _MetricOfLoss(name), full_every) for name in loss.metrics
    }
    for name, every in intervals.items():
        if every:
            metrics[name] = Metric(QUANTITIES[name].function, every)
    return metrics


@dataclass(frozen=True)
class _MetricOfLoss:
    """One of the loss's own metrics, one record at a time, to bound the memory."""

    name: str

    def __call__(self, loss: Loss, x: Tensor) -> Tensor:
        metric = loss.metrics[self.name]
        return torch.stack([metric(record) for record in x])


def check_quantities(loss: Loss, x: Tensor, intervals: Mapping[str, int]) -> None:
    """Refuse a loss for which a recorded quantity does not exist at points (n, D).

    Raises:
        SettingError: names the setting and says why.
    """
    for name, every in intervals.items():
        if not every:
            continue
        reason = QUANTITIES[name].why_undefined(loss, x)
        if reason is not None:
            raise SettingError(f"record.{name}_every={every}: {type(loss).__name__} {reason}")


def sharpness_at(loss: Loss, x: Tensor, max_numbers: int = 2**24) -> Tensor:
    """Compute λ_max of the Hessian at points (k, n, D): (k, n); NaN where not finite.

    Args:
        loss: the loss of the n rows.
        x: the points.
        max_numbers: the most numbers that the Lanczos bases may have in memory at once; 2**24 of
            float64 are 128 MiB. It does not affect the bits.
    """
    n = x.shape[1]
    points = max(1, max_numbers // numbers_per_row(x.shape[2]))  # at once
    columns = []
    lanes = LANES if loss.elementwise else 1
    for part in torch.arange(n).split(max(lanes, points // lanes * lanes)):
        rows = slice(int(part[0]), int(part[-1]) + 1)
        of_rows = loss if len(part) == n else loss.with_columns(lambda column, at=rows: column[at])
        groups = x[:, rows].split(max(1, points // len(part)))
        columns.append(torch.cat([_over_points(sharpness, of_rows, group) for group in groups]))
    return torch.cat(columns, 1)


def _over_points(
    function: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], loss: Loss, x: Tensor
) -> Tensor:
    """Apply a function of a loss and rows of points to points (k, n, D): (k, n)."""
    shape = x.shape[:-1]
    rows = by_rows(x.reshape(-1, x.shape[-1]))
    return function(lambda points: loss(points.unflatten(0, shape)).flatten(), rows).reshape(shape)


def _why_no_hessian(loss: Loss, x: Tensor) -> str | None:
    """Say why a loss has no second derivatives at points (n, D); None if it has."""
    cannot = "cannot be differentiated twice"
    try:
        if not is_twice_differentiable(loss, x):
            return f"{cannot} (one of its functions is differentiable only once)"
        hessian_products(loss, x)(torch.ones_like(x))
    except CUSTOM_ERRORS as error:
        raise_if_signaled(error)
        return f"{cannot} ({describe_error(error)})"
    return None


QUANTITIES: Mapping[str, Quantity] = {SHARPNESS: Quantity(sharpness_at, _why_no_hessian)}
"""The quantities of any loss, by name; their intervals are the settings record.NAME_every."""


class Intervals(Configured):
    """The settings of the section `record` that say how often quantities are recorded.

    Attributes:
        sharpness_every: record the sharpness λ_max, the Hessian's largest eigenvalue, at steps 0,
            n, 2n, … and the last; None or 0 for never.
    """

    sharpness_every: int | None = setting(default=None, ge=0, lt=2**53)

    @property
    def intervals(self) -> dict[str, int]:
        """The number of steps between two values of each quantity by name; 0 for never."""
        return {name: getattr(self, f"{name}_every") or 0 for name in QUANTITIES}
