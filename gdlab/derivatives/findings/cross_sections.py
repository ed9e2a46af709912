"""Cross-sections: the loss along each axis through a point, with the tangent line.

Shapes: D dimensions, m points of a section.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table
from gdlab.derivatives.findings.second_differences import flaw_of_hessian
from gdlab.derivatives.methods.finite_differences import values_at
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import linear_combination, number_or_undefined, offset_from

_SECTIONS = 12
_POINTS = 41
_SHOWN = 5


@dataclass(frozen=True)
class CrossSection:
    """The loss as a function of one coordinate, with the others fixed.

    Attributes:
        name: name of the coordinate.
        coordinate: its values (m,), centered on the point.
        loss: the loss at these values (m,).
        tangent: the tangent line at these values (m,).
        line: the equation of the tangent line.
        slope: its slope, the partial derivative.
        curvature: the second partial derivative; None if not requested, or if autograd's is wrong.
        flaw: what the loss is along the coordinate if it has no tangent line; None if it has one.
    """

    name: str
    coordinate: Tensor
    loss: Tensor
    tangent: Tensor
    line: str
    slope: float
    curvature: float | None
    flaw: str | None


@dataclass(frozen=True)
class CrossSections(Finding):
    """The loss along each axis through a point.

    Attributes:
        sections: one for each of the first coordinates.
    """

    sections: tuple[CrossSection, ...]

    def section(self) -> Section:
        """Return the tangent lines and a few values of each section."""
        stride = (_POINTS - 1) // (_SHOWN - 1)
        rows = []
        for cut in self.sections:
            for name, values in (
                (cut.name, cut.coordinate),
                ("f", cut.loss),
                ("tangent", cut.tangent),
            )[: 3 if cut.flaw is None else 2]:
                rows.append((name, *(number_or_undefined(value, 5) for value in values[::stride])))
        lines = []
        for cut in self.sections:
            if cut.flaw is not None:
                lines.append((f"along {cut.name}", f"no tangent line: {cut.flaw}"))
                continue
            curvature = number_or_undefined(cut.curvature, 5)
            curved = "" if cut.curvature is None else f", curvature {curvature}"
            lines.append((f"along {cut.name}", f"z = {cut.line}{curved}"))
        return Section("Cross-sections", lines, Table(("",) * (_SHOWN + 1), rows))


def cross_sections(at: LossAtPoint, *, curved: bool = True) -> CrossSections:
    """Evaluate the loss along each axis, a quarter of its window to either side of the point.

    Args:
        at: the loss and the point.
        curved: whether to include curvatures, which need second derivatives.
    """
    count = min(len(at.x), _SECTIONS)
    curved = curved and (bool(at.missing_curvatures) or flaw_of_hessian(at) is None)
    return CrossSections(tuple(_section(at, i, curved=curved) for i in range(count)))


def _section(at: LossAtPoint, i: int, *, curved: bool) -> CrossSection:
    coordinate, slope = at.x[i], at.slopes[i]
    middle = _POINTS // 2
    offsets = _half_width(at, i) * (torch.arange(_POINTS, dtype=at.x.dtype) - middle) / middle
    points = at.x.repeat(_POINTS, 1)
    points[:, i] = coordinate + offsets
    name = at.names[i]
    behavior = None if at.is_large else at.differentiability.along_axes[i]
    flaw = None if behavior is None or not behavior.has_no_derivative else str(behavior.kind)
    if flaw is None and not bool(slope.isfinite()):
        flaw = f"autograd's slope is {number_or_undefined(slope, 5)}"
    line = [(float(at.value), ""), (float(slope), offset_from(name, float(coordinate)))]
    return CrossSection(
        name=name,
        coordinate=points[:, i],
        loss=values_at(at.loss, points),
        tangent=at.value + slope * offsets,
        line=linear_combination(line),
        slope=float(slope),
        curvature=float(at.hessian[i, i]) if curved and at.has_curvature(i) else None,
        flaw=flaw,
    )


def _half_width(at: LossAtPoint, i: int) -> float:
    window = at.loss.window
    if window is None:
        return max(1.0, float(at.x[i].abs())) / 2
    low, high = at.loss.tensor(window)[i].tolist()
    return (high - low) / 4
