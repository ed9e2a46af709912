"""Second partial derivatives by differences: their limits, their symmetry and whether they exist.

Shapes: D dimensions, m steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.methods.behavior import Behavior, Kind
from gdlab.derivatives.methods.finite_differences import (
    DOUBT,
    EPSILON,
    extrapolate,
    values_at,
    widest_step,
)
from gdlab.derivatives.point import MOST_CURVATURES, LossAtPoint

_INNER, _STEPS = 2.0**-17, 16
_SCALED = 500  # exponent of values beyond which these are scaled: their sums would overflow
_CLEAR = 1e-2  # of a second derivative: how uncertain finer differences may be
_TINY = 2.0**-1022  # second derivatives below this may be lost in differences of denormals
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
class Evidence:
    """What differences show of the second derivatives.

    Attributes:
        nested: the nested differences (D, D); None in many dimensions.
        uncertainty: their uncertainty (D, D).
        asymmetry: where they are least symmetric; None in one dimension or without them.
        is_symmetric: whether the order of differentiation does not matter; None if unknown.
        agrees: whether they match autograd's Hessian; None if they cannot resolve the loss.
        missing: where there is no second derivative (D, D).
        undecided: there, and where they do not resolve it (D, D).
    """

    nested: Tensor | None
    uncertainty: Tensor | None
    asymmetry: Asymmetry | None
    is_symmetric: bool | None
    agrees: bool | None
    missing: Tensor
    undecided: Tensor


def gather_evidence(at: LossAtPoint) -> Evidence:
    """Compare autograd's Hessian with nested differences of the loss."""
    matrix, dim = at.hessian, len(at.x)
    nothing = torch.zeros_like(matrix, dtype=torch.bool)
    if dim > MOST_CURVATURES:
        return Evidence(None, None, None, True, True, nothing, nothing)
    curvatures = at.differentiability.of_partials
    nested, uncertainty = _resolve(at)
    is_near = (matrix - nested).abs() <= _tolerance(uncertainty, nested)
    missing = _entries(curvatures, lambda behavior: behavior.has_no_derivative)
    if at.curvatures_by_formula is not None:
        missing |= at.curvatures_by_formula.missing
    # The slopes of autograd's partial derivatives see finer scales than differences of the loss,
    # but at a boundary of pieces they may have steps that the loss does not have.
    slopes, doubts = at.curvatures
    is_slope = (matrix - slopes).abs() <= DOUBT * doubts + _SAME * slopes.abs()
    is_slope &= not at.is_at_boundary
    unresolved = _entries(curvatures, lambda behavior: behavior.kind is Kind.UNRESOLVED)
    undecided = ~is_near & (is_slope | unresolved | nested.isnan()) | missing
    if at.is_at_boundary:  # of one piece; symmetric differences of the others may cancel
        undecided |= unresolved
    agrees = bool((is_near | undecided).all())
    asymmetry = _find_asymmetry(at.names, nested, uncertainty)
    return Evidence(
        nested=nested,
        uncertainty=uncertainty,
        asymmetry=asymmetry,
        is_symmetric=None
        if at.flaws or bool(missing.any())
        else _is_symmetric(asymmetry, undecided, slopes, doubts),
        agrees=None if at.flaws or (agrees and bool(undecided.any())) else agrees,
        missing=missing,
        undecided=undecided,
    )


def flaw_of_hessian(at: LossAtPoint) -> str | None:
    """Say why autograd's Hessian is not that of the loss, for use in a sentence; None if it is."""
    agrees = gather_evidence(at).agrees
    if at.missing_curvatures:
        return "there is none here"
    if agrees is False:
        return "autograd's does not match the differences"
    if agrees is None and at.is_at_boundary:
        return "autograd's is that of one piece, and the differences decide nothing"
    return None


def _entries(curvatures: list[list[Behavior]], test: Callable[[Behavior], bool]) -> Tensor:
    return torch.tensor([[test(behavior) for behavior in row] for row in curvatures])


def _resolve(at: LossAtPoint) -> tuple[Tensor, Tensor]:
    """Return nested differences and their uncertainty, (D, D) each, at the scale of the loss."""
    exponent = int(torch.frexp(at.value).exponent)
    scale = 2.0**-exponent if exponent > _SCALED else 1.0

    def scaled(points: Tensor) -> Tensor:
        return at.loss(points) * scale

    nested, uncertainty = (part / scale for part in nested_differences(scaled, at.x))
    is_near = (at.hessian - nested).abs() <= _tolerance(uncertainty, nested)
    if bool(is_near.all()):
        return nested, uncertainty
    steps = [min(b.left.step, b.right.step) for b in at.differentiability.along_axes]
    widest = torch.tensor(steps, dtype=at.x.dtype)
    usual = widest_step(at.x.abs())
    widest = torch.where(widest.isfinite(), torch.minimum(widest, usual), usual)
    finer, doubt = (part / scale for part in nested_differences(scaled, at.x, widest))
    is_found = (at.hessian - finer).abs() <= _tolerance(doubt, finer)
    is_found &= ~is_near & (DOUBT * doubt <= _CLEAR * finer.abs())
    return torch.where(is_found, finer, nested), torch.where(is_found, doubt, uncertainty)


def _is_symmetric(
    asymmetry: Asymmetry | None, undecided: Tensor, slopes: Tensor, doubts: Tensor
) -> bool | None:
    """Whether the second derivatives are the same in either order; None if unknown.

    Args:
        asymmetry: the pair of nested differences that differ most.
        undecided: where there are no nested differences to trust (D, D).
        slopes: the slopes of the partial derivatives (D, D), NaN where unknown.
        doubts: their uncertainty (D, D).
    """
    if asymmetry is None:
        return True
    largest = slopes.abs().nan_to_num(0.0).amax()
    same = (slopes - slopes.T).abs() <= DOUBT * (doubts + doubts.T) + _SAME * largest
    is_equal = asymmetry.size <= asymmetry.allowed <= _CLEAR * float(largest)
    if bool(same.all()) or is_equal:
        return True
    is_known = not bool(undecided.any()) and not bool(slopes.isnan().any())
    return False if is_known and asymmetry.size > asymmetry.allowed else None


def nested_differences(
    f: Callable[[Tensor], Tensor], x: Tensor, widest: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Estimate second derivatives at x (D,) by nested differences, with uncertainty: (D, D) each.

    Entry [i, j] is ∂/∂xⱼ (∂f/∂xᵢ): the inner difference is along xᵢ, with 2⁻¹⁷ of the outer step.
    Its limit is thus taken first, and f need not be smooth.

    Args:
        f: maps points (..., D) to values (...).
        x: the point.
        widest: the largest step along each axis (D,); None to choose them.
    """
    dim = len(x)
    size = widest_step(x.abs()) if widest is None else widest
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
    return DOUBT * uncertainty + _SAME * nested.abs().nan_to_num(0.0).amax() + _TINY
