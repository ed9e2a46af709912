"""The chain rule: derivatives of a loss whose coordinates are functions of other variables.

Shapes: D dimensions of the loss, V variables of the inner functions.
"""

import itertools
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from gdlab.derivatives.arguments import format_assignments, join_words
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.algebra import (
    SymbolicComposition,
    format_derivative,
    format_factor,
    format_shortest,
    substitutions,
)
from gdlab.derivatives.methods.evaluation import evaluate
from gdlab.derivatives.methods.finite_differences import Differences
from gdlab.derivatives.methods.formulas import Formulas, distinct_names
from gdlab.derivatives.wording import format_product, format_sum, number_or_undefined, shorten
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import gradient

_SHOWN = 4


@dataclass(frozen=True)
class Derivative:
    """The derivative of a composition by one variable.

    Attributes:
        variable: the name of the variable.
        inner: the derivatives of the coordinates by the variable (D,).
        terms: ∂f/∂xᵢ times `inner` (D,).
        chain_rule: the sum of the terms.
        autograd: the derivative of the whole composition by autograd.
        differences: the same by central differences, extrapolated to a step of 0.
        symbolic: the same by sympy; None if the loss has no formula.
        inner_expressions: the derivatives of the coordinates as expressions.
        expression: the derivative of the composition as an expression.
        disagreement: the largest difference between the chain rule and the other methods; NaN if
            one of them is NaN.
    """

    variable: str
    inner: Tensor
    terms: Tensor
    chain_rule: float
    autograd: float
    differences: float
    symbolic: float | None
    inner_expressions: tuple[str, ...] | None
    expression: str | None
    disagreement: float


@dataclass(frozen=True)
class ChainRule(Finding):
    """A loss f whose coordinates are formulas of V variables, at a point.

    Attributes:
        formulas: the D formulas.
        variables: the names of the V variables.
        at: the values of the variables (V,).
        names: names of the coordinates: those of the loss, unless they clash with a variable.
        renamed: whether they clash.
        point: the coordinates (D,) at this point.
        value: the loss at this point.
        gradient: the partial derivatives ∂f/∂xᵢ of the loss by its coordinates (D,).
        outer_expressions: these as expressions of the coordinates; None if the loss has no formula
            or too large a one.
        expression: the loss as an expression of the variables.
        derivatives: one per variable.
    """

    formulas: tuple[str, ...]
    variables: tuple[str, ...]
    at: Tensor
    names: tuple[str, ...]
    renamed: bool
    point: Tensor
    value: float
    gradient: Tensor
    outer_expressions: tuple[str, ...] | None
    expression: str | None
    derivatives: tuple[Derivative, ...]

    d: ClassVar[str]
    letters: ClassVar[tuple[str, ...]]

    @classmethod
    def of(cls, loss: Loss, inner: Formulas, at: Tensor) -> Self:
        """Differentiate a loss whose coordinates are formulas, at a point of their variables.

        Raises:
            SettingError: the loss or its gradient is not finite there.
        """
        names = distinct_names(loss.names, inner.names)
        point = inner(at)
        value, slopes = float(loss(point[None])[0]), gradient(loss, point)
        if not (math.isfinite(value) and slopes.isfinite().all()):
            result = f"the loss is {value} and its gradient {vector(slopes)}"
            where = f"at {format_assignments(names, point)}; both must be finite"
            raise SettingError(f"{inner.setting}={format_value(inner.texts)}: {result} {where}")
        composed = SymbolicComposition.of(loss, names, inner)
        return cls(
            formulas=inner.texts,
            variables=inner.names,
            at=at,
            names=names,
            renamed=names != loss.names,
            point=point,
            value=value,
            gradient=slopes,
            outer_expressions=None
            if composed is None
            else tuple(map(format_factor, composed.partials)),
            expression=None if composed is None else format_shortest(composed.whole),
            derivatives=_differentiate(loss, inner, at, slopes, composed),
        )

    @property
    def outer(self) -> str:
        """The letter for the composition: one that no coordinate or variable has."""
        taken = {*self.names, *self.variables}
        return next((letter for letter in self.letters if letter not in taken), self.letters[-1])

    @property
    @abstractmethod
    def title(self) -> str:
        """The title of the section."""

    def section(self) -> Section:
        """Return the sums over the coordinates, written out, and a table of all methods."""
        values = (
            f"{format_assignments(self.names, self.point)}, {self.outer} = {number(self.value)}"
        )
        lines = [("at", format_assignments(self.variables, self.at)), ("values", values)]
        if self.expression is not None:
            lines.append(("substituted", shorten(f"{self.outer} = {self.expression}")))
        for derivative in self.derivatives[:_SHOWN]:
            lines += self._derivation(derivative)
        header = ("", "chain rule", "autograd", "differences", "symbolic", "max diff")
        rows = [
            (
                f"{self.d}{self.outer}/{self.d}{d.variable}",
                *map(number_or_undefined, (d.chain_rule, d.autograd, d.differences, d.symbolic)),
                number(d.disagreement, 2),
            )
            for d in self.derivatives
        ]
        notes = ["The other columns differentiate the whole composition, without the chain rule."]
        if self.renamed:
            notes.append(f"The coordinates of the loss are renamed {join_words(self.names)}.")
        return Section(self.title, lines, Table(header, rows), notes)

    def _derivation(self, derivative: Derivative) -> Iterator[tuple[str, str]]:
        """Yield a derivative as a sum over coordinates: in letters, expressions and numbers."""
        d, by = self.d, f"{self.d}{derivative.variable}"
        letters = [format_product(f"∂f/∂{name}", f"{d}{name}/{by}") for name in self.names]
        yield f"{d}{self.outer}/{by}", f"= {format_sum(letters)}"
        if self.outer_expressions is not None and derivative.inner_expressions is not None:
            pairs = zip(self.outer_expressions, derivative.inner_expressions, strict=True)
            yield "", shorten(f"= {format_sum([format_product(*pair) for pair in pairs])}")
        slopes = [number(slope, 6) for slope in self.gradient]
        inner = [number(slope, 6) for slope in derivative.inner]
        yield (
            "",
            f"= {format_sum([format_product(*pair) for pair in zip(slopes, inner, strict=True)])}",
        )
        yield "", f"= {number(derivative.chain_rule)}"
        if derivative.expression is not None:
            yield "substituted", shorten(f"= {derivative.expression}")

    @property
    def coordinates(self) -> str:
        """The formulas of the coordinates, as text."""
        pairs = zip(self.names, self.formulas, strict=True)
        shown = [f"{name} = {text}" for name, text in itertools.islice(pairs, _SHOWN)]
        return ", ".join(shown + ["…"] * (len(self.names) > _SHOWN))


