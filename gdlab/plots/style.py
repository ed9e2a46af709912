"""What all pictures share: style, titles, legend, and encoding as a PNG."""

from __future__ import annotations

import functools
import io
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from PIL.Image import Image

INK = "#222222"
MINIMIZER = {
    "marker": "*",
    "markersize": 15,
    "color": "#ffd23f",
    "markeredgecolor": INK,
    "markeredgewidth": 0.8,
    "linestyle": "none",
}
TITLE = {"size": 11.0, "weight": "bold"}
SUBTITLE = {"size": 9.5}
NOTE = {"size": 8}
TITLE_HEIGHT, SUBTITLE_HEIGHT, NOTE_HEIGHT = 0.957, 0.921, 0.012  # as fractions of the figure
GREATEST = 1e250
"""Numbers from here on are not drawn."""
_TITLE_CHARACTERS = 72  # that fit in full size


def drawable(values: np.ndarray) -> np.ndarray:
    """Return values as float64, those from 1e250 on as NaN: limits and ticks would overflow."""
    wide = np.asarray(values, dtype=np.float64)
    return np.where(np.abs(wide) < GREATEST, wide, np.nan)


@contextmanager
def style(changes: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Use matplotlib's defaults, whatever a matplotlibrc or a notebook has set.

    A character that the font lacks is drawn as a box, without a warning.

    Args:
        changes: of these defaults.
    """
    _import_matplotlib()
    from matplotlib import rc_context

    with warnings.catch_warnings(), rc_context(_defaults() | dict(changes or {})):
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


@functools.cache
def _import_matplotlib() -> None:
    """Import matplotlib even where MPLBACKEND names a backend that this process does not have.

    Pictures need no backend. A notebook sets the variable for all commands started from it.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):  # for the pictures of others in this process
            matplotlib.rcParams["backend"] = backend


@functools.cache
def _defaults() -> Any:
    from matplotlib import rcParamsDefault

    # Setting the backend key would change a notebook's backend for good.
    return {k: v for k, v in rcParamsDefault.items() if k != "backend"}


def panel(
    size: tuple[float, float], box: tuple[float, float, float, float]
) -> tuple[FigureCanvasAgg, Axes]:
    """Return a figure (size in inches, 100 pixels each) and axes in a box (fractions of it)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=size, dpi=100))
    return canvas, canvas.figure.add_axes(box)


def title_look(title: str) -> dict[str, Any]:
    """Return the style of a title; long ones are smaller."""
    return {**TITLE, "size": TITLE["size"] * min(1.0, _TITLE_CHARACTERS / max(1, len(title)))}


def draw_title(figure: Figure, title: str, subtitle: str) -> None:
    """Write two lines above the panel, without interpreting them as TeX."""
    look = {"ha": "center", "color": INK, "parse_math": False}
    figure.text(0.5, TITLE_HEIGHT, title, **title_look(title), **look)
    figure.text(0.5, SUBTITLE_HEIGHT, subtitle, **SUBTITLE, **look)


def draw_legend(figure: Figure, keys: Mapping[str, dict[str, Any]], height: float) -> None:
    """Draw a row of marks and their names below the panel, where it covers nothing."""
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[Line2D([0, 1], [0, 0], **look, label=name) for name, look in keys.items()],
        loc="lower center",
        bbox_to_anchor=(0.5, height),
        ncols=len(keys),
        frameon=False,
        fontsize=8.5,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def draw_names(axes: Axes, lines: Sequence[Line2D]) -> None:
    """Draw a legend in the panel of the labels of lines, whatever characters they have."""
    # By themselves, labels that are empty or begin with an underscore would be left out.
    names = [str(line.get_label()) for line in lines]
    legend = axes.legend(lines, names, fontsize=8.5, loc="best", framealpha=0.9)
    for text in legend.get_texts():
        text.set_parse_math(False)


def label(axes: Axes, x: str, y: str) -> None:
    """Label both axes."""
    axes.set_xlabel(x, size=9, parse_math=False)
    axes.set_ylabel(y, size=9, parse_math=False)
    axes.tick_params(labelsize=8, length=3)
    axes.ticklabel_format(scilimits=(-3, 4))  # longer ones would push the name off the page


def image(canvas: FigureCanvasAgg) -> Image:
    """Return what is drawn on a canvas."""
    from PIL.Image import frombytes

    size = canvas.get_width_height()
    return frombytes("RGB", size, np.asarray(canvas.buffer_rgba()), "raw", "RGBX")


def encode(picture: Image) -> bytes:
    """Encode a PNG without metadata: the same picture gives the same bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "png", compress_level=3)
    return buffer.getvalue()


def png(canvas: FigureCanvasAgg) -> bytes:
    """Draw a canvas and return its PNG."""
    canvas.draw()
    return encode(image(canvas))
