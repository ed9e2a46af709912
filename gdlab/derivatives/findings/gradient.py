"""Partial derivatives and the gradient by three methods, side by side.

Shapes: D dimensions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.arguments import format_assignments
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.behavior import Behavior, Kind
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    Convergence,
    OneSidedSlopes,
    convergence,
)
from gdlab.derivatives.methods.symbolic import Proven
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import proven_in_words

_ROWS_SHOWN, _FLAWS_SHOWN = 12, 3
_AT_BOUNDARY = (
    "The point is on a boundary of `where`: autograd differentiates only the piece that the "
    "condition chooses here; the differences and the symbolic column see the others."
)
_LEGEND = (
    "h: the best step; slope: of log error against log h, central 2, forward 1; "
    "exact: no error but rounding"
)
_SAME = 1e-7  # of the gradient: the error of a wrong one is larger


@dataclass(frozen=True)
class Partial:
    """One partial derivative.

    Attributes:
        name: name of the coordinate.
        autograd: by automatic differentiation.
        central: the central difference with the least error.
        central_error: how its error shrinks with the step h; expected slope 2.
        forward: the forward difference with the least error: the definition as a limit.
        forward_error: how its error shrinks; expected slope 1.
        differences: central differences extrapolated to h = 0, independent of autograd.
        uncertainty: uncertainty of that limit.
        symbolic: from the formula; NaN where there is no derivative or this is not decided, None
            without a formula.
        is_decided: whether the formula decides if there is a derivative.
        expression: the derivative as an expression.
        disagreement: the largest difference between autograd, `central` and `symbolic`; NaN if
            there is no derivative.
        agrees: whether autograd equals the limit of the differences within its uncertainty; None
            if there is no derivative or the differences cannot resolve the loss.
        sides: the left and right derivatives.
        is_kink: whether they differ, so that there is no derivative.
        kind: what the loss is along the coordinate: smooth, unresolved (by differences), or why
            there is no derivative: a kink, a jump, a vertical tangent, the edge of the domain.
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
    is_decided: bool
    expression: str | None
    disagreement: float
    agrees: bool | None
    sides: OneSidedSlopes
    is_kink: bool
    kind: str

    @property
    def has_no_derivative(self) -> bool:
        """Whether the loss shows that there is no derivative along the coordinate."""
        return Kind(self.kind) not in (Kind.SMOOTH, Kind.UNRESOLVED)

    def row(self) -> tuple[str, ...]:
        """Return the derivative as a row of a table: no differences where there is none."""
        name, autograd = f"∂f/∂{self.name}", number(self.autograd)
        dash = number(None)
        if self.has_no_derivative:
            by_formula = dash if self.symbolic is None else "none"
            return name, autograd, "none", dash, dash, "none", dash, by_formula, dash
        return (
            name,
            autograd,
            number(self.central),
            number(self.central_error.best, 2),
            self.central_error.words,
            number(self.forward),
            self.forward_error.words,
            dash if self.symbolic is None else proven_in_words(self.symbolic, self.is_decided),
            number(self.disagreement, 2),
        )

    @property
    def agrees_with_formula(self) -> bool:
        """Whether the formula has the derivative that autograd returns."""
        if self.symbolic is None:
            return False
        return abs(self.autograd - self.symbolic) <= _SAME * abs(self.symbolic)


