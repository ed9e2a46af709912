"""Partial derivatives of any order.

Shapes: D dimensions.
"""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import derivative_name, proven_in_words
from gdlab.errors import SettingError

HIGHEST = 6
MOST = 200
"""Maximum number of partial derivatives of one order."""


@dataclass(frozen=True)
class Higher(Finding):
    """The partial derivatives of one order, each mixed one once.

    Attributes:
        order: the order of differentiation.
        names: names of the derivatives, such as ∂³f/∂x²∂y.
        autograd: their values by automatic differentiation.
        symbolic: their values from the formula, NaN where there is none, None where this is not
            decided; None without a formula.
        expressions: the derivatives as expressions; None without a formula.
    """

    order: int
    names: tuple[str, ...]
    autograd: tuple[float, ...]
    symbolic: tuple[float | None, ...] | None
    expressions: tuple[str, ...] | None

    def section(self) -> Section:
        """Return the formulas as lines, since they may be long, and a table of the values."""
        by_formula = [number(None)] * len(self.names)
        if self.symbolic is not None:
            by_formula = [
                proven_in_words(math.nan if exact is None else exact, exact is not None)
                for exact in self.symbolic
            ]
        rows = [
            (name, number(value), exact)
            for name, value, exact in zip(self.names, self.autograd, by_formula, strict=True)
        ]
        lines = () if self.expressions is None else zip(self.names, self.expressions, strict=True)
        table = Table(("", "autograd", "symbolic"), rows)
        return Section(f"Partial derivatives of order {self.order}", tuple(lines), table)


def check_order(order: int, dim: int) -> None:
    """Check an order of partial derivatives in D dimensions, before any is computed.

    Raises:
        SettingError: the order is out of range or has too many derivatives.
    """
    if not 1 <= order <= HIGHEST:
        raise SettingError(f"order={order}: must be from 1 to {HIGHEST}")
    count = math.comb(dim + order - 1, order)
    if count > MOST:
        what = f"has {count:,} partial derivatives in {dim} dimensions"
        raise SettingError(f"order={order}: {what}; at most {MOST} are allowed")


def higher(at: LossAtPoint, order: int) -> Higher:
    """Compute the distinct partial derivatives of one order of a loss at a point.

    Raises:
        SettingError: the order is out of range or has too many derivatives.
    """
    check_order(order, len(at.x))
    indices = list(itertools.combinations_with_replacement(range(len(at.x)), order))
    symbolic = at.symbolic
    return Higher(
        order=order,
        names=tuple(derivative_name([at.names[i] for i in by]) for by in indices),
        autograd=tuple(_differentiate(at, by) for by in indices),
        symbolic=None if symbolic is None else tuple(symbolic.decide(at.x, *by) for by in indices),
        expressions=None if symbolic is None else tuple(symbolic.words(*by) for by in indices),
    )


def _differentiate(at: LossAtPoint, by: tuple[int, ...]) -> float:
    """Compute a partial derivative by differentiating by one coordinate after another."""
    x = at.x[None].clone().requires_grad_()
    value: Tensor = at.loss(x).sum()
    for i in by:
        if not value.requires_grad:
            return 0.0
        (slope,) = torch.autograd.grad(
            value, x, create_graph=True, allow_unused=True, materialize_grads=True
        )
        value = slope[0, i]
    return float(value.detach())
