"""Draw the pictures of a scene, and write them to files and for TensorBoard."""

from __future__ import annotations

import io
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
from gdlab.derivatives.question import FORMATS
from gdlab.errors import SettingError
from gdlab.plots import style
from gdlab.plots.landscape import MAX_SLICED
from gdlab.recording.event_file import EventWriter
from gdlab.recording.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NO_DATES = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_OF_VARIABLES = (("path", draw_path), ("inner", draw_map))
_SALT = "gdlab"  # for the identifiers inside an SVG, which would otherwise be random


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


def render_png(figure: Figure) -> bytes:
    """Render a picture as PNG at 100 pixels per inch; equal pictures give equal bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with style.style():
        return style.png(FigureCanvasAgg(figure))


def render(figure: Figure, suffix: str) -> bytes:
    """Render a picture as PNG, SVG or PDF without a date; equal pictures give equal bytes."""
    if suffix == "png":
        return render_png(figure)
    buffer = io.BytesIO()
    with style.style({"svg.hashsalt": _SALT}):
        figure.savefig(buffer, format=suffix, metadata=_NO_DATES[suffix])
    return buffer.getvalue()


def write_picture(path: Path, figure: Figure) -> None:
    """Write a picture in the format of the path's suffix.

    Raises:
        SettingError: there is no such format.
        OSError: the file cannot be written.
    """
    suffix = path.suffix[1:]
    if suffix not in FORMATS:
        raise SettingError(f"path={path}: the suffix must be one of {', '.join(FORMATS)}")
    write_atomically(path, render(figure, suffix))


def write_pictures(
    directory: Path, drawn: Mapping[str, Figure], formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write each picture as NAME.FORMAT into a folder, made if missing.

    Raises:
        OSError: a file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = [directory / f"{name}.{suffix}" for name in drawn for suffix in formats]
    for path in written:
        write_picture(path, drawn[path.stem])
    return written


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
            writer.image(f"pictures/{name}", 0, render_png(figure))
    return writer.path
