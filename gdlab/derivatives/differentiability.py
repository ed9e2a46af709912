"""Whether a loss has a gradient at a point, found from its values.

Shapes: D dimensions, n directions.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gdlab.derivatives.finding import number, vector
from gdlab.derivatives.methods.behavior import Behavior, Kind, Side
from gdlab.derivatives.methods.finite_differences import DOUBT, widest_step
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.derivatives.methods.ties import has_partial
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

if TYPE_CHECKING:
    from gdlab.derivatives.point import LossAtPoint

_OBLIQUE = 3  # number of random directions, besides the two diagonals
_SAME = 1e-6  # of the gradient: how far slopes along other lines may be from it


@dataclass(frozen=True)
class Flaw:
    """A line along which a loss has no derivative, or not the one its gradient gives.

    Attributes:
        along: the line: the name of a coordinate, or a unit vector.
        behavior: the loss along it.
        value: the loss at the point.
        slope: the slope that autograd's gradient gives along the line.
    """

    along: str
    behavior: Behavior
    value: float
    slope: float

    @property
    def sentence(self) -> str:
        """What the loss is along the line, and what autograd returns."""
        return f"{self._reason()}. Autograd returns {number(self.slope)}{self._standing()}."

    @property
    def words(self) -> str:
        """Its kind, for use in a sentence."""
        kind = Kind.KINK if self.behavior.kind is Kind.SMOOTH else self.behavior.kind
        return f"there is no gradient here, but {kind} along {self.along}"

    def _reason(self) -> str:
        left, right = self.behavior.left, self.behavior.right
        slopes = f"along {self.along} the slope is {_slope(left)} on the left, {_slope(right)} on"
        match self.behavior.kind:
            case Kind.KINK:
                return f"Kink: {slopes} the right; there is no derivative"
            case Kind.JUMP:
                ends = self._end(left), self._end(right)
                values = f"the loss tends to {ends[0]} on the left, {ends[1]} on the right"
                if ends[0] == ends[1]:
                    values = f"the loss tends to {ends[0]}, but is {number(self.value)} here"
                return f"Jump: along {self.along} {values}; there is no derivative"
            case Kind.VERTICAL:
                return f"Vertical tangent: {slopes} the right; there is no derivative"
            case Kind.EDGE:
                return f"Edge of the domain: {slopes} the right; there is no derivative"
        slope = number(self.behavior.slope)
        return f"Kink: along {self.along} the slope is {slope}; there is no gradient"

    def _end(self, side: Side) -> str:
        return "no value" if side.kind is Kind.EDGE else number(self.value + side.jump)

    def _standing(self) -> str:
        """Return where autograd's slope stands between those to the left and to the right."""
        if self.behavior.kind is not Kind.KINK:
            return ""
        left, right = self.behavior.left.slope, self.behavior.right.slope
        margin = _SAME * max(abs(left), abs(right))
        is_between = min(left, right) - margin <= self.slope <= max(left, right) + margin
        if not is_between:
            return ", which is not between them"
        return ", a subgradient" if left < right else ", which is between them"


def _slope(side: Side) -> str:
    if math.isnan(side.slope):
        return "undefined"
    is_zero = abs(side.slope) <= DOUBT * side.uncertainty < math.inf
    return "0" if is_zero else number(side.slope, 6)