@dataclass(frozen=True)
class FirstOrder(Finding):
    """The value, the partial derivatives and the gradient at a point.

    Attributes:
        loss: the name of the loss.
        expression: the loss as an expression; None without a formula.
        at: the point (D,).
        value: the value of the loss.
        partials: one per coordinate.
        gradient: by autograd (D,).
        grad_norm: the norm of the gradient: the slope in the direction of steepest ascent.
        ascent: the unit direction of steepest ascent (D,); None if the gradient is zero up to
            rounding, not finite or does not exist.
        descent: the unit direction of steepest descent.
        flaws: sentences on the lines that show that there is no gradient.
        only_partials: a sentence if the partial derivatives exist, but no gradient; else None.
        is_at_boundary: whether the point is on a boundary of a formula in pieces.
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
    flaws: tuple[str, ...]
    only_partials: str | None
    is_at_boundary: bool

    def section(self) -> Section:
        """Return the values as lines and the partial derivatives as a table."""
        lines = [("f", self.expression)] if self.expression else []
        shown = self.partials[:_ROWS_SHOWN]
        lines += [(f"∂f/∂{p.name}", p.expression) for p in shown if p.expression]
        lines += [
            ("point", format_assignments([p.name for p in self.partials], self.at)),
            ("value", number(self.value)),
        ]
        if self.flaws:
            lines.append(("gradient", f"none; autograd returns {vector(self.gradient)}"))
        else:
            lines += [("gradient", vector(self.gradient)), ("norm", number(self.grad_norm))]
        if self.ascent is not None:
            lines += [("ascent", vector(self.ascent)), ("descent", vector(self.descent))]
        return Section("Gradient", lines, self._table(), self._notes(), _LEGEND)

    def _table(self) -> Table:
        central, forward = ("central", "h", "slope"), ("forward", "slope")
        header = ("", "autograd", *central, *forward, "symbolic", "max diff")
        rows = [p.row() for p in self.partials[:_ROWS_SHOWN]]
        return Table(header, rows)

    def _notes(self) -> list[str]:
        notes = []
        more = len(self.partials) - _ROWS_SHOWN
        if more > 0:
            notes.append(f"{more} more partial derivatives are not shown.")
        if self.ascent is None and not self.flaws:
            is_rounding = 0 < self.grad_norm < math.inf
            state = "zero up to rounding" if is_rounding else "zero"
            state = state if math.isfinite(self.grad_norm) else "not finite"
            notes.append(f"The gradient is {state}: there is no direction of steepest ascent.")
        wrong = [p.name for p in self.partials if p.agrees is False]
        if wrong:
            names = _join(wrong)
            notes.append(f"Autograd does NOT match the limit of the differences for {names}.")
        hidden = [p for p in self.partials if p.kind == Kind.UNRESOLVED and p.agrees is None]
        trusted = [p for p in hidden if p.agrees_with_formula and not self.is_at_boundary]
        confirmed = [p.name for p in trusted]
        if confirmed:
            outvoted = "autograd and the formula agree, and outvote them"
            notes.append(f"The differences cannot resolve {_join(confirmed)}: {outvoted}.")
        unsure = [p.name for p in hidden if p not in trusted]
        if unsure:
            notes.append(f"The differences cannot resolve {_join(unsure)}: they decide nothing.")
        if self.flaws:
            more = len(self.flaws) - _FLAWS_SHOWN
            others = f" (Nor along {more} more coordinate{'s' * (more > 1)}.)"
            *first, last = self.flaws[:_FLAWS_SHOWN]
            notes += [*first, last + (others if more > 0 else "")]
        if self.only_partials is not None:
            notes.append(self.only_partials)
        if self.is_at_boundary:
            notes.append(_AT_BOUNDARY)
        return notes


def _join(names: Sequence[str]) -> str:
    return f"∂f/∂{', ∂f/∂'.join(names[:_ROWS_SHOWN])}"


def first_order(at: LossAtPoint) -> FirstOrder:
    """Compute the gradient of a loss at a point by autograd, differences and its formula."""
    gradient, symbolic = at.gradient, at.symbolic
    by_formula = at.slopes_by_formula
    sides = at.differences.one_sided_slopes()
    partials = tuple(_partial(at, i, by_formula, pair) for i, pair in enumerate(sides))
    return FirstOrder(
        loss=type(at.loss).__name__,
        expression=None if symbolic is None else symbolic.words(),
        at=at.x,
        value=float(at.value),
        partials=partials,
        gradient=gradient,
        grad_norm=at.grad_norm,
        ascent=at.ascent,
        descent=None if at.ascent is None else -at.ascent,
        flaws=tuple(flaw.sentence for flaw in at.flaws),
        only_partials=at.differentiability.flaw_of_partials if at.flaws else None,
        is_at_boundary=at.is_at_boundary,
    )


def _partial(at: LossAtPoint, i: int, by_formula: Proven | None, sides: OneSidedSlopes) -> Partial:
    d, exact = at.differences, at.gradient[i]
    limit, uncertainty = (values[i] for values in at.limit)
    aim = exact if bool(exact.isfinite()) else limit
    central = convergence(d.h[i], (d.central[i] - aim).abs(), d.rounding[i])
    forward = convergence(d.h[i], (d.forward[i] - aim).abs(), 2 * d.rounding[i])
    symbolic = None if by_formula is None else by_formula.values[i]
    behavior = None if at.is_large else at.differentiability.along_axes[i]
    has_none = behavior is not None and behavior.has_no_derivative
    if behavior is not None and has_none:
        left, right = behavior.left, behavior.right
        doubt = left.uncertainty + right.uncertainty
        sides = OneSidedSlopes(left.slope, right.slope, doubt)
    best_central = _value_at_step(d.h[i], d.central[i], central.best)
    results = torch.stack([exact, best_central, *([] if symbolic is None else [symbolic])])
    results = results[:2] if bool(results[-1].isnan()) else results  # undefined formula
    return Partial(
        name=at.names[i],
        autograd=float(exact),
        central=float(best_central),
        central_error=central,
        forward=float(_value_at_step(d.h[i], d.forward[i], forward.best)),
        forward_error=forward,
        differences=float(limit),
        uncertainty=float(uncertainty),
        symbolic=None if symbolic is None else math.nan if has_none else float(symbolic),
        is_decided=by_formula is None or has_none or bool(by_formula.decided[i]),
        expression=None if at.symbolic is None else at.symbolic.words(i),
        disagreement=math.nan if has_none else float(results.max() - results.min()),
        agrees=_agrees(exact, limit, uncertainty, behavior, at.is_at_boundary),
        sides=sides,
        is_kink=behavior is not None and behavior.kind is Kind.KINK,
        kind=str(Kind.UNRESOLVED if behavior is None else behavior.kind),
    )


def _agrees(
    exact: Tensor,
    limit: Tensor,
    uncertainty: Tensor,
    behavior: Behavior | None,
    is_at_boundary: bool,
) -> bool | None:
    """Whether autograd's derivative is that of the differences; None if they decide nothing."""
    if behavior is not None and behavior.has_no_derivative:
        return None
    if is_at_boundary and (behavior is None or behavior.kind is Kind.UNRESOLVED):
        return None
    if bool((exact - limit).abs() <= DOUBT * uncertainty):
        return True
    if behavior is None or behavior.kind is Kind.UNRESOLVED:
        return None
    margin = DOUBT * behavior.uncertainty + _SAME * abs(behavior.slope)
    return abs(float(exact) - behavior.slope) <= margin


def _value_at_step(h: Tensor, values: Tensor, best: float) -> Tensor:
    """Return the entry of `values` (m,) at the best step; NaN if there is no best step."""
    return values[(h - best).abs().argmin()] if best == best else values.new_tensor(torch.nan)
