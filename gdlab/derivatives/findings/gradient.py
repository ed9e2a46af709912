"""The partial derivatives and the gradient, three ways side by side.

Shapes: D dimensions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    Convergence,
    OneSidedSlopes,
    convergence,
)
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import number_or_undefined

_ROWS_SHOWN = 12


@dataclass(frozen=True)
class Partial:
    """One partial derivative.

    Attributes:
        name: of the coordinate.
        autograd: by automatic differentiation.
        central: the central difference with the least error.
        central_error: how its errors shrink with the step h, slope 2.
        forward: the forward difference with the least error: the definition as a limit.
        forward_error: how its errors shrink, slope 1.
        differences: central ones extrapolated to h = 0, which knows nothing of autograd.
        uncertainty: of that limit.
        symbolic: by the formula; NaN where that has no value, None where there is no formula.
        expression: the derivative as an expression.
        disagreement: the largest difference between autograd, `central` and `symbolic`.
        agrees: whether autograd and the limit of the differences are equal as far as that is known;
            None where there is no limit.
        sides: the slopes to the left and to the right.
        is_kink: whether these differ, so that there is no derivative.
    """

    name: str
    autograd: float
    central: float
    central_error: Convergence
    forward: float
    forward_error: Convergence
    differences: float
    uncertainty: float
    symbolic: float | None
    expression: str | None
    disagreement: float
    agrees: bool | None
    sides: OneSidedSlopes
    is_kink: bool


@dataclass(frozen=True)
class FirstOrder(Finding):
    """The value, the partial derivatives and the gradient at a point.

    Attributes:
        loss: the name of the loss.
        expression: the loss as an expression, where there is one.
        at: the point (D,).
        value: of the loss.
        partials: one for each coordinate.
        gradient: by autograd (D,).
        grad_norm: the gradient's length: the slope of the steepest ascent.
        ascent: the unit direction of steepest ascent (D,); None where the gradient is zero or not
            finite.
        descent: that of steepest descent.
    """

    loss: str
    expression: str | None
    at: Tensor
    value: float
    partials: tuple[Partial, ...]
    gradient: Tensor
    grad_norm: float
    ascent: Tensor | None
    descent: Tensor | None

    def section(self) -> Section:
        """The values as lines, the partial derivatives as a table."""
        lines = [("f", self.expression)] if self.expression else []
        shown = self.partials[:_ROWS_SHOWN]
        lines += [(f"∂f/∂{p.name}", p.expression) for p in shown if p.expression]
        lines += [
            ("point", vector(self.at)),
            ("value", number(self.value)),
            ("gradient", vector(self.gradient)),
            ("its norm", number(self.grad_norm)),
        ]
        if self.ascent is not None:
            lines += [("ascent", vector(self.ascent)), ("descent", vector(self.descent))]
        return Section("Gradient", lines, self._table(), self._notes())

    def _table(self) -> Table:
        header = ("", "autograd", "central", "h", "slope", "forward", "slope", "symbolic", "apart")
        rows = [
            (
                f"∂f/∂{p.name}",
                number(p.autograd),
                number(p.central),
                number(p.central_error.best, 2),
                p.central_error.words,
                number(p.forward),
                p.forward_error.words,
                number_or_undefined(p.symbolic),
                number(p.disagreement, 2),
            )
            for p in self.partials[:_ROWS_SHOWN]
        ]
        return Table(header, rows)

    def _notes(self) -> list[str]:
        notes = []
        more = len(self.partials) - _ROWS_SHOWN
        if more > 0:
            notes.append(f"There are {more} more partial derivatives.")
        if self.ascent is None:
            what = "zero" if self.grad_norm == 0 else "not finite"
            notes.append(f"The gradient is {what}: no direction is steepest.")
        for names, words in (
            ([p.name for p in self.partials if p.agrees is False], "Autograd is NOT the limit"),
            ([p.name for p in self.partials if p.agrees is None], "There is no limit"),
        ):
            if names:
                what = f"∂f/∂{', ∂f/∂'.join(names[:_ROWS_SHOWN])}"
                notes.append(f"{words} of the differences for {what}.")
        kinks = [p for p in self.partials if p.is_kink]
        if kinks:
            left, right = number(kinks[0].sides.left), number(kinks[0].sides.right)
            what = f"along {kinks[0].name} the slope is {left} to the left and {right} to the right"
            more = f" (and so along {len(kinks) - 1} more)" if len(kinks) > 1 else ""
            notes.append(f"A kink: {what}{more}; there is no derivative.")
        return notes


def first_order(place: LossAtPoint) -> FirstOrder:
    """The gradient of a loss at a point by autograd, differences and its formula."""
    gradient, symbolic = place.gradient, place.symbolic
    by_formula = None if symbolic is None else symbolic.gradient(place.x)
    sides = place.differences.one_sided_slopes()
    partials = tuple(_partial(place, i, by_formula, one) for i, one in enumerate(sides))
    return FirstOrder(
        loss=type(place.loss).__name__,
        expression=None if symbolic is None else symbolic.words(),
        at=place.x,
        value=float(place.value),
        partials=partials,
        gradient=gradient,
        grad_norm=place.grad_norm,
        ascent=place.ascent,
        descent=None if place.ascent is None else -place.ascent,
    )


def _partial(
    place: LossAtPoint, i: int, by_formula: Tensor | None, sides: OneSidedSlopes
) -> Partial:
    d, exact = place.differences, place.gradient[i]
    limit, uncertainty = (found[i] for found in place.limit)
    central = convergence(d.h[i], (d.central[i] - exact).abs(), d.rounding[i])
    forward = convergence(d.h[i], (d.forward[i] - exact).abs(), 2 * d.rounding[i])
    away, symbolic = (exact - limit).abs(), None if by_formula is None else by_formula[i]
    nearest = _at(d.h[i], d.central[i], central.best)
    ways = torch.stack([exact, nearest, *([] if symbolic is None else [symbolic])])
    ways = ways[:2] if bool(ways[-1].isnan()) else ways  # a formula may have no value here
    return Partial(
        name=place.names[i],
        autograd=float(exact),
        central=float(nearest),
        central_error=central,
        forward=float(_at(d.h[i], d.forward[i], forward.best)),
        forward_error=forward,
        differences=float(limit),
        uncertainty=float(uncertainty),
        symbolic=None if symbolic is None else float(symbolic),
        expression=None if place.symbolic is None else place.symbolic.words(i),
        disagreement=float(ways.max() - ways.min()),
        agrees=bool(away <= DOUBT * uncertainty) if bool(limit.isfinite()) else None,
        sides=sides,
        is_kink=sides.differ(max(place.grad_norm, abs(sides.left), abs(sides.right))),
    )


def _at(h: Tensor, values: Tensor, best: float) -> Tensor:
    """The value of (m,) at the step that is best; NaN where there is none."""
    return values[(h - best).abs().argmin()] if best == best else values.new_tensor(torch.nan)
