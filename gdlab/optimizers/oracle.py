"""What optimizers that need more than a gradient may ask, and what that costs each row.

Shapes: D dimensions, N residuals, n rows (padding included).
"""

from abc import abstractmethod
from collections.abc import Set
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import derivative, hessian, hessian_products, value_and_gradient
from gdlab.numerics.rowwise import by_rows
from gdlab.optimizers.base import Optimizer, State


class Oracle:
    """The loss at points of an optimizer's choice, for all rows in one call.

    What is asked for is computed for all rows; only those that an optimizer still asks about, and
    that have not ended, are charged for it:

    - the loss with its gradient at a point: 1, once a point, be it asked for by the optimizer or by
      the record of the run;
    - a product of the Hessian and a vector: 1;
    - a Hessian, a Jacobian of the residuals, a Fisher matrix: D, as many as the products with unit
      vectors that make it up.

    Attributes:
        value: the losses at the current points (n, 1).
        awake: which rows have not ended (n, 1).
        stalled: which rows cannot go on, as their optimizer says (n, 1).
        count: what each row was charged so far (n,).
    """

    def __init__(self, loss: Loss, x: Tensor) -> None:
        self._loss = loss
        self._known: tuple[Tensor, Tensor, Tensor] | None = None
        self.value = x[:, :1]
        self.awake = torch.ones_like(x[:, :1], dtype=torch.bool)
        self.stalled = torch.zeros_like(self.awake)
        self.count = torch.zeros(len(x), dtype=torch.int64, device=x.device)

    # What the engine calls.

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (n,) and gradients (n, D) at the points of a new record (n, D)."""
        if self._known is not None and self._known[0] is x:
            value, grad = self._known[1:]
        else:
            value, grad = self.evaluate(x, self.awake)
        self.value = value
        return value[:, 0], grad

    def end(self, ended: Tensor) -> None:
        """Some rows (n,) have ended."""
        self.awake = self.awake & ~ended[:, None]

    def keep(self, index: Tensor, loss: Loss, x: Tensor) -> None:
        """Let all rows go but some, which have not ended: they are at x, the loss is theirs."""
        self._loss, self.count, self.value = loss, self.count[index], self.value[index]
        self.awake, self.stalled = torch.ones_like(x[:, :1], dtype=torch.bool), self.stalled[index]
        if self._known is not None:
            _, value, grad = self._known
            self._known = x, value[index], by_rows(grad[index])

    # What optimizers call.

    def evaluate(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (n, 1) and gradients (n, D) at points x (n, D), charged to the rows `which`."""
        value, grad = value_and_gradient(self._loss, x)
        self._charge(1, which)
        return value[:, None], grad

    def accept(self, x: Tensor, value: Tensor, grad: Tensor) -> None:
        """The optimizer goes to x (n, D), where it has evaluated the loss: (n, 1) and (n, D)."""
        self._known = x, value, grad

    def stall(self, which: Tensor) -> None:
        """The rows `which` (n, 1) cannot progress: their runs end here as stalled."""
        self.stalled = self.stalled | (which & self.awake)

    def product(self, x: Tensor, vector: Tensor) -> Tensor:
        """The products (n, D) of the Hessians at x (n, D) and vectors (n, D)."""
        self._charge(1, self.awake)
        return hessian_products(self._loss, x)(vector)

    def hessian(self, x: Tensor) -> Tensor:
        """The Hessians (n, D, D) at x (n, D), row by row of them by automatic differentiation."""
        self._charge(x.shape[1], self.awake)
        return hessian(self._loss, x)

    def residuals(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The residuals (n, N) of a least-squares loss at x (n, D), their Jacobians (n, N, D).

        Column by column: Jᵀu is linear in u, so that its derivative there is J.
        """
        x = x.detach().requires_grad_()
        r = self._loss.residuals(x)
        assert r is not None
        u = torch.zeros_like(r, requires_grad=True)
        (pulled,) = torch.autograd.grad(r, x, u, create_graph=True)
        self._charge(x.shape[1], self.awake)
        columns = [derivative(column.sum(), u) for column in pulled.unbind(1)]
        return r.detach(), torch.stack(columns, 2)

    def fisher(self, x: Tensor) -> Tensor:
        """The Fisher matrices (n, D, D) of a probabilistic model at x (n, D)."""
        with torch.no_grad():
            matrix = self._loss.fisher(x)
        assert matrix is not None
        self._charge(x.shape[1], self.awake)
        return matrix

    @property
    def minimum(self) -> Number | None:
        """The known minimum of the loss: a number or a column (n, 1)."""
        known = self._loss.minimum
        return known[..., None] if isinstance(known, Tensor) else known

    def _charge(self, price: int, which: Tensor) -> None:
        self.count = self.count + price * (which & self.awake)[:, 0]


def check_needs(who: str, needs: Set[str], loss: Loss, noise: Tensor) -> None:
    """Refuse a loss that cannot give an optimizer what it needs.

    Args:
        who: the optimizer's name.
        needs: of the optimizer.
        loss: the loss.
        noise: the standard deviations (R,) of the noise in the gradients.

    Raises:
        SettingError: in words, which setting does not fit.
    """
    if not needs:
        return
    if loss.minibatch is not None:
        what = f"must be null: {who} evaluates the full loss"
        raise SettingError(f"loss.batch_size={loss.minibatch}: {what}")
    if bool((noise != 0).any()):
        first = format_value(float(noise[noise != 0][0]))
        raise SettingError(f"noise={first}: must be 0: {who} evaluates the loss itself")
    start = torch.atleast_2d(loss.tensor(loss.start))
    for need, given, kind in (
        ("residuals", loss.residuals, "a sum or mean of squares, such as mse"),
        ("fisher", loss.fisher, "a probabilistic model, such as logistic or softmax"),
    ):
        if need in needs and given(start) is None:
            raise SettingError(f"loss={type(loss).__name__}: {who} needs {kind}")


def is_quadratic(loss: Loss, runs: int) -> bool:
    """Whether the Hessian is the same everywhere, by what a loss says of itself or by trying.

    Args:
        loss: the loss, whose columns have as many numbers as there are runs.
        runs: R.
    """
    if loss.curvature is not None:
        return True
    start = loss.tensor(loss.start).expand(runs, -1)
    vector = torch.linspace(1, 2, start.shape[1], dtype=start.dtype, device=start.device)
    found = [hessian_products(loss, start + away * vector)(vector) for away in (0.0, 0.5)]
    near = 1000 * torch.finfo(start.dtype).eps
    return torch.allclose(*found, rtol=near, atol=near * float(found[0].abs().max()))


class OracleOptimizer(Optimizer):
    """An optimizer that asks an oracle for losses elsewhere, for second derivatives and such.

    Subclasses say `update_with_oracle`, and in `needs` what they ask for. It has no compiled form.
    """

    needs: ClassVar[Set[str]] = frozenset({"evaluate"})

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Not without an oracle."""
        raise NotImplementedError(f"{type(self).__name__} cannot step by a gradient alone")

    def check(self, loss: Loss, noise: Tensor) -> None:
        """Refuse a loss that cannot give what is needed, or noise (R,) in the gradients.

        Raises:
            SettingError: in words, which setting does not fit.
        """
        check_needs(type(self).__name__, self.needs, loss, noise)

    @abstractmethod
    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step from x (R, D) with its gradient (R, D): the next x and state.

        What becomes of rows that are not `oracle.awake` does not matter.
        """
