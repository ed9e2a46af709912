"""The loss of runs over their steps: one run beside its bound in theory, or several together.

Shapes: n records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gdlab.plots.colors import ALONE, Palette
from gdlab.plots.multiples import GHOST, chosen, name_panel, note_of, small_panels
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
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "draw_convergence", "draw_curves", "draw_loss", "is_drawable"]

_SIZE = (6.4, 4.4)
_DEEPEST = 1e-30  # of the highest value: lower ones count as zero
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
        curves: the runs, at least one.
        palette: the looks of their labels.
        title: the first line of the picture.
        ylabel: the name of the number.
        size: width and height in inches.
    """
    curves = [curve._replace(value=drawable(curve.value)) for curve in curves]
    by_label = {curve.label: curve for curve in curves}
    is_split = palette.is_split or len(by_label) < len(curves)
    shown = chosen(curves) if is_split else curves
    values = np.concatenate([curve.value for curve in shown])
    with style():
        if is_split:
            figure, panels = small_panels(len(shown), size)
        else:
            figure = new_figure(size or _SIZE, constrained=True)
            panels = [figure.add_subplot()]
        _set_scale(panels[0], values)
        for at, curve in enumerate(shown):
            axes = panels[at] if is_split else panels[0]
            if is_split:
                _set_scale(axes, values)
                for other in shown:
                    axes.plot(other.step, other.value, **GHOST)
                name_panel(axes, palette.name(curve.label))
            alone = len(curves) == 1
            color = ALONE if alone else palette.color(curve.label)
            axes.plot(curve.step, curve.value, color=color, linewidth=1.5, zorder=3)
        for axes in panels:
            finish_chart(axes, "" if is_split else "step", "" if is_split else ylabel)
        if is_split:
            figure.supxlabel("step", size=9)
            figure.supylabel(ylabel, size=9)
        elif len(curves) > 1:
            palette.draw_key(figure, panels)
        head_chart(figure, title, note_of(len(shown), len(curves), "runs") if is_split else "")
        return figure


def _set_scale(axes: Axes, values: np.ndarray) -> None:
    """Set a logarithmic scale if no value is negative and some are positive."""
    known = values[np.isfinite(values)]
    if (known > _LEAST).any() and known.min() >= 0:
        _set_log(axes, known[known > _LEAST])


def _set_log(axes: Axes, values: np.ndarray) -> None:
    highest = np.nanmax(values)
    axes.set_yscale("log")
    axes.set_ylim(max(np.nanmin(values), _DEEPEST * highest) / 3, highest * 3)
