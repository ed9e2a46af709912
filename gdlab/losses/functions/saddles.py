"""Saddles: the gradient vanishes, but there is no minimum."""

from typing import TYPE_CHECKING, Any

from gdlab.losses.functions.closed_form import Formula, Known
from gdlab.losses.functions.torch_or_sympy import Mathematics

if TYPE_CHECKING:
    import sympy


class Saddle(Formula):
    """x0² − x1²: a step of gradient descent multiplies x0 by 1 − 2 lr and x1 by 1 + 2 lr."""

    known = Known(start=(1.0, 0.001), window=((-1.5, 1.5),), curvature=(-2.0, 2.0))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the difference of two squares."""
        u, v = x
        return u**2 - v**2


class MonkeySaddle(Formula):
    """x0³ − 3 x0 x1²: at the origin gradient and Hessian vanish, and Newton's step is undefined."""

    known = Known(start=(1.0, 0.5), window=((-1.5, 1.5),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the real part of a cube."""
        u, v = x
        return u**3 - 3 * u * v**2


class Clairaut(Formula):
    """x0 x1 (x0² − x1²) / (x0² + x1²), and 0 at the origin: smooth everywhere else.

    At the origin ∂/∂x1 (∂f/∂x0) = −1 and ∂/∂x0 (∂f/∂x1) = 1: the textbook example that the order of
    differentiation matters unless the second derivatives are continuous (Peano 1884; Rudin,
    "Principles of mathematical analysis", 1976, exercise 9.27). Automatic differentiation gives 0
    for both there: it differentiates the value that replaces 0/0.
    """

    known = Known(start=(1.0, 0.5), window=((-1.5, 1.5),))

    def value(self, m: Mathematics, x: Any) -> Any:
        """Return the quotient, with the denominator 1 at the origin."""
        u, v = x
        square = u**2 + v**2
        return u * v * (u**2 - v**2) / m.where(square > 0, square, 1.0)

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr":
        """Return the quotient; it and its derivatives are undefined at the origin."""
        u, v = x
        return u * v * (u**2 - v**2) / (u**2 + v**2)
