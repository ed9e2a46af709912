"""Saddles: the gradient vanishes, and there is no minimum."""

from typing import Any

from gdlab.losses.formula import Formula, Known
from gdlab.losses.mathematics import Mathematics


class Saddle(Formula):
    """x0² − x1²: a step of gradient descent multiplies x0 by 1 − 2 lr and x1 by 1 + 2 lr."""

    known = Known(start=(1.0, 0.001), window=((-1.5, 1.5),), curvature=(-2.0, 2.0))

    def value(self, m: Mathematics, x: Any) -> Any:
        """The difference of two squares."""
        u, v = x
        return u**2 - v**2


class MonkeySaddle(Formula):
    """x0³ − 3 x0 x1²: at the origin gradient and Hessian vanish, and Newton has no step."""

    known = Known(start=(1.0, 0.5), window=((-1.5, 1.5),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """The real part of a cube."""
        u, v = x
        return u**3 - 3 * u * v**2
