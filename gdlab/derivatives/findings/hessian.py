"""Second partial derivatives: the Hessian, its symmetry and its eigenvalues.

Shapes: D dimensions, m steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    EPSILON,
    extrapolate,
    values_at,
    widest_step,
)
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import derivative_name, number_or_undefined

_MOST_NESTED = 30
_ROWS_SHOWN, _VECTORS_SHOWN = 15, 6
_INNER, _STEPS = 2.0**-17, 16
_SAME = 1e-6  # of the largest entry: the truncation error of the inner difference


@dataclass(frozen=True)
class Asymmetry:
    """The pair of mixed partial derivatives that differ most.

    Attributes:
        names: names of the two coordinates, (x, y).
        xy: ∂/∂y (∂f/∂x): differentiated by x first.
        yx: ∂/∂x (∂f/∂y).
        allowed: the largest difference at which they count as equal.
    """

    names: tuple[str, str]
    xy: float
    yx: float
    allowed: float

    @property
    def size(self) -> float:
        """The absolute difference."""
        return abs(self.xy - self.yx)


@dataclass(frozen=True)
class SecondOrder(Finding):
    """The Hessian at a point.

    Attributes:
        names: names of the coordinates.
        hessian: by autograd (D, D): entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ).
        differences: by nested differences, whose inner step is far smaller than the outer one
            (D, D); None in more than 30 dimensions.
        uncertainty: uncertainty of the nested differences (D, D).
        symbolic: from the formula (D, D), NaN where undefined; None without a formula.
        expressions: the second partial derivatives as expressions, by name.
        asymmetry: where the nested differences are least symmetric; None in one dimension or
            without nested differences.
        is_symmetric: whether the mixed partial derivatives are equal in either order (Clairaut).
        agrees: whether autograd's Hessian matches the nested differences wherever they have a
            limit.
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
    expressions: dict[str, str]
    asymmetry: Asymmetry | None
    is_symmetric: bool
    agrees: bool
    eigenvalues: Tensor
    eigenvectors: Tensor
    condition: float | None
    lambda_max: float
    max_stable_lr: float | None

    def section(self) -> Section:
        """Return the second partial derivatives as a table and their consequences as lines."""
        lines = list(self.expressions.items())[:_ROWS_SHOWN] + self._symmetry_line()
        if not bool(self.hessian.isfinite().all()):
            return Section("Hessian", lines, self._table(), self._notes())
        if len(self.names) > _VECTORS_SHOWN:
            lines.append(("eigenvalues", vector(self.eigenvalues)))
        else:
            pairs = zip(self.eigenvalues, self.eigenvectors.T, strict=True)
            lines += [
                (f"λ{i}", f"{number(value)} along {vector(axis, 6)}")
                for i, (value, axis) in enumerate(pairs, 1)
            ]
        lines.append(
            ("condition", "singular" if self.condition is None else number(self.condition))
        )
        lines += self._stability_line()
        return Section("Hessian", lines, self._table(), self._notes())

    def _notes(self) -> list[str]:
        notes = []
        if not bool(self.hessian.isfinite().all()):
            notes.append("Autograd's Hessian is not finite here.")
        if not self.is_symmetric:
            reason = "their order matters, which autograd cannot detect: it has one value for both"
            notes.append(f"The second derivatives are not continuous here: {reason}.")
        if not self.agrees:
            notes.append("Autograd's Hessian does NOT match the differences.")
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
        words = f"|∂/∂{y}(∂f/∂{x}) − ∂/∂{x}(∂f/∂{y})| ≤ {number(asymmetry.size, 2)}"  # noqa: RUF001
        if not self.is_symmetric:
            xy, yx = number(asymmetry.xy, 6), number(asymmetry.yx, 6)
            words = f"NO: ∂/∂{y}(∂f/∂{x}) = {xy}, but ∂/∂{x}(∂f/∂{y}) = {yx}"
        return [("symmetric", words if not self.is_symmetric else f"yes, {words}")]

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
        return title, entry(self.hessian), *by_differences, entry(self.symbolic)


