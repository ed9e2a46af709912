"""The loss of runs over their steps: one run beside its bound in theory, or several together.

Shapes: n records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gdlab.plots.colors import ALONE, Palette
from gdlab.plots.multiples import GHOST, chosen, label_panels, name_panel, note_of, small_panels
from gdlab.plots.style import (
    DASHES,
    GREATEST,
    INK,
    Size,
    draw_names,
    drawable,
    finish_chart,
    head_chart,
    new_figure,
    shorten,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "draw_convergence", "draw_curves", "draw_loss", "fill_curves", "is_drawable"]

_SIZE = (6.4, 4.4)
_DEEPEST = 1e-30  # of the highest value: lower ones count as zero
_STEEPEST = 1e10  # of the lower quartile: higher values are outside the picture
_LEAST = 1e-250  # below, the computation of limits and ticks underflows


class Curve(NamedTuple):
    """A number along a run.

    Attributes:
        step: (n,) increasing step numbers.
        value: (n,) the number; NaN where unknown.
        label: what the palette knows the run by.
    """

    step: np.ndarray
    value: np.ndarray
    label: float | str = ""


def is_drawable(above: np.ndarray) -> np.ndarray:
    """Return which suboptimalities (n,) a picture can show."""
    return drawable(above) > _LEAST


def draw_convergence(
    curve: Curve, bound: np.ndarray, *, title: str, rate: float, size: Size | None = None
) -> Figure:
    """Draw the suboptimality of a run by logarithm, and its theoretical upper bound, dashed.

    Args:
        curve: the suboptimality, loss minus minimum.
        bound: (n,) its upper bound.
        title: the first line of the picture.
        rate: the predicted rate per step.
        size: width and height in inches; by default 6.4 by 4.4.

    Raises:
        ValueError: The arrays differ in length, or contain nothing that can be drawn.
    """
    steps, above = curve.step, curve.value
    if not steps.shape == above.shape == bound.shape:
        raise ValueError(f"needs three arrays (n,), got {steps.shape, above.shape, bound.shape}")
    above, bound = (np.where(is_drawable(y), drawable(y), np.nan) for y in (above, bound))
    values = np.concatenate([above, bound])
    if np.isnan(values).all():
        raise ValueError(f"no suboptimality is between {_LEAST:g} and {GREATEST:g}")
    with style():
        figure = new_figure(size or _SIZE, constrained=True)
        axes = figure.add_subplot()
        (run,) = axes.plot(steps, above, color=ALONE, linewidth=1.6, label="suboptimality")
        dashed = {"color": INK, "linewidth": 1.2, "linestyle": DASHES}
        (line,) = axes.plot(steps, bound, label="bound in exact arithmetic", **dashed)
        _set_log(axes, values)
        finish_chart(axes, "step", "loss above the minimum")
        draw_names(figure, [run, line])
        head_chart(figure, title, f"rate {rate:.4g} per step in theory, from almost every start")
        return figure


def draw_loss(curve: Curve, *, title: str, ylabel: str, size: Size | None = None) -> Figure:
    """Draw the loss of one run over its steps, by logarithm where it is positive."""
    return draw_curves([curve], Palette.of("", [""]), title=title, ylabel=ylabel, size=size)


def draw_curves(
    curves: Sequence[Curve],
    palette: Palette,
    *,
    title: str,
    ylabel: str = "loss",
    size: Size | None = None,
) -> Figure:
    """Draw a number along several runs, in one panel, or each in its own where colors run out.

    Args:
        curves: the runs, at least one, each of another label.
        palette: the looks of their labels.
        title: the first line of the picture.
        ylabel: the name of the number.
        size: width and height in inches.
    """
    with style():
        if palette.is_split:
            return _draw_panels(curves, palette, (title, ylabel), size)
        figure = new_figure(size or _SIZE, constrained=True)
        axes = figure.add_subplot()
        fill_curves(axes, curves, palette, ylabel)
        if len(curves) > 1:
            palette.draw_key(figure, [axes])
        head_chart(figure, title)
        return figure


def fill_curves(axes: Axes, curves: Sequence[Curve], palette: Palette, ylabel: str) -> None:
    """Draw a number along several runs in one panel."""
    _set_scale(axes, np.concatenate([drawable(curve.value) for curve in curves]))
    for step, value, label in curves:
        color = palette.color(label) if len(curves) > 1 else ALONE
        axes.plot(step, drawable(value), color=color, linewidth=1.5)
    finish_chart(axes, "step", ylabel)


def _draw_panels(
    curves: Sequence[Curve], palette: Palette, names: tuple[str, str], size: Size | None
) -> Figure:
    """Draw a panel for each curve, with the others in gray; names are the title and the ylabel."""
    shown = chosen(curves)
    figure, panels = small_panels(len(shown), size)
    for axes, curve in zip(panels, shown, strict=True):
        for other in shown:
            axes.plot(other.step, drawable(other.value), **GHOST)
        fill_curves(axes, [curve], palette, "")
        _set_scale(axes, np.concatenate([drawable(other.value) for other in shown]))
        name_panel(axes, shorten(palette.name(curve.label)))
    label_panels(panels, "step", names[1])
    head_chart(figure, names[0], note_of(len(shown), len(curves), "runs"))
    return figure


def _set_scale(axes: Axes, values: np.ndarray) -> None:
    """Set a logarithmic scale if no value is negative and some are positive."""
    known = values[np.isfinite(values)]
    if not (known > _LEAST).any() or known.min() < 0:
        return
    known = known[known > _LEAST]
    # Of a run that diverges, only the beginning is shown.
    _set_log(axes, known[known <= _STEEPEST * np.quantile(known, 0.25)])


def _set_log(axes: Axes, values: np.ndarray) -> None:
    highest = np.nanmax(values)
    axes.set_yscale("log")
    axes.set_ylim(max(np.nanmin(values), _DEEPEST * highest) / 3, highest * 3)
