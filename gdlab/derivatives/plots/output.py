"""Draw the pictures of a scene, and write them to files and for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdlab.derivatives.plots import curves, maps
from gdlab.derivatives.plots.chain import Inner, draw_map, draw_path
from gdlab.derivatives.plots.differences import draw_differences
from gdlab.derivatives.plots.scene import Errors, Scene, norm
from gdlab.derivatives.plots.surface import draw_surface
from gdlab.plots.landscape import MAX_SLICED
from gdlab.plots.style import render
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OF_VARIABLES = (("path", draw_path), ("inner", draw_map))


def pictures(
    scene: Scene, errors: Sequence[Errors] = (), inner: Inner | None = None
) -> dict[str, Callable[[], Figure]]:
    """Return what draws each picture of a scene, by name.

    One dimension: `curve` in the window, `local` near the point. More: `contour`, `local`,
    `surface` and `sections`; above 5,000 dimensions only `sections`, since a grid of the loss would
    cost more than everything else. With errors of finite differences: `differences`. With a
    composition: `path` if it has one variable, `inner` if it has two.
    """
    drawn: dict[str, Callable[[], Figure]] = {}
    if inner is not None and len(inner.names) <= len(_OF_VARIABLES):
        name, draw = _OF_VARIABLES[len(inner.names) - 1]
        drawn[name] = partial(draw, scene, inner)
    if scene.dim == 1:
        drawn["curve"] = partial(curves.draw_curve, scene)
        drawn["local"] = partial(curves.draw_curve, scene, near=True)
    else:
        if scene.dim <= MAX_SLICED:
            drawn["contour"] = partial(maps.draw_contour, scene)
            drawn["local"] = partial(maps.draw_neighborhood, scene)
            drawn["surface"] = partial(draw_surface, scene)
        drawn["sections"] = partial(curves.draw_sections, scene)
    if errors:
        drawn["differences"] = partial(draw_differences, scene, errors)
    return drawn


def draw_pictures(
    scene: Scene, errors: Sequence[Errors] = (), inner: Inner | None = None
) -> dict[str, Figure]:
    """Draw all pictures of a scene, by name."""
    return {name: draw() for name, draw in pictures(scene, errors, inner).items()}


def write_pictures(
    directory: Path, drawn: Mapping[str, Figure], formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write each picture as NAME.FORMAT into a folder, made if missing.

    Raises:
        OSError: a file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = {directory / f"{name}.{suffix}": name for name in drawn for suffix in formats}
    for path, name in written.items():
        write_atomically(path, render(drawn[name], path.suffix[1:]))
    return list(written)


def write_events(directory: Path, scene: Scene, drawn: Mapping[str, Figure], report: str) -> Path:
    """Write a scene for TensorBoard into a new event file of a run's directory.

    Each picture is an image under its name; the scalars at step 0 are `value`, `grad_norm` and, if
    there is a Hessian, `lambda_max`; the report is a text.

    Args:
        directory: the run's, such as `derivatives/beale` below the folder TensorBoard shows.
        scene: the loss at its point.
        drawn: pictures by name.
        report: Markdown.

    Returns:
        The event file.

    Raises:
        OSError: the file cannot be written.
    """
    numbers = {"value": scene.value, "grad_norm": norm(scene.gradient)}
    if scene.hessian is not None and np.isfinite(scene.hessian).all():
        numbers["lambda_max"] = float(np.linalg.eigvalsh(scene.hessian)[-1])
    with EventWriter(directory) as writer:
        # Groups that come after those of runs, see `gdlab.recording.curves`.
        scalars = {f"report/{name}": np.array([x]) for name, x in numbers.items()}
        writer.scalars(np.array([0]), scalars)
        writer.text("report", report)
        for name, figure in drawn.items():
            writer.image(f"pictures/{name}", 0, render(figure, "png"))
    return writer.path
