"""Cross-sections: the loss along each axis through a point, with the tangent line.

Shapes: D dimensions, C coordinates shown, m points of a section.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.derivatives.finding import Finding, Section, Table, number
from gdlab.derivatives.methods.finite_differences import values_at
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import linear_combination, offset_from

_SECTIONS = 12
_POINTS = 41
_SHOWN = 5


@dataclass(frozen=True)
class CrossSection:
    """The loss of one coordinate, the others staying what they are.

    Attributes:
        name: of the coordinate.
        coordinate: its values (m,), the point's own in the middle.
        loss: there (m,).
        tangent: the tangent line there (m,).
        line: its equation.
        slope: of the line, the partial derivative.
        curvature: the second partial derivative; None where none was asked for.
    """

    name: str
    coordinate: Tensor
    loss: Tensor
    tangent: Tensor
    line: str
    slope: float
    curvature: float | None


@dataclass(frozen=True)
class CrossSections(Finding):
    """The loss along each axis through a point.

    Attributes:
        sections: of the first coordinates.
    """

    sections: tuple[CrossSection, ...]

    def section(self) -> Section:
        """The tangent lines, and some values of each section above them."""
        every = (_POINTS - 1) // (_SHOWN - 1)
        rows = []
        for cut in self.sections:
            for name, values in (
                (cut.name, cut.coordinate),
                ("f", cut.loss),
                ("tangent", cut.tangent),
            ):
                rows.append((name, *(number(value, 5) for value in values[::every])))
        lines = []
        for cut in self.sections:
            curved = "" if cut.curvature is None else f", curvature {number(cut.curvature, 5)}"
            lines.append((f"along {cut.name}", f"z = {cut.line}{curved}"))
        return Section("Cross-sections", lines, Table(("",) * (_SHOWN + 1), rows))


def cross_sections(place: LossAtPoint, *, curved: bool = True) -> CrossSections:
    """The loss along the axes through a point, a quarter of its window to either side.

    Args:
        place: the loss and the point.
        curved: whether to give curvatures, for which the loss must have second derivatives.
    """
    count = min(len(place.x), _SECTIONS)
    return CrossSections(tuple(_section(place, i, curved=curved) for i in range(count)))


def _section(place: LossAtPoint, i: int, *, curved: bool) -> CrossSection:
    at, slope = place.x[i], place.gradient[i]
    middle = _POINTS // 2
    away = _reach(place, i) * (torch.arange(_POINTS, dtype=at.dtype) - middle) / middle
    points = place.x.repeat(_POINTS, 1)
    points[:, i] = at + away
    name = place.names[i]
    line = [(float(place.value), ""), (float(slope), offset_from(name, float(at)))]
    return CrossSection(
        name=name,
        coordinate=points[:, i],
        loss=values_at(place.loss, points),
        tangent=place.value + slope * away,
        line=linear_combination(line),
        slope=float(slope),
        curvature=float(place.hessian[i, i]) if curved else None,
    )


def _reach(place: LossAtPoint, i: int) -> float:
    window = place.loss.window
    if window is None:
        return max(1.0, float(place.x[i].abs())) / 2
    low, high = place.loss.tensor(window)[i].tolist()
    return (high - low) / 4