def second_order(at: LossAtPoint) -> SecondOrder:
    """Compute the Hessian of a loss at a point by autograd, nested differences and its formula."""
    matrix, symbolic, names = at.hessian, at.symbolic, at.names
    nested, uncertainty = None, None
    if len(names) <= _MOST_NESTED:
        nested, uncertainty = nested_differences(at.loss, at.x)
    values, vectors = eigendecomposition(matrix)
    size = values.abs()
    largest = float(values[-1])
    is_regular = float(size.min()) > EPSILON * float(size.max())
    expressions = {}
    if symbolic is not None and len(names) * (len(names) + 1) // 2 <= _ROWS_SHOWN:
        pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names))]
        words = {pair: symbolic.words(*pair) for pair in pairs}
        expressions = {derivative_name([names[j], names[i]]): w for (i, j), w in words.items()}
    asymmetry = _find_asymmetry(names, nested, uncertainty)
    agrees = True
    if nested is not None and uncertainty is not None:
        is_near = (matrix - nested).abs() <= _tolerance(uncertainty, nested)
        agrees = bool((is_near | nested.isnan()).all())
    return SecondOrder(
        names=names,
        hessian=matrix,
        differences=nested,
        uncertainty=uncertainty,
        symbolic=None if symbolic is None else symbolic.hessian(at.x),
        expressions=expressions,
        asymmetry=asymmetry,
        is_symmetric=asymmetry is None or asymmetry.size <= asymmetry.allowed,
        agrees=agrees,
        eigenvalues=values,
        eigenvectors=vectors,
        condition=float(size.max() / size.min()) if is_regular else None,
        lambda_max=largest,
        max_stable_lr=2 / largest if largest > 0 and not has_negative(values) else None,
    )


def has_negative(eigenvalues: Tensor) -> bool:
    """Return whether one of the eigenvalues (k,) is negative, and not lost in rounding."""
    rounding = len(eigenvalues) * EPSILON * eigenvalues.abs().max()
    return bool((eigenvalues < -rounding).any())


def eigendecomposition(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues (D,), ascending, and eigenvectors (D, D) of a Hessian (D, D).

    All are NaN if an entry is not finite.
    """
    if not bool(matrix.isfinite().all()):
        return torch.full_like(matrix[0], math.nan), torch.full_like(matrix, math.nan)
    values, vectors = torch.linalg.eigh(matrix / 2 + matrix.T / 2)
    return values, vectors


def nested_differences(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate second derivatives at x (D,) by nested differences, with uncertainty: (D, D) each.

    Entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ): the inner difference is along xᵢ, with 2⁻¹⁷ of the outer step.
    Its limit is thus taken first, and f need not be smooth.
    """
    dim = len(x)
    size = widest_step(x.abs())
    unit = torch.eye(dim, dtype=x.dtype)
    outer = size[:, None] * 2.0 ** -torch.arange(_STEPS, dtype=x.dtype)  # (D, m)
    inner = _INNER * size[:, None, None] * (outer / size[:, None])  # (D, D, m)
    along_i = inner[..., None] * unit[:, None, None, :]
    along_j = outer[..., None] * unit[:, None, :]
    corners = {
        (a, b): values_at(f, x + a * along_i + b * along_j) for a in (1, -1) for b in (1, -1)
    }
    total = corners[1, 1] - corners[-1, 1] - corners[1, -1] + corners[-1, -1]
    area = 4 * inner * outer
    rounding = EPSILON * torch.stack(list(corners.values())).abs().amax(0) / area
    flat = (dim * dim, _STEPS)
    limit, uncertainty = extrapolate((total / area).reshape(flat), rounding.reshape(flat), order=2)
    return limit.reshape(dim, dim), uncertainty.reshape(dim, dim)


def _find_asymmetry(
    names: tuple[str, ...], nested: Tensor | None, uncertainty: Tensor | None
) -> Asymmetry | None:
    if nested is None or uncertainty is None or len(names) < 2:
        return None
    difference = (nested - nested.T).abs()
    allowed = _tolerance(uncertainty + uncertainty.T, nested)
    excess = (difference / allowed).nan_to_num(0.0).triu(1)
    i, j = divmod(int(excess.argmax()), len(names)) if bool((excess > 0).any()) else (0, 1)
    pair = float(nested[i, j]), float(nested[j, i])
    return Asymmetry((names[i], names[j]), *pair, float(allowed[i, j]))


def _tolerance(uncertainty: Tensor, nested: Tensor) -> Tensor:
    """Return how far nested differences (D, D) can be from the true second derivatives."""
    return DOUBT * uncertainty + _SAME * nested.abs().nan_to_num(0.0).amax()
