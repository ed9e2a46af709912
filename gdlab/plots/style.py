"""What all pictures share: fonts, grid, titles, legends, and encoding as PNG, SVG or PDF."""

from __future__ import annotations

import functools
import io
import math
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
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
TITLE_INCHES, SUBTITLE_INCHES = 0.24, 0.44  # from the top of the figure
NOTE_HEIGHT = 0.012  # as a fraction of the figure
FORMATS = ("png", "svg", "pdf")
"""The formats of pictures, by their suffixes."""
Size: TypeAlias = tuple[float, float]
"""Width and height of a picture in inches, 100 pixels each in a PNG."""
DASHES = (0, (5, 3))
GREATEST = 1e250
"""Numbers from here on are not drawn."""
_TITLE_CHARACTERS = 11.5  # per inch, that fit in full size
_TITLE_WIDTH = 0.97  # of the page
_MAX_NAME, _MAX_IN_LEGEND = 36, 44  # characters over a panel; in a legend on a wide page
_LEGEND_CHARACTERS, _KEY_CHARACTERS = 14, 8  # per inch; that a line and its gaps take
_NO_DATES = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def drawable(values: np.ndarray) -> np.ndarray:
    """Return values as float64, those from 1e250 on as NaN: limits and ticks would overflow."""
    wide = np.asarray(values, dtype=np.float64)
    return np.where(np.abs(wide) < GREATEST, wide, np.nan)


def count_outside(axes: Axes, values: np.ndarray) -> int:
    """Return how many values are beyond the vertical axis; unknown ones, NaN, are not."""
    low, high = axes.get_ylim()
    return int(((values < low) | (values > high)).sum())


def note_outside(outside: int, count: int, what: str = "recorded steps") -> str:
    """Say how many of some things a view does not show; empty if it shows all."""
    return f"{outside:,} of {count:,} {what} outside the view" if outside else ""


def note_leaving(leaving: int, count: int, what: str) -> str:
    """Say how many of some lines leave a view; empty if none does."""
    return f"{leaving:,} of {count:,} {what} leave the view" if leaving else ""


def join_notes(*notes: str) -> str:
    """Return the notes that are not empty as one line."""
    return "   ·   ".join(filter(None, notes))


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

    # Setting the backend key would change a notebook's backend for good. Equal pictures give equal
    # bytes with a fixed salt.
    defaults = {k: v for k, v in rcParamsDefault.items() if k != "backend"}
    return defaults | {"svg.hashsalt": "gdlab"}


def new_figure(size: Size, *, constrained: bool = False) -> Figure:
    """Return an empty figure, unknown to pyplot; constrained ones cut no label off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from gdlab.plots.figure import Picture

    layout = "constrained" if constrained else None
    return FigureCanvasAgg(Picture(figsize=size, dpi=100, layout=layout)).figure


def panel(size: Size, box: tuple[float, float, float, float]) -> tuple[FigureCanvasAgg, Axes]:
    """Return the canvas of a new figure, and axes in a box (fractions of it)."""
    figure = new_figure(size)
    canvas: Any = figure.canvas
    return canvas, figure.add_axes(box)


def panel_box(size: Size, *, left: float, right: float, bottom: float, top: float) -> Any:
    """Return the box (left, bottom, width, height) inside margins in inches, as fractions."""
    width, height = size
    across, up = max(width - left - right, 0.5), max(height - bottom - top, 0.5)
    return left / width, bottom / height, across / width, up / height


def title_look(title: str, width: float = 6.4) -> dict[str, Any]:
    """Return the style of a title on a page of a width in inches; long ones are smaller."""
    return {**TITLE, "size": _fit(title, TITLE, _TITLE_CHARACTERS, width)}


def _fit(text: str, look: Mapping[str, Any], characters: float, width: float) -> float:
    """Return the size of a line, smaller where it has more characters an inch or is too wide."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    # Digits, capitals and w are wider than the mean character, so the line is measured too.
    points, *_ = text_to_path.get_text_width_height_descent(text, FontProperties(**look), False)
    by_count = characters * width / max(1, len(text))
    by_measure = _TITLE_WIDTH * 72 * width / max(1, points)
    return look["size"] * min(1.0, by_count, by_measure)


