"""Derivatives along a curve and of a composition, by the chain rule and as a whole.

Shapes: D dimensions of the loss, V variables that its coordinates depend on.
"""

from collections.abc import Sequence

from torch import Tensor

from gdlab.derivatives.chain_rule import ChainRule, Derivative
from gdlab.derivatives.formulas import Formulas
from gdlab.derivatives.points import listed
from gdlab.losses.base import Loss


class PathDerivative(ChainRule):
    """The total derivative of a loss along a curve: the one variable is the curve's parameter."""

    d, letters = "d", ("f",)

    @property
    def title(self) -> str:
        """The curve."""
        return f"Total derivative along the curve {self.coordinates}"

    @property
    def derivative(self) -> Derivative:
        """The derivative along the curve."""
        return self.derivatives[0]


class Composition(ChainRule):
    """The partial derivatives of z = f(u(x, y, …), v(x, y, …), …) by x, by y, and so on."""

    d, letters = "∂", ("z", "w", "f")

    @property
    def title(self) -> str:
        """The composition."""
        return f"Chain rule for {self.outer} = f({listed(self.names)}) with {self.coordinates}"


def along_path(loss: Loss, path: Sequence[str], t: float) -> PathDerivative:
    """The total derivative df/dt of a loss along a curve x(t), by the chain rule and as a whole.

        df/dt = Σ ∂f/∂xᵢ · dxᵢ/dt

    Args:
        loss: the loss.
        path: the D formulas of t that the coordinates are; one without t is a constant.
        t: where on the curve.

    Raises:
        SettingError: `path` has not D formulas, or one of another name than t; the curve, the loss
            or a derivative of these is not finite at t.
    """
    inner = Formulas.of_one(path, "t", "path")
    inner.must_be_for(loss.names)
    return PathDerivative.of(loss, inner, inner.point([t], "t"))


def composition(loss: Loss, inner: Sequence[str], at: "Tensor | Sequence[float]") -> Composition:
    """The partial derivatives of z = f(u(x, y), v(x, y)), by the chain rule and as a whole.

        ∂z/∂x = ∂f/∂u · ∂u/∂x + ∂f/∂v · ∂v/∂x

    Args:
        loss: f.
        inner: D formulas, one for each coordinate, of any variables.
        at: a point (V,) of these variables, in their order of appearance over the list.

    Raises:
        SettingError: `inner` has not D formulas, or no variable; `at` has not V numbers; a formula,
            the loss or a derivative of these is not finite there.
    """
    formulas = Formulas.read(inner, "inner")
    formulas.must_be_for(loss.names)
    return Composition.of(loss, formulas, formulas.point(at))