def _differentiate(
    loss: Loss, inner: Formulas, at: Tensor, outer: Tensor, composed: SymbolicComposition | None
) -> tuple[Derivative, ...]:
    """Differentiate by each variable; `outer` is the gradient (D,) by the coordinates."""

    def composed_loss(at: Tensor) -> Tensor:
        return loss(inner(at))

    jacobian = inner.jacobian(at)
    axes = torch.eye(len(at), dtype=at.dtype)
    autograd = gradient(composed_loss, at)
    differences = Differences.along(composed_loss, at, axes).limit()[0]
    derivatives = []
    for k, variable in enumerate(inner.names):
        slopes = jacobian[:, k]
        inner.require_finite(slopes, f"its derivative by {variable}", at)
        terms = outer * slopes
        direct = [float(autograd[k]), float(differences[k])]
        if composed is not None:
            direct.append(evaluate(composed.slopes[k], substitutions(composed.variables, at)))
        errors = torch.tensor(direct, dtype=at.dtype) - terms.sum()
        derivative = Derivative(
            variable=variable,
            inner=slopes,
            terms=terms,
            chain_rule=float(terms.sum()),
            autograd=direct[0],
            differences=direct[1],
            symbolic=None if composed is None else direct[2],
            inner_expressions=None
            if composed is None
            else tuple(map(format_factor, composed.inner[k])),
            expression=None if composed is None else format_derivative(composed.slopes[k]),
            disagreement=float(errors.abs().max()),
        )
        derivatives.append(derivative)
    return tuple(derivatives)


class PathDerivative(ChainRule):
    """The total derivative of a loss along a curve: the only variable is the curve's parameter."""

    d, letters = "d", ("f",)

    @property
    def title(self) -> str:
        """The title, which names the curve."""
        return f"Total derivative along the curve {self.coordinates}"

    @property
    def derivative(self) -> Derivative:
        """The derivative along the curve."""
        return self.derivatives[0]


class Composition(ChainRule):
    """The partial derivatives of z = f(u(x, y, …), v(x, y, …), …) by x, by y, and so on."""

    d, letters = "∂", ("z", "w", "f")

    @property
    def title(self) -> str:
        """The title, which names the composition."""
        return f"Chain rule for {self.outer} = f({join_words(self.names)}) with {self.coordinates}"


def along_path(loss: Loss, path: Sequence[str], t: float) -> PathDerivative:
    """Compute the total derivative df/dt of a loss along a curve x(t) by the chain rule.

        df/dt = Σ ∂f/∂xᵢ · dxᵢ/dt

    Args:
        loss: the loss.
        path: the D coordinates as formulas of t; a formula without t is a constant.
        t: the parameter value.

    Raises:
        SettingError: `path` does not have D formulas, or one uses a variable other than t; the
            curve, the loss or one of their derivatives is not finite at t.
    """
    inner = Formulas.read_of_one_variable(path, "t", "path")
    inner.require_one_for_each(loss.names)
    return PathDerivative.of(loss, inner, inner.as_point([t], "t"))


def composition(loss: Loss, inner: Sequence[str], at: "Tensor | Sequence[float]") -> Composition:
    """Compute the partial derivatives of z = f(u(x, y), v(x, y)) by the chain rule.

        ∂z/∂x = ∂f/∂u · ∂u/∂x + ∂f/∂v · ∂v/∂x

    Args:
        loss: f.
        inner: D formulas in any variables, one per coordinate.
        at: the point (V,), with the variables in alphabetical order.

    Raises:
        SettingError: `inner` does not have D formulas or has no variable; `at` does not have V
            numbers; a formula, the loss or one of their derivatives is not finite there.
    """
    formulas = Formulas.read(inner, "inner")
    formulas.require_one_for_each(loss.names)
    return Composition.of(loss, formulas, formulas.as_point(at))
