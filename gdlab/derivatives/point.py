"""A loss at a point: the values that the findings share, each computed once.

Shapes: D dimensions.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from gdlab.derivatives.arguments import as_point, format_setting, normalize
from gdlab.derivatives.differentiability import Differentiability, Flaw
from gdlab.derivatives.methods.behavior import Behavior, Kind
from gdlab.derivatives.methods.finite_differences import DOUBT, Differences
from gdlab.derivatives.methods.local_behavior import local_behavior
from gdlab.derivatives.methods.symbolic import Proven, Symbolic
from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import hessian, is_twice_differentiable, norms, value_and_gradient
from gdlab.numerics.partial_functions import find_undefined

LARGEST = 200
"""The largest number of dimensions for which the Hessian is computed by default."""

MOST_DIMENSIONS = 1000
"""The largest number of dimensions for which it is computed at all: a report takes a GiB then."""

MOST_CURVATURES = 30
"""The largest number of dimensions in which second derivatives are tested by differences."""

_SMALL, _ROUNDINGS = 1e-6, 4  # a gradient, and in rounding errors: larger is no rounding
_VAGUE = 100.0  # of the uncertainty of one-sided differences: so uncertain ones see less


class LossAtPoint:
    """A loss of D variables and a point.

    Args:
        loss: the loss.
        at: the point, D finite numbers; None for the start of the loss.
        setting: the setting the point was given for, named in errors.

    Raises:
        SettingError: the point has the wrong length, or the loss is not finite there.

    Attributes:
        loss: the loss.
        x: the point (D,), float64.
    """

    def __init__(
        self, loss: Loss, at: "Sequence[float] | Tensor | None" = None, setting: str = "at"
    ) -> None:
        if at is None:
            at = loss.starts(torch.tensor([0])).reshape(-1)
        self.loss, self.x = loss, as_point(at, loss.names, setting)
        if not bool(self.value.isfinite()):
            problem = f"the loss is {float(self.value):g} there, but must be finite"
            undefined = find_undefined(loss, self.x[None])[0]
            if undefined is not None:
                problem += f": {undefined.words(loss.names, self.x.tolist())}"
            raise SettingError(f"{format_setting(self.x, setting)}: {problem}")

    @cached_property
    def value(self) -> Tensor:
        """The loss: a scalar."""
        return self._first[0]

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient (D,) by autograd."""
        return self._first[1]

    @cached_property
    def grad_norm(self) -> float:
        """The norm of the gradient, safe against overflow of squares."""
        return float(norms(self.gradient[None, :, None])[0])

    @cached_property
    def ascent(self) -> Tensor | None:
        """The unit direction (D,) of steepest ascent; None if the gradient is rounding or none."""
        return None if self.flaws or self.is_flat else normalize(self.gradient)

    @cached_property
    def is_flat(self) -> bool:
        """Whether the gradient is zero, or so small that it may be rounding alone.

        Rounding of the point alone changes the gradient by up to λ_max ε ‖x‖.
        """
        if self.grad_norm == 0:
            return True
        is_small = self.grad_norm <= _SMALL and not self.is_large
        if not is_small or not is_twice_differentiable(self.loss, self.x[None]):
            return False
        size = float(self.hessian.abs().sum(1).max() * self.x.norm())
        return self.grad_norm <= _ROUNDINGS * torch.finfo(self.x.dtype).eps * size

    @property
    def slopes(self) -> Tensor:
        """The gradient (D,), or zeros where it is rounding alone."""
        return torch.zeros_like(self.gradient) if self.is_flat else self.gradient

    @cached_property
    def differentiability(self) -> Differentiability:
        """What the values of the loss show about its derivatives along lines."""
        return Differentiability(self)

    @property
    def flaws(self) -> list[Flaw]:
        """The lines that show that there is no gradient; none above 200 dimensions."""
        return [] if self.is_large else self.differentiability.flaws

    @cached_property
    def curvatures(self) -> tuple[Tensor, Tensor]:
        """The slopes of autograd's partial derivatives along the axes, with uncertainty: (D, D).

        Entry [i, j] is that of ∂f/∂xᵢ along xⱼ, by one-sided differences; NaN if there is none.
        """
        rows = self.differentiability.of_partials
        slopes = torch.tensor([[behavior.slope for behavior in row] for row in rows])
        doubts = torch.tensor([[behavior.uncertainty for behavior in row] for row in rows])
        return slopes.to(self.x), doubts.to(self.x)

    @cached_property
    def missing_curvatures(self) -> tuple[str, ...]:
        """Sentences on second derivatives that do not exist; none above 30 dimensions."""
        if len(self.x) > MOST_CURVATURES:
            return ("there is no gradient",) if self.flaws else ()
        return self.differentiability.missing_curvatures or self._missing_by_formula

    @property
    def _missing_by_formula(self) -> tuple[str, ...]:
        """Sentences on the second derivatives that the formula proves to be missing."""
        if self.symbolic is None or self.symbolic.bends_nowhere(self.x):
            return ()
        assert self.curvatures_by_formula is not None
        pairs = torch.nonzero(self.curvatures_by_formula.missing).tolist()
        return tuple(
            f"∂f/∂{self.names[i]} has no derivative along {self.names[j]}" for i, j in pairs
        )

    @cached_property
    def is_at_boundary(self) -> bool:
        """Whether the point is on a boundary of pieces; one of these has the derivatives."""
        return self.symbolic is not None and self.symbolic.is_at_boundary(self.x)

    @property
    def has_certain_hessian(self) -> bool:
        """Whether there is a Hessian and autograd's is not refuted; true above 30 dimensions."""
        if len(self.x) > MOST_CURVATURES:
            return not self.flaws
        return not self.missing_curvatures and self.differentiability.has_certain_hessian

    def has_curvature(self, i: int) -> bool:
        """Whether the second derivative along axis i is not known to be missing."""
        if len(self.x) > MOST_CURVATURES:
            return True
        return not self.differentiability.of_partials[i][i].has_no_derivative

    @property
    def flaw(self) -> str | None:
        """Why there is no gradient, for use in a sentence; None if there is one."""
        return self.flaws[0].words if self.flaws else None

    @property
    def flaw_of_slopes(self) -> str | None:
        """Why there is no gradient, or none by autograd, likewise; None if there is one."""
        if self.flaw is None and not bool(self.gradient.isfinite().all()):
            return "autograd's gradient is not finite here"
        return self.flaw

    @property
    def is_large(self) -> bool:
        """Whether the loss has too many dimensions to look for flaws along each axis."""
        return len(self.x) > LARGEST

    @cached_property
    def _first(self) -> tuple[Tensor, Tensor]:
        value, gradient = value_and_gradient(self.loss, self.x[None])
        return value[0], gradient[0].contiguous()

    @cached_property
    def hessian(self) -> Tensor:
        """The Hessian (D, D) by autograd.

        Raises:
            SettingError: the loss is not twice differentiable by autograd.
        """
        if not is_twice_differentiable(self.loss, self.x[None]):
            problem = "the loss uses a function that is differentiable only once"
            raise SettingError(f"order=2: {problem}; use order=1")
        return hessian(self.loss, self.x[None])[0].contiguous()

    @cached_property
    def symbolic(self) -> Symbolic | None:
        """The formula of the loss; None if it has none."""
        return Symbolic.of(self.loss)

    @cached_property
    def slopes_by_formula(self) -> Proven | None:
        """The partial derivatives (D,) that the formula proves; None without a formula."""
        return None if self.symbolic is None else self.symbolic.decide_all(self.x, 1)

    @cached_property
    def curvatures_by_formula(self) -> Proven | None:
        """The second partial derivatives (D, D) likewise."""
        return None if self.symbolic is None else self.symbolic.decide_all(self.x, 2)

    @cached_property
    def differences(self) -> Differences:
        """The difference quotients along the axes, with steps that see the loss's scale."""
        axes = torch.eye(len(self.x), dtype=self.x.dtype)
        if self.is_large:
            return Differences.along(self.loss, self.x, axes)
        return self._differences(axes, self.differentiability.along_axes)

    @cached_property
    def limit(self) -> tuple[Tensor, Tensor]:
        """The limits (D,) of the differences along the axes, and their uncertainty (D,)."""
        if self.is_large:
            return self.differences.limit()
        return _limit(self.differences, self.differentiability.along_axes)

    def differences_along(self, unit: Tensor) -> tuple[Differences, Tensor, Tensor]:
        """Compute the quotients along a unit direction (D,), their limit (1,) and its uncertainty.

        The steps see the loss's scale.
        """
        slopes = (self.gradient @ unit)[None]
        behaviors = local_behavior(self.loss, self.x, unit[None], slopes)
        differences = self._differences(unit[None], behaviors)
        return differences, *_limit(differences, behaviors)

    def _differences(self, directions: Tensor, behaviors: list[Behavior]) -> Differences:
        """Compute the quotients with the usual steps, or with smaller ones if these show more."""
        usual = Differences.along(self.loss, self.x, directions)
        is_seen = usual.are_confirmed(float(self.value))
        steps = usual.h[:, 0].clone()
        for i, (behavior, sides) in enumerate(
            zip(behaviors, usual.one_sided_slopes(), strict=True)
        ):
            scale = max(self.grad_norm, abs(sides.left), abs(sides.right))
            if behavior.kind is Kind.SMOOTH and (not is_seen[i] or sides.differ(scale)):
                steps[i] = min(behavior.left.step, behavior.right.step)
        if torch.equal(steps, usual.h[:, 0]):
            return usual
        return Differences.along(self.loss, self.x, directions, steps)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return self.loss.names


def _limit(differences: Differences, behaviors: list[Behavior]) -> tuple[Tensor, Tensor]:
    """Return the limits of differences (n,) and their uncertainty (n,).

    Where they do not see the slope that one-sided differences show, that of these stands.
    """
    limits, uncertainty = (values.clone() for values in differences.limit())
    for i, behavior in enumerate(behaviors):
        margin = DOUBT * (behavior.uncertainty + float(uncertainty[i]))
        is_near = abs(float(limits[i]) - behavior.slope) <= margin
        is_seen = is_near and float(uncertainty[i]) <= _VAGUE * behavior.uncertainty
        if behavior.kind is Kind.SMOOTH and not is_seen:
            limits[i], uncertainty[i] = behavior.slope, behavior.uncertainty
    return limits, uncertainty
