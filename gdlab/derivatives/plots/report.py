"""Draw the pictures of a report, into its directory and for TensorBoard."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gdlab.derivatives.findings.chain_rule import ChainRule
from gdlab.derivatives.findings.hessian import SecondOrder
from gdlab.derivatives.findings.search import CriticalPoints
from gdlab.derivatives.full_report import Report
from gdlab.derivatives.methods.formulas import Formulas
from gdlab.derivatives.plots.chain import Inner
from gdlab.derivatives.plots.output import pictures, write_events, write_pictures
from gdlab.derivatives.plots.scene import Errors, Scene
from gdlab.derivatives.point import LossAtPoint
from gdlab.derivatives.wording import shorten
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.paths import user_path
from gdlab.plots.projection import Landscape
from gdlab.plots.style import FORMATS
from gdlab.recording.figures import Look, check_kind
from gdlab.recording.run_plots import landscape_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ERRORS = 6
_KINDS = ("minimum", "saddle", "maximum", "degenerate")  # in the order of the legend


def draw(directory: Path, report: Report) -> None:
    """Draw the pictures of a report in the formats asked for, and into an event file.

    Raises:
        OSError: a file cannot be written.
    """
    scene = scene_of(report)
    with np.errstate(all="ignore"):  # numbers near the ends of the range
        drawn = {name: make() for name, make in pictures_of(report, scene).items()}
    write_pictures(directory, drawn, report.question.formats)
    write_events(directory, scene, drawn, f"```text\n{report.text}```")


def draw_figure(report: Report, kind: str, look: Look) -> "Figure":
    """Draw one picture of a report; see `Report.draw`."""
    drawn = pictures_of(report, scene_of(report, look.title, look.size))
    check_kind(kind, drawn)
    return look.draw(drawn[kind])


def draw_figures(report: Report, look: Look, folder: str | Path | None) -> "dict[str, Figure]":
    """Draw all pictures of a report, also into a folder unless it is None; see `Report.draw`."""
    with np.errstate(all="ignore"):  # numbers near the ends of the range
        drawn = pictures_of(report, scene_of(report, look.title, look.size))
        figures = {name: make() for name, make in drawn.items()}
    if folder is not None:
        write_pictures(user_path(folder), figures, FORMATS[:1])
    return figures


def pictures_of(report: Report, scene: Scene) -> dict[str, Callable[[], "Figure"]]:
    """Return what draws each picture of a report, by name."""
    at = report.loss_at_point
    assert at is not None
    errors = _errors(at, scene) if "gradient" in report.findings else ()
    return pictures(scene, errors, _inner(report, scene))


def scene_of(
    report: Report, heading: str | None = None, size: tuple[float, float] | None = None
) -> Scene:
    """Return what the pictures of a report show.

    Args:
        report: on a loss at a point.
        heading: the first line of the pictures; None for the loss and the point.
        size: width and height in inches; None for the usual ones.
    """
    at, question = report.loss_at_point, report.question
    assert at is not None
    direction = question.unit_direction() if "directional" in report.findings else None
    hessian = report.findings.get("hessian")
    has_hessian = isinstance(hessian, SecondOrder) and hessian.flaw is None
    partials, is_flawed = _partials(at), not at.is_large and bool(at.flaws)
    landscape = landscape_of(at.loss, shorten(question.title))
    window = question.window_tensor() if question.find else None
    return Scene(
        landscape if window is None else replace(landscape, window=window.numpy()),
        at=at.x.numpy(),
        value=float(at.value),
        gradient=np.full_like(partials, math.nan) if is_flawed else partials,
        hessian=at.hessian.numpy() if has_hessian else None,
        direction=None if direction is None else direction.numpy(),
        partials=partials if is_flawed else None,
        critical=_critical_points(report),
        heading=heading,
        size=size,
    )


def _critical_points(report: Report) -> dict[str, np.ndarray]:
    """Return the critical points found (m, D), by kind."""
    found = report.findings.get("critical_points")
    by_kind: dict[str, list[np.ndarray]] = {kind: [] for kind in _KINDS}
    for point in found.points if isinstance(found, CriticalPoints) else ():
        by_kind[str(point.critical.kind)].append(point.at.numpy())
    return {kind: np.stack(points) for kind, points in by_kind.items() if points}


def _inner(report: Report, scene: Scene) -> Inner | None:
    """Return the formulas inside a composition; None if the report is on a loss at a point."""
    finding = next((each for each in report.findings.values() if isinstance(each, ChainRule)), None)
    if finding is None:
        return None
    formulas, loss = (
        Formulas("inner", finding.formulas, finding.variables),
        report.question.objective,
    )

    def composed(points: Tensor) -> Tensor:
        return loss(formulas(points))

    def coordinates(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return formulas(torch.from_numpy(points)).numpy()

    def value(points: np.ndarray) -> np.ndarray:
        return scene.landscape.value(coordinates(points))

    def slopes(points: np.ndarray) -> np.ndarray:
        flat = torch.from_numpy(points.reshape(-1, points.shape[-1]))
        return value_and_gradient(composed, flat)[1].numpy().reshape(points.shape)

    return Inner(
        names=finding.variables,
        coordinates=finding.formulas,
        outer=finding.names,
        of=coordinates,
        at=finding.at.numpy(),
        jacobian=torch.stack([each.inner for each in finding.derivatives], 1).numpy(),
        slopes=np.array([each.chain_rule for each in finding.derivatives]),
        whole=Landscape(value, slopes, finding.variables, scene.landscape.title),
    )


def _partials(at: LossAtPoint) -> np.ndarray:
    """Return the partial derivatives (D,), NaN where there is none."""
    if at.is_large or not at.flaws:
        return at.gradient.numpy()
    is_missing = [behavior.has_no_derivative for behavior in at.differentiability.along_axes]
    return torch.where(torch.tensor(is_missing), math.nan, at.gradient).numpy()


def _errors(at: LossAtPoint, scene: Scene) -> list[Errors]:
    """Compute the errors of differences for the coordinates with the largest partials."""
    differences, exact = at.differences, at.gradient
    chosen = sorted(scene.rank_coordinates()[:_MOST_ERRORS].tolist())
    return [
        Errors(
            at.names[i],
            differences.h[i].numpy(),
            (differences.central[i] - exact[i]).abs().numpy(),
            (differences.forward[i] - exact[i]).abs().numpy(),
        )
        for i in chosen
    ]
