"""Second partial derivatives: the Hessian, its symmetry and its eigenvalues.

Shapes: D dimensions, m steps.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.findings.second_differences import (
    Asymmetry,
    flaw_of_hessian,
    gather_evidence,
)
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.derivatives.methods.symbolic import Proven
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import derivative_name, number_or_undefined

_ROWS_SHOWN, _VECTORS_SHOWN = 15, 6
_LEGEND = "differences: of values of the loss; ±: their uncertainty"
_ROUNDED = 1e-7  # of the largest entry: how far autograd may be from the formula


@dataclass(frozen=True)
class SecondOrder(Finding):
    """The Hessian at a point.

    Attributes:
        names: names of the coordinates.
        hessian: by autograd (D, D): entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ).
        differences: by nested differences, whose inner step is far smaller than the outer one
            (D, D); None in more than 30 dimensions.
        uncertainty: uncertainty of the nested differences (D, D).
        symbolic: from the formula (D, D), NaN where there is none or this is not decided; None
            without a formula.
        decided: whether the formula decides them (D, D); None without a formula.
        expressions: the second partial derivatives as expressions, by name.
        asymmetry: where the nested differences are least symmetric; None in one dimension or
            without nested differences.
        is_symmetric: whether the mixed partial derivatives are equal in either order (Clairaut);
            None if one does not exist or this is unknown.
        agrees: whether autograd's Hessian matches the nested differences wherever there are second
            derivatives; None if the differences cannot resolve the loss.
        agrees_with_formula: whether it matches the Hessian of a formula without kinks; None without
            a formula.
        missing: sentences on the second derivatives that do not exist; none above 30 dimensions.
        flaw: why autograd's Hessian is not that of the loss; None if it is.
        is_missing: for each second derivative (D, D), whether it does not exist.
        undecided: whether it does not exist or the differences cannot resolve it.
        eigenvalues: eigenvalues of the Hessian, ascending (D,); NaN if it is not finite.
        eigenvectors: the matching eigenvectors, as columns (D, D).
        condition: |λ|_max / |λ|_min; None if the Hessian is singular or not finite.
        lambda_max: the largest eigenvalue.
        max_stable_lr: 2/λ_max; with a larger learning rate, gradient descent leaves a minimum with
            this Hessian. None if λ_max ≤ 0, or if an eigenvalue is negative: its steps then grow
            with every learning rate.
    """

    names: tuple[str, ...]
    hessian: Tensor
    differences: Tensor | None
    uncertainty: Tensor | None
    symbolic: Tensor | None
    decided: Tensor | None
    expressions: dict[str, str]
    asymmetry: Asymmetry | None
    is_symmetric: bool | None
    agrees: bool | None
    agrees_with_formula: bool | None
    missing: tuple[str, ...]
    flaw: str | None
    is_missing: Tensor
    undecided: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor
    condition: float | None
    lambda_max: float
    max_stable_lr: float | None

    def section(self) -> Section:
        """Return the second partial derivatives as a table and their consequences as lines."""
        lines = list(self.expressions.items())[:_ROWS_SHOWN] + self._symmetry_line()
        if self.flaw is not None or not bool(self.hessian.isfinite().all()):
            return self._section(lines)
        if len(self.names) > _VECTORS_SHOWN:
            lines.append(("eigenvalues", vector(self.eigenvalues)))
        else:
            pairs = zip(self.eigenvalues, self.eigenvectors.T, strict=True)
            lines += [
                (f"λ{i}", f"{number(value)} along {vector(axis, 6)}")
                for i, (value, axis) in enumerate(pairs, 1)
            ]
        lines.append(("condition", self._condition()))
        lines += self._stability_line()
        return self._section(lines)

    def _section(self, lines: list[tuple[str, str]]) -> Section:
        table = self._table()
        return Section("Hessian", lines, table, self._notes(), _LEGEND if table else "")

    def _condition(self) -> str:
        """Return the condition number, with its definition where an eigenvalue is negative."""
        if self.condition is None:
            return "singular"
        meaning = "|λ|_max/|λ|_min = " if has_negative(self.eigenvalues) else ""
        return f"{meaning}{number(self.condition)}"

    def _notes(self) -> list[str]:
        notes = []
        if self.missing:
            more = len(self.missing) - 1
            others = f" ({more} more do not exist.)" if more else ""
            notes.append(f"There is no Hessian here: {self.missing[0]}.{others}")
        elif not bool(self.hessian.isfinite().all()):
            notes.append("Autograd's Hessian is not finite here.")
        if self.is_symmetric is False:
            reason = "their order matters, which autograd cannot detect: it has one value for both"
            notes.append(f"The second derivatives are not continuous here: {reason}.")
        if self.agrees is False:
            notes.append("Autograd's Hessian does NOT match the differences.")
        if self.agrees is None and not self.missing:
            unresolved = "The differences cannot resolve the second derivatives"
            outvoted = "autograd and the formula agree, and outvote them"
            verdict = outvoted if self.agrees_with_formula else "they decide nothing"
            notes.append(f"{unresolved}: {verdict}.")
        return notes

    def _stability_line(self) -> list[tuple[str, str]]:
        """Say which lr are stable near a minimum with this Hessian, as far as it decides that."""
        if self.max_stable_lr is not None:
            is_definite = self.condition is not None  # else higher derivatives decide below it
            words = "the largest stable lr" if is_definite else "no larger lr is stable"
            return [("2/λ_max", f"{number(self.max_stable_lr)}, {words}")]
        if has_negative(self.eigenvalues):
            return [("stable lr", "none: steps grow along the negative eigenvalues at every lr")]
        return []

    def _symmetry_line(self) -> list[tuple[str, str]]:
        asymmetry = self.asymmetry
        if asymmetry is None:
            return []
        x, y = asymmetry.names
        if self.is_symmetric is None:
            return [("symmetric", "unknown")]
        if not self.is_symmetric:
            xy, yx = number(asymmetry.xy, 6), number(asymmetry.yx, 6)
            return [("symmetric", f"NO: ∂/∂{y}(∂f/∂{x}) = {xy}, but ∂/∂{x}(∂f/∂{y}) = {yx}")]
        orders = f"{derivative_name([y, x])} = {derivative_name([x, y])}"
        return [("symmetric", f"yes: {orders} up to {number(asymmetry.size, 2)} by differences")]

    def _table(self) -> Table | None:
        dim = len(self.names)
        if dim * (dim + 1) // 2 > _ROWS_SHOWN:
            return None
        rows = [self._row(i, j) for i in range(dim) for j in range(dim)]
        return Table(("", "autograd", "differences", "±", "symbolic"), rows)

    def _row(self, i: int, j: int) -> tuple[str, ...]:
        def entry(matrix: Tensor | None, digits: int = 8) -> str:
            return number_or_undefined(None if matrix is None else float(matrix[i, j]), digits)

        title = derivative_name([self.names[j], self.names[i]])
        by_differences = entry(self.differences), entry(self.uncertainty, 2)
        if bool(self.undecided[i, j]):
            word = "none" if bool(self.is_missing[i, j]) else "unresolved"
            by_differences = word, number(None)
        by_formula = number(None)
        if self.symbolic is not None and self.decided is not None:
            by_formula = Proven(self.symbolic, self.decided).words(i, j)
        return title, entry(self.hessian), *by_differences, by_formula


def second_order(at: LossAtPoint) -> SecondOrder:
    """Compute the Hessian of a loss at a point by autograd, nested differences and its formula."""
    matrix, symbolic, names = at.hessian, at.symbolic, at.names
    values, vectors = eigendecomposition(matrix)
    size = values.abs()
    largest = float(values[-1])
    is_regular = float(size.min()) > EPSILON * float(size.max())
    expressions = {}
    if symbolic is not None and len(names) * (len(names) + 1) // 2 <= _ROWS_SHOWN:
        pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names))]
        words = {pair: symbolic.words(*pair) for pair in pairs}
        expressions = {derivative_name([names[j], names[i]]): w for (i, j), w in words.items()}
    proven = at.curvatures_by_formula
    evidence = gather_evidence(at)
    agrees = None
    if symbolic is not None and proven is not None:
        agrees = symbolic.is_smooth and _match(matrix, proven.values)
    is_doubted = evidence.agrees is False or (evidence.agrees is None and agrees is False)
    has_curvature = largest > 0 and not at.missing_curvatures and not is_doubted
    return SecondOrder(
        names=names,
        hessian=matrix,
        differences=evidence.nested,
        uncertainty=evidence.uncertainty,
        symbolic=None if proven is None else proven.values,
        decided=None if proven is None else proven.decided,
        expressions=expressions,
        asymmetry=evidence.asymmetry,
        is_symmetric=evidence.is_symmetric,
        agrees=evidence.agrees,
        agrees_with_formula=agrees,
        missing=at.missing_curvatures,
        flaw=flaw_of_hessian(at),
        is_missing=evidence.missing,
        undecided=evidence.undecided,
        eigenvalues=values,
        eigenvectors=vectors,
        condition=float(size.max() / size.min()) if is_regular else None,
        lambda_max=largest,
        max_stable_lr=2 / largest if has_curvature and not has_negative(values) else None,
    )


def has_negative(eigenvalues: Tensor) -> bool:
    """Return whether one of the eigenvalues (k,) is negative, and not lost in rounding."""
    rounding = len(eigenvalues) * EPSILON * eigenvalues.abs().max()
    return bool((eigenvalues < -rounding).any())


def _match(matrix: Tensor, by_formula: Tensor) -> bool:
    """Whether two Hessians (D, D) are the same up to rounding."""
    return bool(((matrix - by_formula).abs() <= _ROUNDED * by_formula.abs().amax()).all())


def eigendecomposition(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues (D,), ascending, and eigenvectors (D, D) of a Hessian (D, D).

    All are NaN if an entry is not finite.
    """
    if not bool(matrix.isfinite().all()):
        return torch.full_like(matrix[0], math.nan), torch.full_like(matrix, math.nan)
    values, vectors = torch.linalg.eigh(matrix / 2 + matrix.T / 2)
    return values, vectors
