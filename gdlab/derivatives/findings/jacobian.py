"""The Jacobian of a list of formulas: the derivatives of each by each of their variables.

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
from gdlab.derivatives.methods.finite_differences import central_differences
from gdlab.derivatives.methods.formulas import Formulas
from gdlab.derivatives.wording import matrix, subscript

_MOST_SYMBOLIC = 256
_SHOWN = 8


@dataclass(frozen=True)
class Jacobian(Finding):
    """The Jacobian J[i, j] = ∂fᵢ/∂xⱼ of formulas at a point, three ways.

    Attributes:
        formulas: the n formulas.
        variables: the names of the V variables.
        at: the point (V,).
        values: the formulas there (n,).
        autograd: J (n, V), by autograd.
        differences: J by central differences.
        symbolic: J by sympy, NaN where an entry is no real number; None for large formulas and
            for many.
        expressions: the entries of J as expressions, row by row.
        determinant: of J, where it is square.
        rank: of J.
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

    def section(self) -> Section:
        """J with its expressions, and how far the three ways are apart."""
        n, v = self.autograd.shape
        about = f"Jacobian of {n} formula{'s' * (n > 1)} of {', '.join(self.variables[:_SHOWN])}"
        lines = [
            ("at", format_assignments(self.variables, self.at)),
            ("J", f"[J]ᵢⱼ = ∂fᵢ/∂xⱼ = {matrix(self.autograd)}"),
            ("rank", f"{self.rank} of at most {min(n, v)}"),
        ]
        if self.determinant is not None:
            lines.append(("determinant", number(self.determinant)))
        lines.append(("differences", f"{self._away(self.differences)} from autograd at most"))
        if self.symbolic is not None:
            lines.append(("symbolic", f"{self._away(self.symbolic)} from autograd at most"))
        header = ("", "value", *(f"∂/∂{name}" for name in self.variables[:_SHOWN]))
        return Section(about, lines, Table(header, list(itertools.islice(self._rows(), _SHOWN))))

    def _away(self, other: Tensor) -> str:
        return number((other - self.autograd).abs().max(), 2)

    def _rows(self) -> Iterator[list[str]]:
        """Each formula with its derivatives."""
        for i, text in enumerate(self.formulas):
            entries = [number(one) for one in self.autograd[i, :_SHOWN]]
            if self.expressions is not None:
                pairs = zip(self.expressions[i], entries, strict=False)
                entries = [a if a == b else f"{a} = {b}" for a, b in pairs]
            yield [f"f{subscript(i + 1)} = {text}", number(self.values[i]), *entries]


def jacobian(formulas: Sequence[str], at: "Tensor | Sequence[float]") -> Jacobian:
    """The Jacobian of formulas at a point, by autograd, by central differences and by sympy.

    >>> found = jacobian(["x*y", "x+y"], [1.0, 2.0])
    >>> found.autograd.tolist(), found.expressions, found.determinant
    ([[2.0, 1.0], [1.0, 1.0]], (('y', 'x'), ('1', '1')), 1.0)

    Args:
        formulas: of any variables; one may be without any.
        at: a point (V,) of these, in their order of appearance over the list.

    Raises:
        SettingError: there is no formula, or none has a variable; `at` has not V numbers; a formula
            or a derivative is not finite there.
    """
    given = Formulas.read(formulas, "formulas")
    x = given.as_point(at)
    found = given.jacobian(x)
    for slopes, name in zip(found.T, given.names, strict=True):
        given.require_finite(slopes, f"its derivative by {name}", x)
    is_square = found.shape[0] == found.shape[1]
    symbolic, expressions = _symbolic(given, x)
    return Jacobian(
        formulas=given.texts,
        variables=given.names,
        at=x,
        values=given(x),
        autograd=found,
        differences=central_differences(given, x),
        symbolic=symbolic,
        expressions=expressions,
        determinant=float(torch.linalg.det(found)) + 0.0 if is_square else None,
        rank=int(torch.linalg.matrix_rank(found)),
    )


def _symbolic(
    given: Formulas, x: Tensor
) -> tuple[Tensor | None, tuple[tuple[str, ...], ...] | None]:
    """The Jacobian (n, V) by sympy as numbers and as texts, where it is not too large."""
    import sympy

    symbols = algebra.symbols(given.names)
    is_small = len(given.texts) * len(symbols) <= _MOST_SYMBOLIC
    formulas = given.symbolic(symbols) if is_small else None
    if formulas is None:
        return None, None
    rows = [[sympy.diff(one, by) for by in symbols] for one in formulas]
    at = algebra.substitutions(symbols, x)
    numbers = [[algebra.evaluate(entry, at) for entry in row] for row in rows]
    texts = tuple(tuple(map(algebra.format_expression, row)) for row in rows)
    return torch.tensor(numbers, dtype=torch.float64), texts
