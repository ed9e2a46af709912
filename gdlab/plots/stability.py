"""The sharpness along runs beside the edge above which steps are unstable, such as 2/lr.

Shapes: n records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gdlab.plots.colors import ALONE, CATEGORIES
from gdlab.plots.multiples import name_panel
from gdlab.plots.style import (
    DASHES,
    Size,
    count_outside,
    draw_names,
    drawable,
    finish_chart,
    head_chart,
    new_figure,
    note_outside,
    shorten,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["SharpnessPath", "draw_stability"]

_SIZE = (7.2, 6.4)
_HEIGHTS = (5, 3)
_COLUMN = 2.2  # inches, of a run that has its own
_MOST_COLUMNS = 4  # more are in two rows
_STEEPEST = 1e3  # of the highest first loss: higher ones are outside the picture
_OUTLIERS = 3  # the picture ends at this multiple of the highest edge
_DEEPEST = 1e-20  # of the highest loss: lower ones count as zero
MAX_RUNS = len(CATEGORIES)
"""The number of runs whose colors differ."""


class SharpnessPath(NamedTuple):
    """The sharpness along one run, with its loss and the edge of stability.

    Attributes:
        step: (n,) increasing step numbers.
        loss: (n,) NaN where it was not computed.
        sharpness: (n,) NaN where it was not computed.
        edge: (n,) the sharpness above which the step that leaves each point is unstable; NaN in a
            run's last record.
        formula: of the edge.
    """

    step: np.ndarray
    loss: np.ndarray
    sharpness: np.ndarray
    edge: np.ndarray
    formula: str = "2/lr"


def draw_stability(
    paths: Mapping[str, SharpnessPath],
    *,
    title: str,
    looks: Mapping[str, Any] | None = None,
    size: Size | None = None,
) -> Figure:
    """Draw the sharpness of runs over their steps beside its edge, dashed, and their losses below.

    Above the edge, steps on a quadratic are unstable. Values more than three times as far from 0 as
    the highest edge are outside the picture.

    Args:
        paths: at most 8 runs by name.
        title: the first line of the picture.
        looks: the color of each run by name; by default those of `CATEGORIES` in order. Where two
            runs have the same color, each run has a column of its own.
        size: width and height in inches; by default 7.2 by 6.4.

    Raises:
        ValueError: there is no run, or there are too many to tell apart.
    """
    if not 1 <= len(paths) <= MAX_RUNS:
        raise ValueError(f"needs 1 to {MAX_RUNS} runs, got {len(paths)}")
    given = list(paths.values())
    paths = {
        name: path._replace(
            loss=drawable(path.loss),
            sharpness=drawable(path.sharpness),
            edge=drawable(path.edge),
        )
        for name, path in paths.items()
    }
    default = [ALONE] if len(paths) == 1 else [color for color, _ in CATEGORIES]
    colors = dict(looks or zip(paths, default, strict=False))
    is_split = len({str(colors[name]) for name in paths}) < len(paths)
    blocks = 2 if is_split and len(paths) > _MOST_COLUMNS else 1
    columns = -(-len(paths) // blocks) if is_split else 1
    page = (max(_SIZE[0], _COLUMN * columns), _SIZE[1] * (0.75 * blocks + 0.25))
    with style():
        figure = new_figure(size or page, constrained=True)
        shared: Any = {"sharex": True, "sharey": "row", "squeeze": False}
        grid = figure.subplots(2 * blocks, columns, height_ratios=_HEIGHTS * blocks, **shared)
        pairs = [pair for rows in np.split(grid, blocks) for pair in rows.T]
        lines = []
        for i, (name, path) in enumerate(paths.items()):
            upper, lower = pairs[i if is_split else 0]
            look = {"color": colors[name], "label": name}
            lines.append(_draw(upper, lower, path, look))
            if is_split:
                name_panel(upper, shorten(name))
        for i, (upper, lower) in enumerate(pairs):
            if is_split and i >= len(paths):
                upper.remove()
                lower.remove()
                continue
            _set_limits(upper, lower, list(paths.values()))
            is_first = i % columns == 0
            finish_chart(upper, "", "sharpness" if is_first else "")
            finish_chart(
                lower, "step" if i >= len(pairs) - columns else "", "loss" if is_first else ""
            )
        if not is_split and len(paths) > 1:
            draw_names(figure, lines)
        formulas = dict.fromkeys(path.formula for path in paths.values())
        subtitle = f"sharpness λ_max of the Hessian; dashed: {', '.join(formulas)}"
        upper, lower = pairs[0]
        head_chart(figure, title, subtitle, _note_outside(upper, lower, given))
        return figure


def _draw(upper: Axes, lower: Axes, path: SharpnessPath, look: dict[str, Any]) -> Line2D:
    """Draw the sharpness, its edge and the loss of one run; return the line of its sharpness."""
    known = np.isfinite(path.sharpness)
    (sharpness,) = upper.plot(
        path.step[known], path.sharpness[known], linewidth=1.4, zorder=3, **look
    )
    look = {"color": look["color"], "linewidth": 1.2}
    upper.plot(path.step, path.edge, linestyle=DASHES, zorder=2, **look)
    known = np.isfinite(path.loss)
    lower.plot(path.step[known], path.loss[known], **look)
    return sharpness


def _note_outside(upper: Axes, lower: Axes, paths: list[SharpnessPath]) -> str:
    """Say how many values are beyond the axes, which all panels share."""
    outside = count = 0
    for axes, values in [
        *((upper, path.sharpness) for path in paths),
        *((lower, path.loss) for path in paths),
    ]:
        outside += count_outside(axes, values)
        count += int((~np.isnan(values)).sum())
    return note_outside(outside, count, "recorded values")


def _set_limits(upper: Axes, lower: Axes, paths: list[SharpnessPath]) -> None:
    """Show the edge and what is near it; losses by logarithm if all are positive."""
    edges, values, losses = (
        known[np.isfinite(known)]
        for known in (
            np.concatenate([path.edge for path in paths]),
            np.concatenate([path.sharpness for path in paths]),
            np.concatenate([path.loss for path in paths]),
        )
    )
    # Where lr falls to 0, the edge leaves all else far below.
    near = _OUTLIERS * max(values.max(initial=0.0), edges.min(initial=np.inf))
    edge = min(edges.max(initial=0.0), near) or np.abs(values).max(initial=0.0) or 1.0
    high = 1.08 * min(values.max(initial=edge), _OUTLIERS * edge)
    low = values.min(initial=0.0)
    upper.set_ylim(max(1.08 * low, -high), high)
    if losses.size and losses.min() > 0:
        lower.set_yscale("log")
        # Of a run that diverges, only the beginning is shown.
        first = max(known[0] for path in paths if (known := path.loss[np.isfinite(path.loss)]).size)
        top = min(losses.max(), _STEEPEST * first)
        lower.set_ylim(max(losses.min(), _DEEPEST * top) / 1.5, top * 1.5)
