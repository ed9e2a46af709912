"""Partial derivatives of any order.

Shapes: D dimensions.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import derivative_name, number_or_undefined
from gdlab.errors import SettingError

HIGHEST = 6
MOST = 200
"""Of higher orders so many partial derivatives are written down at most."""


@dataclass(frozen=True)
class Higher(Finding):
    """The partial derivatives of one order; mixed ones once, whatever their order.

    Attributes:
        order: how often was differentiated.
        names: of the derivatives, such as ∂³f/∂x²∂y.
        autograd: their values by automatic differentiation.
        symbolic: by the formula; None where there is none.
        expressions: the derivatives as expressions; None where there is no formula.
    """

    order: int
    names: tuple[str, ...]
    autograd: tuple[float, ...]
    symbolic: tuple[float, ...] | None
    expressions: tuple[str, ...] | None

    def section(self) -> Section:
        """A row for each derivative."""
        rows = []
        for k, name in enumerate(self.names):
            exact = None if self.symbolic is None else self.symbolic[k]
            words = "–" if self.expressions is None else self.expressions[k]  # noqa: RUF001
            rows.append((name, number(self.autograd[k]), number_or_undefined(exact), words))
        header = ("", "autograd", "symbolic", "")
        return Section(f"Partial derivatives of order {self.order}", (), Table(header, rows))


def higher(place: LossAtPoint, order: int) -> Higher:
    """The distinct partial derivatives of a loss at a point, of one order.

    Raises:
        SettingError: there is no such order, or there are too many.
    """
    if not 1 <= order <= HIGHEST:
        raise SettingError(f"order={order}: must be from 1 to {HIGHEST}")
    indices = list(itertools.combinations_with_replacement(range(len(place.x)), order))
    if len(indices) > MOST:
        what = f"has {len(indices):,} partial derivatives in {len(place.x)} dimensions"
        raise SettingError(f"order={order}: {what}; at most {MOST} are written down")
    symbolic = place.symbolic
    return Higher(
        order=order,
        names=tuple(derivative_name([place.names[i] for i in by]) for by in indices),
        autograd=tuple(_by_autograd(place, by) for by in indices),
        symbolic=None if symbolic is None else tuple(symbolic.at(place.x, *by) for by in indices),
        expressions=None if symbolic is None else tuple(symbolic.words(*by) for by in indices),
    )


def _by_autograd(place: LossAtPoint, by: tuple[int, ...]) -> float:
    """A partial derivative, one coordinate after the other."""
    x = place.x[None].clone().requires_grad_()
    value: Tensor = place.loss(x).sum()
    for i in by:
        if not value.requires_grad:
            return 0.0
        (slope,) = torch.autograd.grad(
            value, x, create_graph=True, allow_unused=True, materialize_grads=True
        )
        value = slope[0, i]
    return float(value.detach())