class Differentiability:
    """What a loss is at a point along the axes and along a few other lines.

    A smooth formula that proves autograd's derivatives stands against differences, which then must
    have missed the scale of the loss: their verdict counts as unresolved.

    Args:
        at: the loss at the point.
    """

    def __init__(self, at: "LossAtPoint") -> None:
        self._at, self._x, self._dim = at, at.x, len(at.x)

    @cached_property
    def along_axes(self) -> list[Behavior]:
        """What the loss is along each axis."""
        axes = torch.eye(self._dim, dtype=self._x.dtype)
        found = local_behavior(self._at.loss, self._x, axes, self._at.gradient)
        are_doubted = [
            behavior.has_no_derivative or not _is_slope(behavior, slope, abs(slope))
            for behavior, slope in zip(found, self._at.gradient.tolist(), strict=True)
        ]
        return _overrule(found) if any(are_doubted) and self._is_proven_once else found

    @cached_property
    def flaws(self) -> list[Flaw]:
        """The axes along which there is no derivative; else another line that shows no gradient."""
        slopes = self._at.gradient.tolist()
        triples = zip(self._at.names, self.along_axes, slopes, strict=True)
        along_axes = [
            Flaw(name, behavior, float(self._at.value), slope)
            for name, behavior, slope in triples
            if behavior.has_no_derivative
        ]
        return along_axes or self._oblique_flaws()

    @cached_property
    def flaw_of_partials(self) -> str | None:
        """Say why partial derivatives do not make a gradient; None if they do, or if one lacks."""
        if not self.flaws or any(b.kind is not Kind.SMOOTH for b in self.along_axes):
            return None
        kinds = [behavior.kind for behavior in self._along_lines]
        without = sum(behavior.has_no_derivative for behavior in self._along_lines)
        others = f"of {len(kinds)} lines between the axes, {without or 'all'} have"
        if Kind.JUMP in kinds:
            return (
                f"The partial derivatives exist, but the loss is not continuous: {others} no slope."
            )
        if without:
            return f"The partial derivatives exist, but not all others: {others} no slope."
        linear = "slopes, but these are not ∇f · u for any ∇f"
        return (
            f"The partial derivatives exist, but the loss is not differentiable: {others} {linear}."
        )

    @cached_property
    def of_partials(self) -> list[list[Behavior]]:
        """What autograd's partial derivative by xᵢ is along the axis of xⱼ, for all i and j.

        Unresolved where the loss is. Where it has no partial derivative, that of the loss stands.
        """
        first = self.along_axes
        axes = torch.eye(self._dim, dtype=self._x.dtype)
        rows = []
        for i in range(self._dim):
            row = self._of_partial(i, axes)
            if first[i].has_no_derivative:
                row = [first[i]] * self._dim
            pairs = zip(row, first, strict=True)
            rows.append([b if b.kind is Kind.UNRESOLVED else a for a, b in pairs])
        return rows

    @cached_property
    def missing_curvatures(self) -> tuple[str, ...]:
        """Sentences on the second derivatives that do not exist."""
        if self.flaws:
            return ("there is no gradient",)
        names = self._at.names
        along_axes = [
            _describe(names[i], names[j], behavior)
            for i, row in enumerate(self.of_partials)
            for j, behavior in enumerate(row)
            if behavior.has_no_derivative
        ]
        return tuple(along_axes) or self._oblique_curvatures()

    @cached_property
    def refutes_autograd(self) -> bool:
        """Whether the loss has another slope along an axis than autograd's gradient."""
        pairs = zip(self.along_axes, self._at.gradient.tolist(), strict=True)
        scale = float(self._at.gradient.abs().max())
        return any(
            behavior.kind is Kind.SMOOTH and not _is_slope(behavior, slope, scale)
            for behavior, slope in pairs
        )

    @property
    def are_partials_seen(self) -> bool:
        """Whether differences see the loss along every axis."""
        return all(behavior.kind is not Kind.UNRESOLVED for behavior in self.along_axes)

    @cached_property
    def has_certain_hessian(self) -> bool:
        """Whether autograd's Hessian is the slopes of its partial derivatives along the axes."""
        scale = float(self._at.hessian.abs().max())
        rows = zip(self.of_partials, self._at.hessian.tolist(), strict=True)
        return all(
            behavior.kind is Kind.UNRESOLVED or _is_slope(behavior, slope, scale)
            for behaviors, slopes in rows
            for behavior, slope in zip(behaviors, slopes, strict=True)
        )

    @property
    def _hessian_of_slopes(self) -> Tensor:
        """The slopes of the partial derivatives along the axes (D, D); NaN if not symmetric."""
        slopes, doubts = self._at.curvatures
        scale = float(slopes.abs().nan_to_num(0.0).max())
        is_same = (slopes - slopes.T).abs() <= DOUBT * (doubts + doubts.T) + _SAME * scale
        return torch.where(is_same, slopes, math.nan)

    @cached_property
    def _is_proven_once(self) -> bool:
        symbolic = self._at.symbolic
        return symbolic is not None and symbolic.proves(self._x, self._at.gradient)

    @cached_property
    def _is_proven_twice(self) -> bool:
        symbolic = self._at.symbolic
        return symbolic is not None and symbolic.proves(self._x, self._at.hessian)

    def _of_partial(self, i: int, directions: Tensor) -> list[Behavior]:
        """Return what autograd's partial derivative by xᵢ is along unit directions (n, D)."""

        def slope(points: Tensor) -> Tensor:
            with torch.enable_grad():
                return value_and_gradient(self._at.loss, points)[1][:, i]

        flat = torch.zeros(len(directions), dtype=self._x.dtype)
        found = local_behavior(slope, self._x, directions, flat, self._largest_slope)
        is_flawed = any(behavior.has_no_derivative for behavior in found)
        return _overrule(found) if is_flawed and self._is_proven_twice else found

    @cached_property
    def _largest_slope(self) -> float:
        """The largest partial derivative around: what cancels in a gradient is about as large."""
        steps = torch.diag(widest_step(self._x.abs()))
        far = value_and_gradient(self._at.loss, torch.cat((self._x + steps, self._x - steps)))[1]
        return float(torch.where(far.isfinite(), far.abs(), 0.0).max())

    @cached_property
    def oblique(self) -> Tensor:
        """Unit vectors (n, D) between the axes: two diagonals and random ones."""
        signs = 1.0 - 2.0 * (torch.arange(self._dim, dtype=self._x.dtype) % 2)
        counters = torch.arange(_OBLIQUE)[:, None], torch.arange(self._dim)
        random = rng.normal(torch.tensor(0), rng.Stream.START, *counters)
        lines = torch.cat((torch.ones_like(signs)[None], signs[None], random))
        return lines / lines.norm(dim=1, keepdim=True)

    @cached_property
    def _along_lines(self) -> list[Behavior]:
        """What the loss is along each of the lines."""
        slopes = self.oblique @ self._at.gradient
        return local_behavior(self._at.loss, self._x, self.oblique, slopes)

    def _oblique_flaws(self) -> list[Flaw]:
        """Return a line between the axes along which the slope is not that of the gradient."""
        gradient = self._at.gradient
        if self._dim < 2 or not bool(gradient.isfinite().all()):
            return []
        slopes, scale = self.oblique @ gradient, float(gradient.abs().max())
        along_axes = zip(self.along_axes, gradient.tolist(), strict=True)
        are_partials_right = all(_is_slope(*pair, scale) for pair in along_axes)
        triples = zip(self.oblique, self._along_lines, slopes.tolist(), strict=True)
        for line, behavior, slope in triples:
            is_other = behavior.kind is Kind.SMOOTH and not _is_slope(behavior, slope, scale)
            is_flaw = behavior.has_no_derivative or (is_other and are_partials_right)
            if is_flaw and (behavior.kind is Kind.EDGE or not self._is_proven_once):
                return [Flaw(vector(line, 6), behavior, float(self._at.value), slope)]
        return []

    def _oblique_curvatures(self) -> tuple[str, ...]:
        """Return a line along which a partial derivative has another slope than by the Hessian."""
        matrix = self._at.hessian if self.has_certain_hessian else self._hessian_of_slopes
        if self._dim < 2 or not bool(matrix.isfinite().all()):
            return ()
        scale, expected = float(matrix.abs().max()), matrix @ self.oblique.T
        ties: list[str] = []
        for i, name in enumerate(self._at.names):
            behaviors = self._of_partial(i, self.oblique)
            exist = has_partial(self._at.loss, self._x, self.oblique, i)
            lines = zip(self.oblique, behaviors, expected[i].tolist(), exist, strict=True)
            for line, behavior, slope, exists in lines:
                along = vector(line, 6)
                is_other = behavior.kind is Kind.SMOOTH and not _is_slope(behavior, slope, scale)
                if not exists and (is_other or behavior.has_no_derivative):
                    ties.append(f"along {along} there is no ∂f/∂{name}")
                elif behavior.has_no_derivative:
                    return (_describe(name, along, behavior),)
                elif is_other and not self._is_proven_twice:
                    slopes = f"{_slope(behavior.right)}, not {number(slope, 6)}"
                    return (f"along {along} the slope of ∂f/∂{name} is {slopes}",)
        return tuple(ties[:1])


def _is_slope(behavior: Behavior, slope: float, scale: float) -> bool:
    """Whether a function is smooth and has a slope, up to the uncertainty and to a scale."""
    margin = DOUBT * behavior.uncertainty + _SAME * scale
    return behavior.kind is Kind.SMOOTH and abs(behavior.slope - slope) <= margin


def _overrule(behaviors: list[Behavior]) -> list[Behavior]:
    """Return behaviors that a formula refutes as unresolved; the edge of its domain remains."""
    return [
        behavior if behavior.kind is Kind.EDGE else replace(behavior, kind=Kind.UNRESOLVED)
        for behavior in behaviors
    ]


def _describe(name: str, along: str, behavior: Behavior) -> str:
    """Say why a partial derivative has no derivative along a line."""
    if behavior.kind is Kind.JUMP:
        return f"∂f/∂{name} jumps along {along}"
    left, right = _slope(behavior.left), _slope(behavior.right)
    return f"along {along} the slope of ∂f/∂{name} is {left} on the left, {right} on the right"