def from_top(figure: Figure, inches: float) -> float:
    """Return the height on a page, as a fraction, that is some inches below its top."""
    return 1 - inches / figure.get_figheight()


def draw_title(figure: Figure, title: str, subtitle: str) -> None:
    """Write two lines above the panel, without interpreting them as TeX."""
    look: dict[str, Any] = {"ha": "center", "color": INK, "parse_math": False}
    width = figure.get_figwidth()
    figure.text(0.5, from_top(figure, TITLE_INCHES), title, **title_look(title, width), **look)
    look["size"] = _fit(subtitle, SUBTITLE, 1.2 * _TITLE_CHARACTERS, width)
    figure.text(0.5, from_top(figure, SUBTITLE_INCHES), subtitle, **look)


def head_chart(figure: Figure, title: str, subtitle: str = "", note: str = "") -> None:
    """Write a title and up to two lines on a constrained figure, and lay it out: call this last."""
    draw_title(figure, title, subtitle)
    inches = 0.08 + (SUBTITLE_INCHES if subtitle else TITLE_INCHES if title else 0.0)
    if note:
        inches += 0.16
        look: dict[str, Any] = {"ha": "center", "color": INK, "parse_math": False, **NOTE}
        figure.text(0.5, from_top(figure, inches - 0.06), note, **look)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, 0, 1, from_top(figure, inches)))
    # Now and for good: each further layout, as in another format, would move things a little.
    engine.execute(figure)
    figure.set_layout_engine("none")


def finish_chart(axes: Axes, xlabel: str = "", ylabel: str = "") -> None:
    """Give axes their names, small ticks and a pale grid behind everything."""
    axes.set_xlabel(xlabel, size=9, parse_math=False)
    axes.set_ylabel(ylabel, size=9, parse_math=False)
    axes.tick_params(labelsize=8, length=3)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def draw_legend(figure: Figure, keys: Mapping[str, dict[str, Any]], height: float) -> None:
    """Draw a row of marks and their names below the panel, where it covers nothing."""
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[Line2D([0, 1], [0, 0], **look, label=name) for name, look in keys.items()],
        loc="lower center",
        bbox_to_anchor=(0.5, height),
        ncols=legend_columns(figure.get_figwidth(), [*keys]),
        frameon=False,
        fontsize=8.5,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def draw_names(figure: Figure, handles: Sequence[Any], title: str = "") -> None:
    """Draw a legend below a constrained chart, which covers no curve, whatever its labels hold."""
    # By themselves, labels that are empty or begin with an underscore would be left out.
    room = int(figure.get_figwidth() * _LEGEND_CHARACTERS) - _KEY_CHARACTERS
    most = min(_MAX_IN_LEGEND, room)
    names = [shorten(str(handle.get_label()), most) for handle in handles]
    legend = figure.legend(
        handles,
        names,
        title=title,
        loc="outside lower center",
        ncols=legend_columns(figure.get_figwidth(), names),
        frameon=False,
        fontsize=8.5,
        title_fontsize=9,
        columnspacing=1.6,
        labelspacing=0.3,
    )
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)


def legend_columns(inches: float, names: Sequence[str]) -> int:
    """Return how many columns of a legend fit on a page of some width in inches."""
    width = inches * _LEGEND_CHARACTERS
    if sum(map(len, names)) + _KEY_CHARACTERS * len(names) <= width:
        return len(names)
    return max(1, int(width) // (max(map(len, names)) + _KEY_CHARACTERS))


def legend_rows(inches: float, names: Sequence[str]) -> int:
    """Return how many rows a legend has on a page of some width in inches."""
    return math.ceil(len(names) / legend_columns(inches, names)) if names else 0


def shorten(text: str, most: int = _MAX_NAME) -> str:
    """Return a text of at most so many characters, by default as many as fit over a panel."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


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


def render(figure: Figure, suffix: str) -> bytes:
    """Return a figure as the bytes of a PNG, SVG or PDF without dates: equal ones are equal.

    Raises:
        ValueError: the suffix is none of `FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if suffix not in FORMATS:
        raise ValueError(f"suffix={suffix}: must be one of {', '.join(FORMATS)}")
    with style():
        if suffix == "png":
            return png(FigureCanvasAgg(figure))
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, metadata=_NO_DATES[suffix])
        return buffer.getvalue()
