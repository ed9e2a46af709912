"""What is recorded of points every so often: a loss's own metrics, and the sharpness.

Shapes: D dimensions, k records, n rows, padding included.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian_products, is_twice_differentiable
from gdlab.numerics.lanczos import numbers_of_a_row, sharpness
from gdlab.numerics.rowwise import LANES, by_rows

SHARPNESS = "sharpness"

_NUMBERS = 2**24  # that searches for eigenvalues keep at once: 128 MiB


@dataclass(frozen=True)
class Metric:
    """A number of points that is recorded every so often.

    Attributes:
        function: maps a loss and points (k, n, D) to numbers (k, n).
        every: computed at steps 0, every, 2·every, … and a run's last.
    """

    function: Callable[[Loss, Tensor], Tensor]
    every: int


def metrics_of(loss: Loss, full_every: int, sharpness_every: int | None) -> dict[str, Metric]:
    """The metrics of runs of a loss by name.

    Args:
        loss: it may have some of its own.
        full_every: of those.
        sharpness_every: of the sharpness; None or 0 for none.
    """
    found = {name: Metric(_OfLoss(name), full_every) for name in loss.metrics}
    if sharpness_every:
        found[SHARPNESS] = Metric(_sharpness, sharpness_every)
    return found


@dataclass(frozen=True)
class _OfLoss:
    """One of the loss's own metrics, record by record as memory is planned for."""

    name: str

    def __call__(self, loss: Loss, x: Tensor) -> Tensor:
        metric = loss.metrics[self.name]
        return torch.stack([metric(record) for record in x])


def check_sharpness(loss: Loss, x: Tensor, every: int | None) -> None:
    """Refuse a loss whose sharpness is asked for but cannot be had at points (n, D).

    Raises:
        SettingError: what is wrong, in words.
    """
    if not every:
        return
    try:
        why = _flaw(loss, x)
    except Exception as error:  # a person's own loss may raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
    if why is not None:
        what = f"{type(loss).__name__} cannot be differentiated twice"
        raise SettingError(f"record.sharpness_every={every}: {what} ({why})")


def _flaw(loss: Loss, x: Tensor) -> str | None:
    """What is wrong with the second derivatives of a loss at points (n, D), in words."""
    if not is_twice_differentiable(loss, x):
        return "one of its functions is differentiable only once"
    hessian_products(loss, x)(torch.ones_like(x))
    return None


def _sharpness(loss: Loss, x: Tensor) -> Tensor:
    """λ_max of the Hessian at points (k, n, D): (k, n); NaN where it is not finite."""
    n = x.shape[1]
    fitting = max(1, _NUMBERS // numbers_of_a_row(x.shape[2]))  # points that memory is allowed for
    found = []
    for some in torch.arange(n).split(max(LANES, fitting // LANES * LANES)):
        rows = slice(int(some[0]), int(some[-1]) + 1)
        part = loss if len(some) == n else loss.with_columns(lambda column, at=rows: column[at])
        groups = x[:, rows].split(max(1, fitting // len(some)))
        found.append(torch.cat([_of_points(sharpness, part, group) for group in groups]))
    return torch.cat(found, 1)


def _of_points(
    function: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], loss: Loss, x: Tensor
) -> Tensor:
    """A function of a loss and rows of points, for points (k, n, D), all as rows: (k, n)."""
    shape = x.shape[:-1]
    rows = by_rows(x.reshape(-1, x.shape[-1]))
    return function(lambda points: loss(points.unflatten(0, shape)).flatten(), rows).reshape(shape)
