"""Whether a loss has a gradient at a point, found from its values.

Shapes: D dimensions, n directions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from gdlab.derivatives.finding import number, vector
from gdlab.derivatives.methods.finite_differences import DOUBT, widest_step
from gdlab.derivatives.methods.local_behavior import Behavior, Kind, Side, local_behavior
from gdlab.numerics import rng
from gdlab.numerics.autodiff import value_and_gradient

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
    return "undefined" if math.isnan(side.slope) else number(side.slope)


def describe_missing_curvature(name: str, along: str, behavior: Behavior) -> str:
    """Say why a partial derivative has no derivative along an axis."""
    if behavior.kind is Kind.JUMP:
        return f"∂f/∂{name} jumps along {along}"
    left, right = _slope(behavior.left), _slope(behavior.right)
    slope = f"along {along} the slope of ∂f/∂{name} is"
    return f"{slope} {left} on the left, {right} on the right"


class Differentiability:
    """What a loss is at a point along the axes and along a few other lines.

    Args:
        f: maps points (..., D) to values (...).
        x: the point (D,).
        value: f(x).
        gradient: autograd's gradient there (D,).
        names: names of the D coordinates.
    """

    def __init__(
        self,
        f: Callable[[Tensor], Tensor],
        x: Tensor,
        value: float,
        gradient: Tensor,
        names: Sequence[str],
    ) -> None:
        self._f, self._x, self._value, self._gradient = f, x, value, gradient
        self._names = names

    @cached_property
    def along_axes(self) -> list[Behavior]:
        """What the loss is along each axis."""
        axes = torch.eye(len(self._x), dtype=self._x.dtype)
        return local_behavior(self._f, self._x, axes, self._gradient)

    @cached_property
    def flaws(self) -> list[Flaw]:
        """The axes along which there is no derivative; else another line that shows no gradient."""
        triples = zip(self._names, self.along_axes, self._gradient.tolist(), strict=True)
        along_axes = [
            Flaw(name, behavior, self._value, slope)
            for name, behavior, slope in triples
            if behavior.has_no_derivative
        ]
        return along_axes or self._oblique_flaws()

    @cached_property
    def of_partials(self) -> list[list[Behavior]]:
        """What autograd's partial derivative by xᵢ is along the axis of xⱼ, for all i and j.

        Unresolved where the loss is. Where it has no partial derivative, that of the loss stands.
        """
        dim, first = len(self._x), self.along_axes
        axes, flat = torch.eye(dim, dtype=self._x.dtype), torch.zeros_like(self._x)
        steps = axes * widest_step(self._x.abs())
        far = value_and_gradient(self._f, torch.cat((self._x + steps, self._x - steps)))[1]
        largest = float(torch.where(far.isfinite(), far.abs(), 0.0).max())
        rows = []
        for i in range(dim):
            row = local_behavior(partial(self._partial, i), self._x, axes, flat, largest)
            if first[i].has_no_derivative:
                row = [first[i]] * dim
            pairs = zip(row, first, strict=True)
            rows.append([b if b.kind is Kind.UNRESOLVED else a for a, b in pairs])
        return rows

    def _partial(self, i: int, points: Tensor) -> Tensor:
        """Return autograd's partial derivative by xᵢ at points (n, D)."""
        with torch.enable_grad():
            return value_and_gradient(self._f, points)[1][:, i]

    def _oblique_flaws(self) -> list[Flaw]:
        """Return a line between the axes along which the slope is not that of the gradient."""
        dim = len(self._x)
        if dim < 2 or not bool(self._gradient.isfinite().all()):
            return []
        signs = 1.0 - 2.0 * (torch.arange(dim, dtype=self._x.dtype) % 2)
        counters = torch.arange(_OBLIQUE)[:, None], torch.arange(dim)
        random = rng.normal(torch.tensor(0), rng.Stream.START, *counters)
        lines = torch.cat((torch.ones_like(signs)[None], signs[None], random))
        lines = lines / lines.norm(dim=1, keepdim=True)
        slopes = lines @ self._gradient
        behaviors = local_behavior(self._f, self._x, lines, slopes)
        scale = float(self._gradient.abs().max())
        for line, behavior, slope in zip(lines, behaviors, slopes.tolist(), strict=True):
            margin = DOUBT * behavior.uncertainty + _SAME * scale
            differs = behavior.kind is Kind.SMOOTH and abs(behavior.slope - slope) > margin
            if behavior.has_no_derivative or (differs and self._partials_are_right()):
                return [Flaw(vector(line, 6), behavior, self._value, slope)]
        return []

    def _partials_are_right(self) -> bool:
        """Whether autograd's partial derivatives are those of the loss: else they are to blame."""
        pairs = zip(self.along_axes, self._gradient.tolist(), strict=True)
        scale = float(self._gradient.abs().max())
        return all(
            behavior.kind is Kind.SMOOTH
            and abs(behavior.slope - slope) <= DOUBT * behavior.uncertainty + _SAME * scale
            for behavior, slope in pairs
        )
