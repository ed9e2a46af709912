"""The suboptimality of a run over its steps, with its predicted bound as a dashed line.

Shapes: n records.
"""

from __future__ import annotations

import numpy as np

from gdlab.plots.style import GREATEST, INK, draw_title, drawable, panel, png, style

__all__ = ["convergence_png", "is_drawable"]

_SIZE, _PANEL = (6.4, 4.4), (0.125, 0.115, 0.845, 0.775)
_RUN = "#d62728"
_DEEPEST = 1e-30  # of the highest value: lower ones count as zero
_LEAST = 1e-250  # below, the computation of limits and ticks underflows


def is_drawable(above: np.ndarray) -> np.ndarray:
    """Return which suboptimalities (n,) a picture can show."""
    return drawable(above) > _LEAST


def convergence_png(
    steps: np.ndarray, above: np.ndarray, bound: np.ndarray, *, title: str, rate: float
) -> bytes:
    """Draw the suboptimality of a run by logarithm, and its theoretical upper bound, dashed.

    Args:
        steps: (n,) increasing step numbers.
        above: (n,) the suboptimality, loss minus minimum.
        bound: (n,) its upper bound.
        title: the first line of the picture.
        rate: the predicted rate per step.

    Returns:
        A PNG of 640 x 440 pixels.

    Raises:
        ValueError: The arrays differ in length, or contain nothing that can be drawn.
    """
    if not steps.shape == above.shape == bound.shape:
        raise ValueError(f"needs three arrays (n,), got {steps.shape, above.shape, bound.shape}")
    curves = [np.where(is_drawable(y), drawable(y), np.nan) for y in (above, bound)]
    values = np.concatenate(curves)
    if np.isnan(values).all():
        raise ValueError(f"no suboptimality is between {_LEAST:g} and {GREATEST:g}")
    highest = np.nanmax(values)
    lowest = max(np.nanmin(values), _DEEPEST * highest)
    with style():
        canvas, axes = panel(_SIZE, _PANEL)
        in_theory = f"rate {rate:.4g} per step in theory, from almost every start"
        draw_title(canvas.figure, title, in_theory)
        axes.set_yscale("log")
        axes.plot(steps, curves[0], color=_RUN, linewidth=1.6, label="suboptimality")
        dashed = {"color": INK, "linewidth": 1.2, "linestyle": (0, (5, 3))}
        axes.plot(steps, curves[1], label="bound in exact arithmetic", **dashed)
        axes.set_ylim(lowest / 3, highest * 3)
        axes.set_xlabel("step", size=9)
        axes.set_ylabel("loss above the minimum", size=9)
        axes.tick_params(labelsize=8, length=3)
        axes.grid(color="#e6e6e6", linewidth=0.6)
        axes.legend(fontsize=8.5, loc="best", framealpha=0.9)
        return png(canvas)
