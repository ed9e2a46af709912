"""The chain rule as a finding: a loss whose coordinates are functions of other variables.

Shapes: D dimensions of the loss, V variables that its coordinates depend on.
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
    evaluate,
    format_expression,
    substitutions,
)
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
        variable: its name.
        inner: the derivatives (D,) of the coordinates by it.
        terms: what each coordinate adds, ∂f/∂xᵢ times that: (D,).
        chain_rule: the sum of the terms.
        autograd: the derivative of the composition as a whole, by autograd.
        differences: the same by central differences, extrapolated to a step of 0.
        symbolic: the same by sympy; None where the loss has no formula.
        inner_expressions: the derivatives of the coordinates as expressions.
        expression: the derivative of the composition as an expression.
        disagreement: the largest difference between the chain rule and what was found otherwise;
            NaN where that is no number.
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
    """A loss f of coordinates that are formulas of V variables, at a point of these.

    Attributes:
        formulas: the D formulas.
        variables: the names of the V variables.
        at: the point (V,).
        names: what the coordinates are called: as the loss calls them, unless that is the name of
            a variable.
        renamed: whether it is.
        point: the coordinates (D,) there.
        value: the loss there.
        gradient: the partial derivatives ∂f/∂xᵢ of the loss by its coordinates (D,).
        outer_expressions: these as expressions of the coordinates; None where the loss has no
            formula, or a large one.
        expression: the loss as an expression of the variables.
        derivatives: one for each variable.
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
        """The loss of coordinates that are formulas, at a point of their variables."""
        names = distinct_names(loss.names, inner.names)
        point = inner(at)
        value, slopes = float(loss(point[None])[0]), gradient(loss, point)
        if not (math.isfinite(value) and slopes.isfinite().all()):
            what = f"the loss is {value} and its gradient {vector(slopes)}, which must be finite,"
            where = f"{what} at {format_assignments(names, point)}"
            raise SettingError(f"{inner.setting}={format_value(inner.texts)}: {where}")
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
            else tuple(map(format_expression, composed.partials)),
            expression=None if composed is None else format_expression(composed.whole),
            derivatives=_derivatives(loss, inner, at, slopes, composed),
        )

    @property
    def outer(self) -> str:
        """What the composition is called: by a letter that no coordinate and no variable has."""
        taken = {*self.names, *self.variables}
        return next((one for one in self.letters if one not in taken), self.letters[-1])

    @property
    @abstractmethod
    def title(self) -> str:
        """What the section is about."""

    def section(self) -> Section:
        """The sum over the coordinates spelled out, beside the composition as a whole."""
        here = f"{format_assignments(self.names, self.point)}, {self.outer} = {number(self.value)}"
        lines = [("at", format_assignments(self.variables, self.at)), ("so that", here)]
        if self.expression is not None:
            lines.append(("as a whole", shorten(f"{self.outer} = {self.expression}")))
        for one in self.derivatives[:_SHOWN]:
            lines += self._spelled(one)
        header = ("", "chain rule", "autograd", "differences", "symbolic", "apart")
        rows = [
            (
                f"{self.d}{self.outer}/{self.d}{one.variable}",
                *map(
                    number_or_undefined,
                    (one.chain_rule, one.autograd, one.differences, one.symbolic),
                ),
                number(one.disagreement, 2),
            )
            for one in self.derivatives
        ]
        notes = ["All columns but the chain rule's differentiate the composition as a whole."]
        if self.renamed:
            notes.append(f"The loss's own coordinates are called {join_words(self.names)} here.")
        return Section(self.title, lines, Table(header, rows), notes)

    def _spelled(self, one: Derivative) -> Iterator[tuple[str, str]]:
        """A derivative as a sum over the coordinates: in letters, expressions and numbers."""
        d, by = self.d, f"{self.d}{one.variable}"
        letters = [format_product(f"∂f/∂{name}", f"{d}{name}/{by}") for name in self.names]
        yield f"{d}{self.outer}/{by}", f"= {format_sum(letters)}"
        if self.outer_expressions is not None and one.inner_expressions is not None:
            pairs = zip(self.outer_expressions, one.inner_expressions, strict=True)
            yield "", shorten(f"= {format_sum([format_product(*pair) for pair in pairs])}")
        slopes, inner = ([number(one, 6) for one in of] for of in (self.gradient, one.inner))
        yield (
            "",
            f"= {format_sum([format_product(*pair) for pair in zip(slopes, inner, strict=True)])}",
        )
        yield "", f"= {number(one.chain_rule)}"
        if one.expression is not None:
            yield "as a whole", shorten(f"= {one.expression}")

    @property
    def coordinates(self) -> str:
        """What the coordinates are, in words."""
        pairs = zip(self.names, self.formulas, strict=True)
        shown = [f"{name} = {text}" for name, text in itertools.islice(pairs, _SHOWN)]
        return ", ".join(shown + ["…"] * (len(self.names) > _SHOWN))


