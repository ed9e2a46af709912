"""The second partial derivatives: the Hessian, its symmetry and its eigenvalues.

Shapes: D dimensions, m steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.differences import EPSILON, extrapolated, values_at
from gdlab.derivatives.finding import Finding, Section, Table, number, vector
from gdlab.derivatives.first import DOUBT
from gdlab.derivatives.place import Place

LARGEST = 200
"""The Hessian of more dimensions is written down only where that is asked for."""

_MOST_NESTED = 30
_ROWS_SHOWN, _VECTORS_SHOWN = 15, 6
_WIDEST, _INNER, _STEPS = 79 / 128, 2.0**-17, 16
_SAME = 1e-6  # of the largest entry: less is the truncation of the inner difference


@dataclass(frozen=True)
class Asymmetry:
    """Where two mixed partial derivatives differ most.

    Attributes:
        first: the names of the coordinates, (x, y).
        xy: ∂/∂y (∂f/∂x), the derivative by x taken first.
        yx: ∂/∂x (∂f/∂y).
        allowed: a difference up to which they count as equal.
    """

    first: tuple[str, str]
    xy: float
    yx: float
    allowed: float

    @property
    def size(self) -> float:
        """How far they are apart."""
        return abs(self.xy - self.yx)


@dataclass(frozen=True)
class SecondOrder(Finding):
    """The Hessian at a point.

    Attributes:
        names: of the coordinates.
        hessian: by autograd (D, D): entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ).
        nested: by differences of differences, the step of the inner one far under that of the outer
            one (D, D); None for more than 30 dimensions.
        uncertainty: of these (D, D).
        symbolic: by the formula (D, D), NaN where it has no value; None where there is none.
        formulas: the second partial derivatives as expressions, by names.
        asymmetry: where the nested differences are least symmetric; None for one dimension, and
            where there are none.
        eigenvalues: of the Hessian, rising (D,); NaN where that is not finite.
        eigenvectors: the columns that belong to them (D, D).
        condition: |λ|_max / |λ|_min; None where the Hessian is singular.
        largest: λ_max.
        largest_stable_lr: 2/λ_max, above which gradient descent leaves a minimum with such a
            Hessian; None where λ_max ≤ 0.
    """

    names: tuple[str, ...]
    hessian: Tensor
    nested: Tensor | None
    uncertainty: Tensor | None
    symbolic: Tensor | None
    formulas: dict[str, str]
    asymmetry: Asymmetry | None
    eigenvalues: Tensor
    eigenvectors: Tensor
    condition: float | None
    largest: float
    largest_stable_lr: float | None

    @property
    def is_symmetric(self) -> bool:
        """Whether mixed partial derivatives are equal whatever their order (Clairaut)."""
        return self.asymmetry is None or self.asymmetry.size <= self.asymmetry.allowed

    @property
    def is_seen(self) -> bool:
        """Whether autograd's Hessian is that of the nested differences."""
        if self.nested is None or self.uncertainty is None:
            return True
        apart = (self.hessian - self.nested).abs()
        return bool((apart <= _allowed(self.uncertainty, self.nested)).all())

    def section(self) -> Section:
        """The second partial derivatives as a table, what follows from them as lines."""
        lines = list(self.formulas.items())[:_ROWS_SHOWN] + self._symmetry()
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
        if self.largest_stable_lr is not None:
            lines.append(
                ("2/λ_max", f"{number(self.largest_stable_lr)}, the largest stable lr here")
            )
        notes = []
        if not bool(self.hessian.isfinite().all()):
            notes.append("autograd's Hessian is not finite here")
        if not self.is_symmetric:
            words = "their order matters, which autograd, with one value for both, cannot see"
            notes.append(f"the second derivatives are not continuous here: {words}")
        if not self.is_seen:
            notes.append("autograd's Hessian is NOT that of the differences")
        return Section("Hessian", lines, self._table(), notes)

    def _symmetry(self) -> list[tuple[str, str]]:
        found = self.asymmetry
        if found is None:
            return []
        x, y = found.first
        words = f"|∂/∂{y}(∂f/∂{x}) − ∂/∂{x}(∂f/∂{y})| ≤ {number(found.size, 2)}"  # noqa: RUF001
        if not self.is_symmetric:
            xy, yx = number(found.xy, 6), number(found.yx, 6)
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
            value = None if matrix is None else float(matrix[i, j])
            return "undefined" if value is not None and math.isnan(value) else number(value, digits)

        title = second_name(self.names[i], self.names[j])
        by_differences = entry(self.nested), entry(self.uncertainty, 2)
        return title, entry(self.hessian), *by_differences, entry(self.symbolic)


