"""The backgrounds of trajectories, drawn once for the runs that share them."""

import numpy as np

from gdlab.fields.declared import Configured, declared_fields
from gdlab.losses.base import Loss
from gdlab.plots.background import Background, View, view_of
from gdlab.plots.projection import Landscape
from gdlab.plots.style import Size

_MAX_BACKGROUNDS = 8  # 3 MB each
_COMPARABLE = (bool, int, float, str, tuple)  # == of tensors and arrays is no bool


class Backgrounds:
    """Draws the backgrounds of trajectories, one for all runs with the same loss and view."""

    def __init__(self) -> None:
        self._recent: list[tuple[Loss, View, Background]] = []

    def get(
        self, loss: Loss, scene: Landscape, path: np.ndarray, size: Size | None = None
    ) -> Background:
        """Return the background for a path (n, D) of float64, drawn before or now.

        Args:
            loss: the loss.
            scene: the same, as pictures need it.
            path: the points.
            size: of all pictures, in inches.
        """
        view = view_of(scene, path)
        if not view.plane.is_whole_space:  # the plane goes through this path's last point
            return Background(scene, view, size)
        for known, shown, background in self._recent:
            if view.looks_like(shown) and are_same(loss, known):
                return background
        background = Background(scene, view, size)
        self._recent = [(loss, view, background), *self._recent[: _MAX_BACKGROUNDS - 1]]
        return background


def are_same(first: Configured, second: Configured) -> bool:
    """Return whether two losses, or parts of them, are certainly equal."""
    if first is second:
        return True
    names = declared_fields(type(first))
    values = ((getattr(first, name), getattr(second, name)) for name in names)
    return type(first) is type(second) and all(
        a is b
        or (isinstance(a, _COMPARABLE) and a == b)
        or (isinstance(a, Configured) and are_same(a, b))
        for a, b in values
    )
