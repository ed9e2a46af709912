"""The Jacobian of a list of formulas: the derivative of each by each variable.

Shapes: n formulas, V variables.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.arguments import format_assignments
from gdlab.derivatives.finding import Finding, Section, Table, number
from gdlab.derivatives.methods import algebra
from gdlab.derivatives.methods.evaluation import evaluate
from gdlab.derivatives.methods.finite_differences import central_differences
from gdlab.derivatives.methods.formulas import Formulas
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.derivatives.wording import matrix, subscript

_MOST_SYMBOLIC = 256
_SHOWN = 8


@dataclass(frozen=True)
class Jacobian(Finding):
    """The Jacobian J[i, j] = ∂fᵢ/∂xⱼ of formulas at a point, by three methods.

    Attributes:
        formulas: the n formulas.
        variables: the names of the V variables.
        at: the point (V,).
        values: the values of the formulas (n,).
        autograd: J (n, V) by autograd.
        differences: J by central differences.
        symbolic: J by sympy, NaN where an entry is not real; None if the formulas are large or
            many.
        expressions: the entries of J as expressions, row by row.
        determinant: the determinant of J; None if J is not square.
        rank: the rank of J.
        flaws: for each formula and each variable, what the formula is along it if it has no
            derivative there, such as a kink; None where it has one.
    """

    formulas: tuple[str, ...]
    variables: tuple[str, ...]
    at: Tensor
    values: Tensor
    autograd: Tensor
    differences: Tensor
    symbolic: Tensor | None
    expressions: tuple[tuple[str, ...], ...] | None
    determinant: float | None
    rank: int
    flaws: tuple[tuple[str | None, ...], ...]

    def section(self) -> Section:
        """Return J with its expressions and the differences between the methods."""
        n, v = self.autograd.shape
        title = f"Jacobian of {n} formula{'s' * (n > 1)} of {', '.join(self.variables[:_SHOWN])}"
        lines = [
            ("at", format_assignments(self.variables, self.at)),
            ("J", f"[J]ᵢⱼ = ∂fᵢ/∂xⱼ = {matrix(self.autograd)}"),
            ("rank", f"{self.rank} of at most {min(n, v)}"),
        ]
        if self.determinant is not None:
            lines.append(("determinant", number(self.determinant)))
        lines.append(("differences", f"within {self._error(self.differences)} of autograd"))
        if self.symbolic is not None:
            lines.append(("symbolic", f"within {self._error(self.symbolic)} of autograd"))
        header = ("", "value", *(f"∂/∂{name}" for name in self.variables[:_SHOWN]))
        table = Table(header, list(itertools.islice(self._rows(), _SHOWN)))
        return Section(title, lines, table, list(self._notes()))

    def _notes(self) -> Iterator[str]:
        for i, row in enumerate(self.flaws):
            for j, flaw in enumerate(row):
                if flaw is not None:
                    none = f"f{subscript(i + 1)} has no derivative by {self.variables[j]} here"
                    yield f"{none}: {flaw}. Autograd returns {number(self.autograd[i, j])}."

    def _error(self, jacobian: Tensor) -> str:
        return number((jacobian - self.autograd).abs().max(), 2)

    def _rows(self) -> Iterator[list[str]]:
        """Yield each formula with its value and derivatives."""
        for i, text in enumerate(self.formulas):
            entries = [number(entry) for entry in self.autograd[i, :_SHOWN]]
            if self.expressions is not None:
                pairs = zip(self.expressions[i], entries, strict=False)
                entries = [a if a == b else f"{a} = {b}" for a, b in pairs]
            if i < len(self.flaws):
                pairs = itertools.zip_longest(entries, self.flaws[i])
                entries = ["none" if flaw else entry for entry, flaw in pairs]
            yield [f"f{subscript(i + 1)} = {text}", number(self.values[i]), *entries]


def jacobian(formulas: Sequence[str], at: "Tensor | Sequence[float]") -> Jacobian:
    """Compute the Jacobian of formulas at a point by autograd, central differences and sympy.

    >>> found = jacobian(["x*y", "x+y"], [1.0, 2.0])
    >>> found.autograd.tolist(), found.expressions, found.determinant
    ([[2.0, 1.0], [1.0, 1.0]], (('y', 'x'), ('1', '1')), 1.0)

    Args:
        formulas: formulas in any variables; some can be constant.
        at: the point (V,), with the variables in alphabetical order.

    Raises:
        SettingError: there is no formula or no variable; `at` does not have V numbers; a formula or
            a derivative is not finite at the point.
    """
    function = Formulas.read(formulas, "formulas")
    x = function.as_point(at)
    by_autograd = function.jacobian(x)
    for slopes, name in zip(by_autograd.T, function.names, strict=True):
        function.require_finite(slopes, f"its derivative by {name}", x)
    is_square = by_autograd.shape[0] == by_autograd.shape[1]
    symbolic, expressions = _differentiate(function, x)
    return Jacobian(
        formulas=function.texts,
        variables=function.names,
        at=x,
        values=function(x),
        autograd=by_autograd,
        differences=central_differences(function, x),
        symbolic=symbolic,
        expressions=expressions,
        determinant=float(torch.linalg.det(by_autograd)) + 0.0 if is_square else None,
        rank=int(torch.linalg.matrix_rank(by_autograd)),
        flaws=_find_flaws(function, x, by_autograd),
    )


def _find_flaws(
    function: Formulas, x: Tensor, by_autograd: Tensor
) -> tuple[tuple[str | None, ...], ...]:
    """Find the derivatives that do not exist, among those that are shown."""
    axes = torch.eye(len(x), dtype=x.dtype)[:_SHOWN]
    rows = []
    for i, slopes in enumerate(by_autograd[:_SHOWN, :_SHOWN]):
        found = local_behavior(lambda points, i=i: function(points)[..., i], x, axes, slopes)
        rows.append(tuple(str(each.kind) if each.has_no_derivative else None for each in found))
    return tuple(rows)


def _differentiate(
    function: Formulas, x: Tensor
) -> tuple[Tensor | None, tuple[tuple[str, ...], ...] | None]:
    """Compute the Jacobian (n, V) by sympy, as numbers and as text; None if it is too large."""
    import sympy

    symbols = algebra.symbols(function.names)
    is_small = len(function.texts) * len(symbols) <= _MOST_SYMBOLIC
    formulas = function.symbolic(symbols) if is_small else None
    if formulas is None:
        return None, None
    rows = [[sympy.diff(formula, symbol) for symbol in symbols] for formula in formulas]
    at = algebra.substitutions(symbols, x)
    numbers = [[evaluate(entry, at) for entry in row] for row in rows]
    texts = tuple(tuple(map(algebra.format_factor, row)) for row in rows)
    return torch.tensor(numbers, dtype=torch.float64), texts
