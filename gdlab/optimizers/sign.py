"""Sign-based methods: steps depend on the signs of gradients, not on their magnitudes."""

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Layout
from gdlab.optimizers.base import Optimizer, State, any_nonzero, as_tensor


class SignSGD(Optimizer):
    """Sign descent: x ← x − lr · sign(m), with m ← momentum · m + (1 − momentum) · g from zero.

    Bernstein et al., "signSGD: compressed optimisation for non-convex problems", 2018: algorithm 1
    without momentum, where m = g, and Signum, algorithm 2, with it. The sign of 0 is 0.

    Attributes:
        momentum: decay rate of the mean gradient.
    """

    momentum: Number = setting(default=0.0, ge=0, lt=1)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return a mean gradient of zero."""
        return {"mean": torch.zeros_like(x)} if any_nonzero(self.momentum) else {}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        if any_nonzero(self.momentum):
            grad = torch.lerp(state["mean"], grad, 1 - self.momentum)
            state = {"mean": grad}
        return torch.addcmul(x, grad.sign(), lr, value=-1), state


class Lion(Optimizer):
    """Lion: steps along the sign of an interpolation between the mean gradient and the newest.

        x ← x − lr · (sign(β₁ m + (1 − β₁) g) + weight_decay · x)
        m ← β₂ m + (1 − β₂) g

    Chen et al., "Symbolic discovery of optimization algorithms", 2023, program 1.

    Attributes:
        betas: weight of the mean gradient in the step, and decay rate of the mean gradient.
        weight_decay: coefficient of the decoupled weight decay.
    """

    betas: tuple[Number, Number] = setting(default=(0.9, 0.99), ge=0, lt=1)
    weight_decay: Number = setting(default=0.0, ge=0)

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return a mean gradient of zero."""
        return {"mean": torch.zeros_like(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        beta1, beta2 = self.betas
        direction = torch.lerp(state["mean"], grad, 1 - beta1).sign()
        x = x * (1 - lr * self.weight_decay) if any_nonzero(self.weight_decay) else x
        mean = torch.lerp(state["mean"], grad, 1 - beta2)
        return torch.addcmul(x, direction, lr, value=-1), {"mean": mean}


class Rprop(Optimizer):
    """Rprop: each coordinate has its own step size, which grows while the sign of g persists.

    With s the step sizes, initially lr, and g₋ the previous gradient,

        s ← s · etas₂ where g · g₋ > 0,   s ← s · etas₁ and g ← 0 where g · g₋ < 0
        x ← x − sign(g) · s,   s clamped to `step_sizes`

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm", 1993. Equal to `torch.optim.Rprop`. A schedule has no effect after the first step.

    Attributes:
        etas: factors of a step size when the sign changes and when it persists.
        step_sizes: smallest and largest step size.
        maximize: maximize the loss instead of minimizing it.
    """

    etas: tuple[Number, Number] = setting(default=(0.5, 1.2), gt=0)
    step_sizes: tuple[Number, Number] = setting(default=(1e-6, 50.0), gt=0)
    maximize: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        less, more = map(torch.as_tensor, self.etas)
        if bool((less >= 1).any()) or bool((more <= 1).any()):
            raise SettingError(
                f"etas={format_value(self.etas)}: the first must be < 1, the second > 1"
            )
        low, high = map(torch.as_tensor, self.step_sizes)
        if bool((low > high).any()):
            values = format_value(self.step_sizes)
            raise SettingError(f"step_sizes={values}: the first must be ≤ the second")

    def init(self, x: Tensor, layout: Layout) -> State:
        """Return a previous gradient of zero, and step sizes of 0, which stand for lr."""
        return {"before": torch.zeros_like(x), "size": torch.zeros_like(x)}

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Take one step."""
        grad = -grad if self.maximize else grad
        (less, more), (low, high) = self.etas, self.step_sizes
        agree = grad.sign() * state["before"].sign()
        turned = agree < 0
        factor = torch.where(turned, less, torch.where(agree > 0, more, 1.0))
        size = torch.where(state["size"] == 0, lr, state["size"]) * factor
        size = torch.maximum(torch.minimum(size, as_tensor(high, x)), as_tensor(low, x))
        grad = torch.where(turned, 0.0, grad)
        x = torch.addcmul(x, grad.sign(), size, value=-1)
        return x, {"before": grad, "size": size}
