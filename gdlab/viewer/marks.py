"""The points of a landscape that are marked: minimizers, saddles, maxima, kinks.

Shapes: K coordinates of the plane, m points.
"""

from typing import Any

import numpy as np
import torch

from gdlab.derivatives.findings.search import find
from gdlab.losses.base import Loss
from gdlab.plots.projection import Landscape, Plane

_SAME = 1e-4  # of the view: a critical point so near to a known minimizer is that one
_KINDS = ("minimum", "maximum", "saddle", "kink")


def mark(kind: str, at: np.ndarray, label: str) -> dict[str, Any]:
    """Return a mark at a point (K,), as messages have it."""
    return {"kind": kind, "at": at.tolist(), "label": label}


def known_minimizers(landscape: Landscape, plane: Plane) -> list[dict[str, Any]]:
    """Return the known minimizers, projected onto the plane."""
    if landscape.minimizers is None:
        return []
    projected = "" if plane.is_whole_space else ", projected"
    value = "" if landscape.minimum is None else f", loss {landscape.minimum:.6g}"
    points = plane.coordinates(landscape.minimizers)
    return [mark("minimizer", at, f"minimizer{projected}{value}") for at in points]


def critical_marks(loss: Loss, landscape: Landscape, view: np.ndarray) -> list[dict[str, Any]]:
    """Search around a view (K, 2) of a loss of K dimensions for critical points: at most 100.

    The search goes as far as the window of the loss, or half a view beyond the view. Known
    minimizers, and points of a curve or area of them, are left out. It takes up to some seconds.
    """
    loss = loss.to(torch.float64, torch.device("cpu"))
    margin = np.diff(view, axis=1) / 2 * [-1, 1]
    window = view + margin if landscape.window is None else landscape.window
    low, high = np.minimum(view, window)[:, 0], np.maximum(view, window)[:, 1]
    found = find(loss, torch.from_numpy(np.stack([low, high], axis=1)))
    extent = np.diff(view, axis=1)[:, 0]
    known = np.empty((0, len(view))) if landscape.minimizers is None else landscape.minimizers

    def is_new(at: np.ndarray) -> bool:
        return not (np.abs(known - at) <= _SAME * extent).all(axis=1).any()

    marks = []
    for point in found.points:
        at, kind = point.at.numpy(), "kink" if point.critical.flaw else str(point.critical.kind)
        if kind in _KINDS and point.is_isolated and is_new(at):
            marks.append(mark(kind, at, f"{point.name}, loss {point.value:.6g}"))
    return marks