def second_name(first: str, second: str) -> str:
    """The partial derivative by one coordinate and then by another: ∂/∂second (∂f/∂first)."""
    return f"∂²f/∂{first}²" if first == second else f"∂²f/∂{second}∂{first}"


def second_order(place: Place) -> SecondOrder:
    """The Hessian of a loss at a point by autograd, nested differences and its formula."""
    matrix, symbolic, names = place.hessian, place.symbolic, place.names
    nested, uncertainty = None, None
    if len(names) <= _MOST_NESTED:
        nested, uncertainty = nested_differences(place.loss, place.x)
    values, vectors = eigen(matrix)
    size = values.abs()
    largest = float(values[-1])
    is_regular = float(size.min()) > EPSILON * float(size.max())
    formulas = {}
    if symbolic is not None and len(names) * (len(names) + 1) // 2 <= _ROWS_SHOWN:
        pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names))]
        formulas = {second_name(names[i], names[j]): symbolic.words(i, j) for i, j in pairs}
    return SecondOrder(
        names=names,
        hessian=matrix,
        nested=nested,
        uncertainty=uncertainty,
        symbolic=None if symbolic is None else symbolic.hessian(place.x),
        formulas=formulas,
        asymmetry=_asymmetry(names, nested, uncertainty),
        eigenvalues=values,
        eigenvectors=vectors,
        condition=float(size.max() / size.min()) if is_regular else None,
        largest=largest,
        largest_stable_lr=2 / largest if largest > 0 else None,
    )


def eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenvalues (D,), rising, and eigenvectors (D, D) of a Hessian (D, D).

    NaN where an entry is not finite.
    """
    if not bool(matrix.isfinite().all()):
        return torch.full_like(matrix[0], math.nan), torch.full_like(matrix, math.nan)
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return values, vectors


def nested_differences(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Second derivatives at x (D,) by differences of differences, and their uncertainty: (D, D).

    Entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ): the difference along xᵢ is the inner one, its step 2⁻¹⁷ of the
    outer one's. So it stands for the limit that is taken first, and f need not be smooth.
    """
    dim = len(x)
    size = _WIDEST * 2.0 ** x.abs().clamp(min=1.0).log2().round()
    unit = torch.eye(dim, dtype=x.dtype)
    outer = size[:, None] * 2.0 ** -torch.arange(_STEPS, dtype=x.dtype)  # (D, m)
    inner = _INNER * size[:, None, None] * (outer / size[:, None])  # (D, D, m)
    away = inner[..., None] * unit[:, None, None, :], outer[..., None] * unit[:, None, :]
    corners = {
        (a, b): values_at(f, x + a * away[0] + b * away[1]) for a in (1, -1) for b in (1, -1)
    }
    total = corners[1, 1] - corners[-1, 1] - corners[1, -1] + corners[-1, -1]
    area = 4 * inner * outer
    rounding = EPSILON * torch.stack(list(corners.values())).abs().amax(0) / area
    flat = (dim * dim, _STEPS)
    limit, doubt = extrapolated((total / area).reshape(flat), rounding.reshape(flat), order=2)
    return limit.reshape(dim, dim), doubt.reshape(dim, dim)


def _asymmetry(
    names: tuple[str, ...], nested: Tensor | None, uncertainty: Tensor | None
) -> Asymmetry | None:
    if nested is None or uncertainty is None or len(names) < 2:
        return None
    apart = (nested - nested.T).abs()
    allowed = _allowed(uncertainty + uncertainty.T, nested)
    excess = (apart / allowed).nan_to_num(0.0).triu(1)
    i, j = divmod(int(excess.argmax()), len(names)) if bool((excess > 0).any()) else (0, 1)
    pair = float(nested[i, j]), float(nested[j, i])
    return Asymmetry((names[i], names[j]), *pair, float(allowed[i, j]))


def _allowed(uncertainty: Tensor, nested: Tensor) -> Tensor:
    """How far nested differences (D, D) may be from what they estimate."""
    return DOUBT * uncertainty + _SAME * nested.abs().nan_to_num(0.0).amax()
