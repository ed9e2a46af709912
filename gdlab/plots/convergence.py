"""The loss of runs over their steps: one run beside its bound in theory, or several together.

Shapes: n records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.colors import ALONE, Palette
from gdlab.plots.multiples import GHOST, chosen, label_panels, name_panel, note_of, small_panels
from gdlab.plots.style import (
    DASHES,
    GREATEST,
    INK,
    Size,
    count_outside,
    draw_names,
    drawable,
    finish_chart,
    head_chart,
    new_figure,
    note_leaving,
    note_outside,
    shorten,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Curve",
    "draw_convergence",
    "draw_curves",
    "draw_loss",
    "draw_training",
    "fill_curves",
    "is_drawable",
]

_SIZE = (6.4, 4.4)
_MOST_MARKERS = 8  # along a curve
_MARKS = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.6}
_DEEPEST = 1e-30  # of the highest value: lower ones count as zero
_STEEPEST = 1e10  # of the lower quartile: runs with higher values grow beyond the picture
_HIGHEST = 1e6  # of the first value, to which a run that grows so is shown
_ROOM = 10  # times the usual size of values, where others are outside a linear picture
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
    known = [Curve(steps, above), Curve(steps, bound)]
    values = np.concatenate([above, bound])
    values = values[~np.isnan(values)]
    if not values.size:
        raise ValueError(f"no suboptimality is between {_LEAST:g} and {GREATEST:g}")
    with style():
        figure = new_figure(size or _SIZE, constrained=True)
        axes = figure.add_subplot()
        (run,) = axes.plot(steps, above, color=ALONE, linewidth=1.6, label="suboptimality")
        dashed = {"color": INK, "linewidth": 1.2, "linestyle": DASHES}
        (line,) = axes.plot(steps, bound, label="bound in exact arithmetic", **dashed)
        _set_log(axes, known, values[0])
        finish_chart(axes, "step", "loss above the minimum")
        draw_names(figure, [run, line])
        note = note_outside(count_outside(axes, curve.value), len(curve.value))
        theory = f"rate {rate:.4g} per step in theory, from almost every start"
        head_chart(figure, title, theory, note)
        return figure


def draw_loss(curve: Curve, *, title: str, ylabel: str, size: Size | None = None) -> Figure:
    """Draw the loss of one run over its steps, by logarithm where it is positive."""
    return draw_curves([curve], Palette.of("", [""]), title=title, ylabel=ylabel, size=size)


def draw_training(training: Curve, validation: Curve, *, title: str, size: Size | None) -> Figure:
    """Draw the losses of one run on the examples it is trained on, and on those held out."""
    labels = ["training", "validation"]
    pair = zip((training, validation), labels, strict=True)
    curves = [curve._replace(label=label) for curve, label in pair]
    return draw_curves(curves, Palette.of("", labels), title=title, size=size)


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
        outside = fill_curves(axes, curves, palette, ylabel)
        note = note_outside(outside[0], len(curves[0].value))
        if len(curves) > 1:
            palette.draw_key(figure, [axes])
            note = note_leaving(int(np.count_nonzero(outside)), len(curves), "curves")
        head_chart(figure, title, note=note)
        return figure


def fill_curves(axes: Axes, curves: Sequence[Curve], palette: Palette, ylabel: str) -> list[int]:
    """Draw a number along runs in one panel, and return how many records of each are outside."""
    set_scale(axes, curves)
    has_markers = len(palette.values) > 1 and not palette.has_bar and not palette.is_split
    for number, (step, value, label) in enumerate(curves):
        look: dict[str, Any] = {"color": ALONE, "linewidth": 1.5}
        if len(palette.values) > 1:
            look["color"] = palette.color(label)
        if has_markers:
            look |= {**_MARKS, "marker": palette.marker(label)}
            look["markevery"] = _places(len(step), number, len(curves))
        axes.plot(step, drawable(value), **look)
    finish_chart(axes, "step", ylabel)
    return [count_outside(axes, curve.value) for curve in curves]


def _places(records: int, number: int, curves: int) -> list[int]:
    """Return which records of a curve have a marker: others than those of equal curves."""
    apart = max(curves, records / _MOST_MARKERS)
    return np.arange(number * apart / curves, records, apart).astype(int).tolist()


def _draw_panels(
    curves: Sequence[Curve], palette: Palette, names: tuple[str, str], size: Size | None
) -> Figure:
    """Draw a panel for each curve, with the others in gray; names are the title and the ylabel."""
    shown, leaving = chosen(curves), 0
    figure, panels = small_panels(len(shown), size)
    for axes, curve in zip(panels, shown, strict=True):
        for other in shown:
            axes.plot(other.step, drawable(other.value), **GHOST)
        fill_curves(axes, [curve], palette, "")
        set_scale(axes, shown)
        leaving += count_outside(axes, curve.value) > 0
        name_panel(axes, shorten(palette.name(curve.label)))
    label_panels(panels, "step", names[1])
    note = note_leaving(leaving, len(shown), "curves")
    head_chart(figure, names[0], note_of(len(shown), len(curves), "runs"), note)
    return figure


def set_scale(axes: Axes, curves: Sequence[Curve]) -> None:
    """Set a logarithmic scale if no value is negative and some are positive."""
    axes.autoscale(axis="x")
    values = [drawable(curve.value) for curve in curves]
    values = [known[np.isfinite(known)] for known in values]
    known, firsts = np.concatenate(values), np.concatenate([known[:1] for known in values])
    if not known.size or known.min() < 0:
        _set_linear(axes, known, firsts)
        return
    if not (known > _LEAST).any():
        return
    _set_log(axes, curves, firsts.max())


def _set_linear(axes: Axes, values: np.ndarray, firsts: np.ndarray) -> None:
    """Keep values out of a linear picture that are beyond 1e10 times the others, or the first."""
    if not values.size:
        return
    sizes = np.abs(values)
    usual = max(float(np.abs(firsts).max()), float(np.quantile(sizes, 0.25)))
    if 0 < usual < sizes.max() / _STEEPEST:
        inside = values[sizes <= _ROOM * usual]
        margin = 0.05 * np.ptp(inside) or usual
        axes.set_ylim(inside.min() - margin, inside.max() + margin)


def _set_log(axes: Axes, curves: Sequence[Curve], start: float) -> None:
    """Set a logarithmic scale; of runs that blow up, the view is their beginning.

    Args:
        axes: The panel.
        curves: The runs; at least one value can be drawn.
        start: The highest of their first values.
    """
    step = np.concatenate([curve.step for curve in curves])
    value = np.concatenate([drawable(curve.value) for curve in curves])
    step, value = step[value > _LEAST], value[value > _LEAST]
    highest, limit = value.max(), _HIGHEST * start
    is_inside = value <= limit
    if highest > max(limit, _STEEPEST * np.quantile(value, 0.25)) and is_inside.any():
        first, last = step.min(), step[is_inside].max()
        right = min(last + max(1, 0.1 * (last - first)), step.max())
        axes.set_xlim(first - 0.05 * (right - first), right)
        value, highest = value[is_inside], limit
    axes.set_yscale("log")
    axes.set_ylim(max(value.min(), _DEEPEST * highest) / 3, highest * 3)
