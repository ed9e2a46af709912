"""Draw the pictures of a report, into its directory and for TensorBoard."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gdlab.derivatives.full_report import Report
from gdlab.derivatives.plots.output import draw_pictures, write_events, write_pictures
from gdlab.derivatives.plots.scene import Errors, Scene
from gdlab.derivatives.point import LossAtPoint
from gdlab.recording.run_plots import landscape_of

_MOST_ERRORS = 6


def draw(directory: Path, report: Report) -> None:
    """Draw the pictures of a report as PNG and SVG and into an event file.

    Raises:
        OSError: a file cannot be written.
    """
    at, question = report.loss_at_point, report.question
    assert at is not None
    direction = question.unit_direction() if "directional" in report.findings else None
    gradient = _existing_gradient(at)
    has_hessian = "hessian" in report.findings and not at.missing_curvatures
    scene = Scene(
        landscape=landscape_of(at.loss, question.name),
        at=at.x.numpy(),
        value=float(at.value),
        gradient=gradient.numpy(),
        hessian=at.hessian.numpy() if has_hessian else None,
        direction=None if direction is None else direction.numpy(),
    )
    with np.errstate(all="ignore"):  # numbers near the ends of the range
        drawn = draw_pictures(scene, _errors(at, scene) if "gradient" in report.findings else ())
    write_pictures(directory, drawn)
    write_events(directory, scene, drawn, f"```text\n{report.text}```")


def _existing_gradient(at: LossAtPoint) -> Tensor:
    """Return the gradient (D,), NaN where there is no partial derivative: none is drawn then."""
    if at.is_large or not at.flaws:
        return at.gradient
    is_missing = [behavior.has_no_derivative for behavior in at.differentiability.along_axes]
    return torch.where(torch.tensor(is_missing) | (not any(is_missing)), math.nan, at.gradient)


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
