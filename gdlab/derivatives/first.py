"""The partial derivatives and the gradient, three ways side by side.

Shapes: D dimensions.
"""

from dataclasses import dataclass

from torch import Tensor

from gdlab.derivatives.differences import Convergence, convergence
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.place import Place

_ROWS_SHOWN = 12
DOUBT = 30.0
"""Autograd agrees with differences that lie within so many of their uncertainties."""


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
        limit: the central differences extrapolated to h = 0, which knows nothing of autograd.
        uncertainty: of the limit.
        symbolic: by the formula; NaN where that has no value, None where there is no formula.
        formula: the derivative as an expression.
    """

    name: str
    autograd: float
    central: float
    central_error: Convergence
    forward: float
    forward_error: Convergence
    limit: float
    uncertainty: float
    symbolic: float | None
    formula: str | None

    @property
    def agrees(self) -> bool:
        """Whether the ways agree, within what rounding allows."""
        apart = abs(self.autograd - self.limit)
        return apart <= DOUBT * self.uncertainty

    @property
    def apart(self) -> float:
        """The largest difference between any two of the ways."""
        ways = [self.autograd, self.central]
        if self.symbolic is not None and self.symbolic == self.symbolic:
            ways.append(self.symbolic)
        return max(ways) - min(ways)


@dataclass(frozen=True)
class FirstOrder(Finding):
    """The value, the partial derivatives and the gradient at a point.

    Attributes:
        loss: the name of the loss.
        formula: the loss as an expression, where there is one.
        at: the point (D,).
        value: of the loss.
        partials: one for each coordinate.
        gradient: by autograd (D,).
        norm: the gradient's length: the slope of the steepest ascent.
        ascent: the unit direction of steepest ascent (D,); None where the gradient is zero.
        descent: that of steepest descent.
    """

    loss: str
    formula: str | None
    at: Tensor
    value: float
    partials: tuple[Partial, ...]
    gradient: Tensor
    norm: float
    ascent: Tensor | None
    descent: Tensor | None

    def section(self) -> Section:
        """The values as lines, the partial derivatives as a table."""
        lines = [("f", self.formula)] if self.formula else []
        lines += [(f"∂f/∂{p.name}", p.formula) for p in self.partials[:_ROWS_SHOWN] if p.formula]
        lines += [
            ("point", vector(self.at)),
            ("value", number(self.value)),
            ("gradient", vector(self.gradient)),
            ("its norm", number(self.norm)),
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
                _undefined(p.symbolic),
                number(p.apart, 2),
            )
            for p in self.partials[:_ROWS_SHOWN]
        ]
        return Table(header, rows)

    def _notes(self) -> list[str]:
        notes = []
        more = len(self.partials) - _ROWS_SHOWN
        if more > 0:
            notes.append(f"… and {more} more partial derivatives")
        if self.ascent is None:
            notes.append("the gradient is zero: no direction is steepest")
        apart = [p.name for p in self.partials if not p.agrees]
        if apart:
            what = f"∂f/∂{', ∂f/∂'.join(apart[:_ROWS_SHOWN])}"
            notes.append(f"autograd and differences DISAGREE about {what}")
        return notes


def _undefined(value: float | None) -> str:
    """A number in words; a formula may have none at a point."""
    return number(value) if value is None or value == value else "undefined"


def first_order(place: Place) -> FirstOrder:
    """The gradient of a loss at a point by autograd, differences and its formula."""
    gradient, symbolic = place.gradient, place.symbolic
    by_formula = None if symbolic is None else symbolic.gradient(place.x)
    partials = tuple(_partial(place, i, by_formula) for i in range(len(gradient)))
    norm = float(gradient.norm())
    ascent = gradient / norm if norm > 0 else None
    return FirstOrder(
        loss=type(place.loss).__name__,
        formula=None if symbolic is None else symbolic.words(),
        at=place.x,
        value=float(place.value),
        partials=partials,
        gradient=gradient,
        norm=norm,
        ascent=ascent,
        descent=None if ascent is None else -ascent,
    )


def _partial(place: Place, i: int, by_formula: Tensor | None) -> Partial:
    d, exact = place.differences, place.gradient[i]
    limit, uncertainty = place.limit
    central = convergence(d.h[i], (d.central[i] - exact).abs(), d.rounding[i])
    forward = convergence(d.h[i], (d.forward[i] - exact).abs(), 2 * d.rounding[i])
    return Partial(
        name=place.names[i],
        autograd=float(exact),
        central=_at(d.h[i], d.central[i], central.best),
        central_error=central,
        forward=_at(d.h[i], d.forward[i], forward.best),
        forward_error=forward,
        limit=float(limit[i]),
        uncertainty=float(uncertainty[i]),
        symbolic=None if by_formula is None else float(by_formula[i]),
        formula=None if place.symbolic is None else place.symbolic.words(i),
    )


def _at(h: Tensor, values: Tensor, best: float) -> float:
    """The value (of m) at the step that is best; NaN where there is none."""
    return float(values[int((h - best).abs().argmin())]) if best == best else float("nan")
