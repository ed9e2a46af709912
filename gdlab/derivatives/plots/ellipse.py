"""The curves ½ dᵀHd = ±c of the Hessian at a point, its axes and their eigenvalues.

Shapes: K = 2 drawn coordinates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.derivatives.plots.looks import SECOND, Labels
from gdlab.derivatives.plots.scene import Slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST, _SHORTEST = 0.66, 0.1  # limits of semi-axes in half views; the shorter has precedence
_CUT = 0.86  # of the half view: longer axes are cut here
_BEYOND = 4.0  # half views: where unbounded curves are cut
_ZERO = 1e-10  # relative to the largest eigenvalue: smaller ones count as zero
_STYLES = {1: "-", -1: (0, (4, 2)), 0: (0, (1, 2))}  # by the sign of the eigenvalue
_BAND = {"color": SECOND, "linewidth": 7.0, "alpha": 0.3, "solid_capstyle": "butt"}
"""Under an axis: seen on both sides of an arrow that covers the axis."""

_CURVATURES = {1: "curving up", -1: "curving down", 0: "no curvature"}


def draw_curvature(
    axes: Axes, map_slice: Slice, box: np.ndarray, labels: Labels
) -> dict[str, dict[str, Any]]:
    """Draw the curves ½ dᵀHd = ±c and their axes, semi-axes √(2c / |λ|) along eigenvectors.

    Returns:
        Names and styles for the legend; empty if there is no Hessian, or it is zero.
    """
    if (
        map_slice.hessian is None
        or not np.isfinite(map_slice.hessian).all()
        or not map_slice.hessian.any()
    ):
        return {}
    eigenvalues, vectors = np.linalg.eigh(map_slice.hessian)
    signs = np.where(
        np.abs(eigenvalues) <= _ZERO * np.abs(eigenvalues).max(), 0, np.sign(eigenvalues)
    ).astype(int)
    half = np.diff(box, axis=1)[:, 0] / 2
    rims = 1.0 / np.abs(vectors / half[:, None]).max(axis=0)  # from the point to the frame
    lengths = np.full(2, np.inf)
    lengths[signs != 0] = np.abs(eigenvalues[signs != 0]) ** -0.5
    relative = (lengths / rims)[signs != 0]
    lengths *= max(_LONGEST / relative.max(), _SHORTEST / relative.min())
    for sign in {1, -1} & set(signs.tolist()):
        curve = _curve(vectors, lengths, rims, signs == sign)
        look = {"color": SECOND, "linewidth": 1.5, "linestyle": _STYLES[sign]}
        axes.plot(*(map_slice.at + curve).T, **look, zorder=4, gid="curvature")
    keys = {}
    for i, symbol in enumerate(("λ₁", "λ₂")):
        reach = min(lengths[i], _CUT * rims[i])
        ends = map_slice.at + np.outer([-1.0, 1.0], reach * vectors[:, i])
        look = {"color": SECOND, "linewidth": 1.5, "linestyle": _STYLES[signs[i]]}
        axes.plot(*ends.T, **_BAND, zorder=3.9, gid="band")
        axes.plot(*ends.T, **look, zorder=4, gid="eigenvector")
        labels.keep_free(ends)
        labels.write(symbol, ends, SECOND)
        keys[f"{symbol} = {eigenvalues[i]:.4g}, {_CURVATURES[signs[i]]}"] = look
    return keys


def _curve(
    vectors: np.ndarray, lengths: np.ndarray, rims: np.ndarray, of_sign: np.ndarray
) -> np.ndarray:
    """Compute the curve of offsets d (m, 2) on which ½ dᵀHd is c, or −c for negative eigenvalues.

    It is an ellipse if both eigenvalues have the sign (2,). Otherwise it has two branches, with NaN
    between them: of a hyperbola, or lines if the other eigenvalue is zero, its semi-axis infinite.
    """
    if of_sign.all():
        angles = np.linspace(0.0, 2.0 * np.pi, 241)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1) @ (lengths * vectors).T
    i, j = int(of_sign.argmax()), int(of_sign.argmin())
    along = min(lengths[j], rims[j])
    t = np.linspace(-1.0, 1.0, 241) * np.arcsinh(_BEYOND * rims[j] / along)
    far = along * np.sinh(t)
    away = lengths[i] * np.hypot(1.0, far / lengths[j])
    branches = [np.outer(side * away, vectors[:, i]) for side in (1.0, -1.0)]
    branches = [branch + np.outer(far, vectors[:, j]) for branch in branches]
    return np.concatenate([branches[0], np.full((1, 2), np.nan), branches[1]])