def _derivatives(
    loss: Loss, inner: Formulas, at: Tensor, outer: Tensor, composed: SymbolicComposition | None
) -> tuple[Derivative, ...]:
    """The derivatives by each variable; `outer` is the gradient (D,) by the coordinates."""

    def whole(at: Tensor) -> Tensor:
        return loss(inner(at))

    jacobian = inner.jacobian(at)
    axes = torch.eye(len(at), dtype=at.dtype)
    autograd, differences = gradient(whole, at), Differences.along(whole, at, axes).limit()[0]
    found = []
    for k, variable in enumerate(inner.names):
        slopes = jacobian[:, k]
        inner.require_finite(slopes, f"its derivative by {variable}", at)
        terms = outer * slopes
        ways = [float(autograd[k]), float(differences[k])]
        if composed is not None:
            ways.append(evaluate(composed.slopes[k], substitutions(composed.variables, at)))
        away = torch.tensor(ways, dtype=at.dtype) - terms.sum()
        one = Derivative(
            variable=variable,
            inner=slopes,
            terms=terms,
            chain_rule=float(terms.sum()),
            autograd=ways[0],
            differences=ways[1],
            symbolic=None if composed is None else ways[2],
            inner_expressions=None
            if composed is None
            else tuple(map(format_expression, composed.inner[k])),
            expression=None if composed is None else format_expression(composed.slopes[k]),
            disagreement=float(away.abs().max()),
        )
        found.append(one)
    return tuple(found)


class PathDerivative(ChainRule):
    """The total derivative of a loss along a curve: the one variable is the curve's parameter."""

    d, letters = "d", ("f",)

    @property
    def title(self) -> str:
        """The curve."""
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
        """The composition."""
        return f"Chain rule for {self.outer} = f({join_words(self.names)}) with {self.coordinates}"


def along_path(loss: Loss, path: Sequence[str], t: float) -> PathDerivative:
    """The total derivative df/dt of a loss along a curve x(t), by the chain rule and as a whole.

        df/dt = Σ ∂f/∂xᵢ · dxᵢ/dt

    Args:
        loss: the loss.
        path: the D formulas of t that the coordinates are; one without t is a constant.
        t: where on the curve.

    Raises:
        SettingError: `path` has not D formulas, or one of another name than t; the curve, the loss
            or a derivative of these is not finite at t.
    """
    inner = Formulas.read_of_one_variable(path, "t", "path")
    inner.require_one_for_each(loss.names)
    return PathDerivative.of(loss, inner, inner.as_point([t], "t"))


def composition(loss: Loss, inner: Sequence[str], at: "Tensor | Sequence[float]") -> Composition:
    """The partial derivatives of z = f(u(x, y), v(x, y)), by the chain rule and as a whole.

        ∂z/∂x = ∂f/∂u · ∂u/∂x + ∂f/∂v · ∂v/∂x

    Args:
        loss: f.
        inner: D formulas, one for each coordinate, of any variables.
        at: a point (V,) of these variables, in their order of appearance over the list.

    Raises:
        SettingError: `inner` has not D formulas, or no variable; `at` has not V numbers; a formula,
            the loss or a derivative of these is not finite there.
    """
    formulas = Formulas.read(inner, "inner")
    formulas.require_one_for_each(loss.names)
    return Composition.of(loss, formulas, formulas.as_point(at))
