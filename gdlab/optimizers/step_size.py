"""Gradient descent with adaptive step sizes, without a line search.

Shapes: R runs, D dimensions.
"""

from collections.abc import Set
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number
from gdlab.losses.base import Layout, Loss
from gdlab.numerics.rowwise import dot, norm, normalize, rescale
from gdlab.optimizers.base import Optimizer, State, zero_column
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class NormalizedGradient(Optimizer):
    """Steps of length lr along the gradient: x ← x − lr · g / ‖g‖.

    Nesterov, "Minimization methods for nonsmooth convex and quasiconvex functions", 1984. Of the
    two ends of a step at least one is lr / 2 or farther from the minimizer, so that a run goes back
    and forth unless the schedule decreases lr or a step lands on the minimizer. Where the gradient
    is zero, there is no step.
    """

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        scaled, _ = rescale(grad)
        length = norm(scaled)
        return x - scaled * torch.where(length > 0, lr / length, 0.0), state


class Polyak(OracleOptimizer):
    """Polyak's step size, for a known minimum f*: x ← x − lr · (f(x) − f*) / ‖g‖² · g.

    Polyak, "Minimization of unsmooth functionals", 1969. lr multiplies the step: lr=1 is the
    classical one; on convex losses, 0 < lr < 2 decreases the distance to every minimizer. Where
    f(x) ≤ f*, there is no step.

    Attributes:
        minimum: f*; null for the known minimum of the loss.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"value"})

    minimum: Number | None = None

    def check_loss(self, loss: Loss, runs: int) -> None:
        """Refuse a loss without a known minimum if `minimum` is not set.

        Raises:
            SettingError: the minimum is not known.
        """
        if self.minimum is None and loss.minimum is None:
            what = f"must be a number: the minimum of loss={type(loss).__name__} is not known"
            raise SettingError(f"optimizer.minimum=null: {what}")

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        minimum = oracle.minimum if self.minimum is None else self.minimum
        assert minimum is not None
        above = (oracle.value - minimum).clamp(min=0)
        scaled, unit = normalize(grad)
        size = above / unit / dot(scaled, scaled)
        step = torch.where(size.isfinite() & oracle.awake, lr * size, 0.0)
        return x - step * scaled, state


class BarzilaiBorwein(Optimizer):
    """Barzilai-Borwein steps: x ← x − α g, with α from the previous step.

    With s and y the last changes of x and of g,

        α = sᵀs / sᵀy (variant 1),   α = sᵀy / yᵀy (variant 2)

    Barzilai and Borwein, "Two-point step size gradient methods", 1988. The first step has α = lr,
    and so does every step where α is not positive, a case the paper leaves open. There is no
    globalization: the loss is not monotone, and on nonconvex losses it may diverge. The optimizers
    bb1 and bb2 are presets.

    Attributes:
        variant: 1 for the longer steps, 2 for the shorter ones.
    """

    variant: Literal[1, 2] = 1

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the start and a previous gradient of zero."""
        return {"x": x.clone(), "grad": torch.zeros_like(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        (s, of_s), (y, of_y) = rescale(x - state["x"]), rescale(grad - state["grad"])
        sy = dot(s, y)
        size = dot(s, s) / sy if self.variant == 1 else sy / dot(y, y)
        # Back to the scale of the changes, in two factors of which neither overflows.
        root = of_y.sqrt() / of_s.sqrt()
        size = size * root * root
        size = torch.where((sy > 0) & size.isfinite(), size, lr)
        return x - size * grad, {"x": x, "grad": grad}


class AdGD(Optimizer):
    """Adaptive gradient descent: x ← x − λ g, with λ from the local Lipschitz constant of g.

    With Δx and Δg the last changes of x and of g, and θ = λ / (previous λ), initially infinite,

        λ ← min(√(1 + θ) λ, ‖Δx‖ / (2 ‖Δg‖))

    Malitsky and Mishchenko, "Adaptive gradient descent without descent", 2020, algorithm 1. lr is
    the first step size, which the paper takes tiny. Where the minimum is infinite, λ is kept.
    """

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return the start and a previous gradient of zero."""
        numbers = {"size": zero_column(x), "theta": zero_column(x) + torch.inf}
        return {"x": x.clone(), "grad": torch.zeros_like(x), **numbers}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        before, theta = state["size"], state["theta"]
        local = norm(x - state["x"]) / norm(grad - state["grad"]) / 2
        local = torch.where(local.isnan(), torch.inf, local)
        size = torch.minimum(torch.sqrt(1 + theta) * before, local)
        size = torch.where(size.isfinite(), size, before)
        is_first = before == 0
        size = torch.where(is_first, lr, size)
        theta = torch.where(is_first, torch.inf, size / before)
        return x - size * grad, {"x": x, "grad": grad, "size": size, "theta": theta}
