"""What the Hessian says of a point: ½ dᵀHd = ±c, its axes and their eigenvalues.

Shapes: K = 2 coordinates on the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.derivatives.plots.looks import SECOND, Labels
from gdlab.derivatives.plots.scene import Slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST, _SHORTEST = 0.66, 0.1  # semi-axes in half views; the shorter one wins
_CUT = 0.86  # of the half view: axes that are longer end here
_BEYOND = 4.0  # half views: where curves that have no end are let go
_ZERO = 1e-10  # of the largest eigenvalue: less is none
_STYLES = {1: "-", -1: (0, (4, 2)), 0: (0, (1, 2))}  # by the sign of the eigenvalue
_WORDS = {1: "curving up", -1: "curving down", 0: "no curvature"}


def draw_curvature(
    axes: Axes, paper: Slice, box: np.ndarray, labels: Labels
) -> dict[str, dict[str, Any]]:
    """Draw the curves ½ dᵀHd = ±c and their axes, semi-axes √(2c / |λ|) along eigenvectors.

    Returns:
        Names and looks for the legend; none where there is no Hessian, or it is zero.
    """
    if paper.hessian is None or not np.isfinite(paper.hessian).all() or not paper.hessian.any():
        return {}
    powers, vectors = (a[..., ::-1] for a in np.linalg.eigh(paper.hessian))
    signs = np.where(np.abs(powers) <= _ZERO * np.abs(powers).max(), 0, np.sign(powers)).astype(int)
    half = np.diff(box, axis=1)[:, 0] / 2
    rims = 1.0 / np.abs(vectors / half[:, None]).max(axis=0)  # from the point to the frame
    lengths = np.full(2, np.inf)
    lengths[signs != 0] = np.abs(powers[signs != 0]) ** -0.5
    seen = (lengths / rims)[signs != 0]
    lengths *= max(_LONGEST / seen.max(), _SHORTEST / seen.min())
    for sign in {1, -1} & set(signs.tolist()):
        curve = _curve(vectors, lengths, rims, signs == sign)
        look = {"color": SECOND, "linewidth": 1.5, "linestyle": _STYLES[sign]}
        axes.plot(*(paper.at + curve).T, **look, zorder=4, gid="curvature")
    keys = {}
    for i, symbol in enumerate(("λ₁", "λ₂")):
        reach = min(lengths[i], _CUT * rims[i])
        ends = paper.at + np.outer([-1.0, 1.0], reach * vectors[:, i])
        look = {"color": SECOND, "linewidth": 1.5, "linestyle": _STYLES[signs[i]]}
        axes.plot(*ends.T, **look, zorder=4, gid="eigenvector")
        labels.keep_free(ends)
        labels.write(symbol, ends, SECOND)
        keys[f"{symbol} = {powers[i]:.4g}, {_WORDS[signs[i]]}"] = look
    return keys


def _curve(
    vectors: np.ndarray, lengths: np.ndarray, rims: np.ndarray, of_sign: np.ndarray
) -> np.ndarray:
    """Where ½ dᵀHd is c for eigenvalues of one sign, −c for the other: offsets d (m, 2).

    An ellipse where both have the sign (2,); else two branches, with NaN between them: of a
    hyperbola, or straight where the other eigenvalue is zero and its semi-axis infinite.
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
