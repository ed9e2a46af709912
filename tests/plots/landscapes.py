"""Losses to draw, in closed form, and the pixels of their pictures.

Shapes: D dimensions.
"""

import io
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from gdlab.plots.projection import Landscape
from gdlab.plots.style import render


def bowl(curvatures, *, window=None, minimizers=True, title="bowl $1 _a") -> Landscape:
    """½ Σ hᵢ xᵢ² with its minimizer at zero; the title is invalid TeX."""
    h = np.asarray(curvatures, dtype=float)
    return Landscape(
        value=lambda x: 0.5 * (h * x * x).sum(axis=-1),
        gradient=lambda x: h * x,
        names=tuple(f"x{i}" for i in range(len(h))),
        title=title,
        window=None if window is None else np.tile([-window, window], (len(h), 1)).astype(float),
        minimizers=np.zeros((1, len(h))) if minimizers else None,
        minimum=0.0 if minimizers else None,
    )


def pixels(png: bytes) -> np.ndarray:
    """Return the colors of a picture: (height, width, 3), from 0 to 1."""
    return imread(io.BytesIO(png))[..., :3]


def png_of(draw: Callable[..., Figure]) -> Callable[..., bytes]:
    """Return a function that draws a picture as a PNG."""
    return lambda *args, **named: render(draw(*args, **named), "png")


def points_of(line: Line2D) -> np.ndarray:
    """The points of a line (2, m)."""
    return np.asarray(line.get_xydata(), dtype=float).T
