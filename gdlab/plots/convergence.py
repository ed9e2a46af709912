"""The picture of a run's suboptimality over its steps, with its predicted bound as a dashed line.

Shapes: n records.
"""

from __future__ import annotations

import numpy as np

from gdlab.plots.style import INK, draw_title, panel, png, style

__all__ = ["convergence_png", "drawable"]

_SIZE, _PANEL = (6.4, 4.4), (0.125, 0.115, 0.845, 0.775)
_RUN = "#d62728"
_DEEPEST = 1e-30  # of the highest value: what lies lower is zero for every purpose
_LEAST, _GREATEST = 1e-250, 1e250  # beyond, what limits and ticks are computed with overflows


def drawable(above: np.ndarray) -> np.ndarray:
    """Which suboptimalities (n,) a picture can show."""
    return (above > _LEAST) & (above < _GREATEST)


def convergence_png(
    steps: np.ndarray, above: np.ndarray, bound: np.ndarray, *, title: str, rate: float
) -> bytes:
    """Draws the suboptimality of a run by logarithm, and what it is at most by theory, dashed.

    Args:
        steps: (n,) increasing step numbers.
        above: (n,) the losses less the minimum.
        bound: (n,) the bound at these steps.
        title: the first line of the picture.
        rate: the predicted rate per step.

    Returns:
        A PNG of 640 x 440 pixels.

    Raises:
        ValueError: The arrays differ in length, or nothing in them can be drawn.
    """
    if not steps.shape == above.shape == bound.shape:
        raise ValueError(f"needs three arrays (n,), got {steps.shape, above.shape, bound.shape}")
    curves = [np.where(drawable(y), y, np.nan) for y in (above, bound)]
    known = np.concatenate(curves)
    if np.isnan(known).all():
        raise ValueError(f"no suboptimality is between {_LEAST:g} and {_GREATEST:g}")
    highest = np.nanmax(known)
    lowest = max(np.nanmin(known), _DEEPEST * highest)
    with style():
        canvas, axes = panel(_SIZE, _PANEL)
        draw_title(canvas.figure, title, f"predicted rate {rate:.4g} per step")
        axes.set_yscale("log")
        axes.plot(steps, curves[0], color=_RUN, linewidth=1.6, label="suboptimality")
        dashed = {"color": INK, "linewidth": 1.2, "linestyle": (0, (5, 3))}
        axes.plot(steps, curves[1], label="bound by theory", **dashed)
        axes.set_ylim(lowest / 3, highest * 3)
        axes.set_xlabel("step", size=9)
        axes.set_ylabel("loss above the minimum", size=9)
        axes.tick_params(labelsize=8, length=3)
        axes.grid(color="#e6e6e6", linewidth=0.6)
        axes.legend(fontsize=8.5, loc="best", framealpha=0.9)
        return png(canvas)
