"""What a function is at a point, along a line: the verdicts of `local_behavior`."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from gdlab.derivatives.methods.finite_differences import DOUBT

_SAME = 1e-6  # of the slopes: less is no kink


class Kind(StrEnum):
    """What a function is at a point, along a line or to one side.

    To one side, SMOOTH means that there is a slope.
    """

    SMOOTH = "smooth"
    KINK = "a kink"
    JUMP = "a jump"
    VERTICAL = "a vertical tangent"
    EDGE = "the edge of the domain"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Side:
    """A function to one side of a point, as seen along a line.

    Attributes:
        kind: smooth, a jump, a vertical tangent, the edge of the domain or unresolved.
        slope: the one-sided derivative along the line; infinite for a vertical tangent, NaN if
            there is none or it is unknown.
        uncertainty: uncertainty of the slope.
        jump: the limit of the values less the value at the point; 0 unless it is a jump.
        step: the largest of the steps that show the slope; NaN without a slope.
    """

    kind: Kind
    slope: float = math.nan
    uncertainty: float = math.inf
    jump: float = 0.0
    step: float = math.nan

    def mirrored(self) -> "Side":
        """Return the side as seen along the opposite direction."""
        return replace(self, slope=-self.slope)


@dataclass(frozen=True)
class Behavior:
    """A function at a point along a line.

    Attributes:
        kind: what it is there; it has a derivative along the line only if it is smooth.
        left: the side against the direction.
        right: the side of the direction.
    """

    kind: Kind
    left: Side
    right: Side

    @classmethod
    def between(cls, left: Side, right: Side) -> "Behavior":
        """Return what a function is between its two sides."""
        kinds = {left.kind, right.kind}
        for kind in (Kind.JUMP, Kind.VERTICAL, Kind.EDGE, Kind.UNRESOLVED):
            if kind in kinds:
                return cls(kind, left, right)
        scale = max(abs(left.slope), abs(right.slope))
        margin = max(DOUBT * (left.uncertainty + right.uncertainty), _SAME * scale)
        is_kink = abs(left.slope - right.slope) > margin
        return cls(Kind.KINK if is_kink else Kind.SMOOTH, left, right)

    @property
    def slope(self) -> float:
        """The derivative along the line; NaN if there is none or it is unknown."""
        best = min(self.left, self.right, key=lambda side: side.uncertainty)
        return best.slope if self.kind is Kind.SMOOTH else math.nan

    @property
    def uncertainty(self) -> float:
        """Uncertainty of the derivative along the line."""
        return min(self.left.uncertainty, self.right.uncertainty)

    @property
    def has_no_derivative(self) -> bool:
        """Whether it is certain that there is no derivative at the point."""
        return self.kind not in (Kind.SMOOTH, Kind.UNRESOLVED)


UNKNOWN = Behavior(Kind.UNRESOLVED, Side(Kind.UNRESOLVED), Side(Kind.UNRESOLVED))
"""What is not known on either side."""
