"""The oracle for optimizers that need more than a gradient, and what each query costs a row.

Shapes: D dimensions, N residuals, n rows (padding included).
"""

from abc import abstractmethod
from collections.abc import Callable, Set
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Number
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import derivative, hessian, hessian_products, value_and_gradient
from gdlab.numerics.polynomial import degree
from gdlab.numerics.rowwise import by_rows
from gdlab.optimizers.base import Optimizer, State

T = TypeVar("T")

MAX_MATRIX = 2**26
"""Maximum number of entries of the matrices of a step: half a GiB, and as much for each copy."""


class Obstacle(IntEnum):
    """Why a row cannot progress."""

    NO_BETTER_POINT = 0
    OUT_OF_TRIALS = 1
    """A search used all of its trials, and more might help."""
    TOO_SHORT = 2
    """The steps of a search did not move the point."""
    NO_STEP = 3
    """The equations for the step have no finite solution."""


class Oracle:
    """Evaluates the loss and its derivatives at any points, for all rows in one call.

    Everything is computed for all rows, but charged only to rows that the optimizer asks about and
    that have not ended. The charges, in evaluations:

    - the loss with its gradient at a point: 1, once per point, whether the optimizer or the record
      of the run asks for it;
    - a Hessian-vector product: 1;
    - a Hessian, a Jacobian of the residuals, a Fisher matrix: D, the number of products with unit
      vectors it consists of.

    Attributes:
        value: the losses at the current points (n, 1).
        awake: which rows have not ended (n, 1).
        stalled: which rows cannot progress, according to their optimizer (n, 1).
        obstacle: codes of `Obstacle`, for rows that cannot progress (n, 1).
        count: evaluations charged to each row so far (n,).
        kernels: calls functions of rows by compiled loops, see `apply`; None to call them as they
            are.
    """

    def __init__(self, loss: Loss, x: Tensor) -> None:
        self.kernels: Callable[..., Any] | None = None
        self._loss = loss
        self._known: tuple[Tensor, Tensor, Tensor] | None = None
        self.value = x[:, :1]
        self.awake = torch.ones_like(x[:, :1], dtype=torch.bool)
        self.stalled = torch.zeros_like(self.awake)
        self.obstacle = torch.zeros_like(self.awake, dtype=torch.int64)
        self.count = torch.zeros(len(x), dtype=torch.int64, device=x.device)

    # What the engine calls.

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (n,) and gradients (n, D) at the points of a new record (n, D)."""
        if self._known is not None and self._known[0] is x:
            value, grad = self._known[1:]
        else:
            value, grad = self.evaluate(x, self.awake)
        self.value = value
        return value[:, 0], grad

    def end(self, ended: Tensor) -> None:
        """Stop charging the rows `ended` (n,)."""
        self.awake = self.awake & ~ended[:, None]

    def keep(self, index: Tensor, loss: Loss, x: Tensor) -> None:
        """Drop all rows except `index`, which have not ended; `loss` and x are for those rows."""
        self._loss, self.count, self.value = loss, self.count[index], self.value[index]
        self.awake = torch.ones_like(x[:, :1], dtype=torch.bool)
        self.stalled, self.obstacle = self.stalled[index], self.obstacle[index]
        if self._known is not None:
            _, value, grad = self._known
            self._known = x, value[index], by_rows(grad[index])

    # What optimizers call.

    def apply(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function of the loss and of tensors (n, …) returns.

        The function must not branch on numbers, nor depend on anything but its arguments: in
        compiled mode it is traced once, and all rows are computed by one loop in C.

        Args:
            function: takes the loss and the arguments; the rows of its tensors are independent.
            arguments: tensors (n, …), nested in tuples and dicts; and numbers, which are constant.
        """
        if self.kernels is None:
            return function(self._loss, *arguments)
        return self.kernels(function, self._loss, *arguments)

    def charge(self, which: Tensor) -> None:
        """Charge an evaluation of the loss with its gradient to the rows `which` (n, 1)."""
        self._charge(1, which)

    def evaluate(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (n, 1) and gradients (n, D) at x (n, D), charged to the rows `which`."""
        self.charge(which)
        return self.apply(evaluate, x)

    def accept(self, x: Tensor, value: Tensor, grad: Tensor) -> None:
        """Keep the loss (n, 1) and gradient (n, D) at x (n, D), the points of the next record."""
        self._known = x, value, grad

    def stall(self, which: Tensor) -> None:
        """End the runs of the rows `which` (n, 1) as stalled: they cannot progress."""
        self.stalled = self.stalled | (which & self.awake)

    def product(self, x: Tensor, vector: Tensor) -> Tensor:
        """Return the products (n, D) of the Hessians at x (n, D) with vectors (n, D)."""
        self._charge(1, self.awake)
        return hessian_products(self._loss, x)(vector)

    def hessian(self, x: Tensor) -> Tensor:
        """Return the Hessians (n, D, D) at x (n, D), computed row by row with autograd."""
        self._charge(x.shape[1], self.awake)
        return self.apply(hessian, x)

    def residuals(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residuals (n, N) of a least-squares loss at x (n, D), and Jacobians."""
        self._charge(x.shape[1], self.awake)
        return self.apply(residuals, x)

    def fisher(self, x: Tensor) -> Tensor:
        """Return the Fisher matrices (n, D, D) of a probabilistic model at x (n, D)."""
        with torch.no_grad():
            matrix = self._loss.fisher(x)
        assert matrix is not None
        self._charge(x.shape[1], self.awake)
        return matrix

    @property
    def minimum(self) -> Number | None:
        """The known minimum of the loss: a number or a column (n, 1); None if unknown."""
        known = self._loss.minimum
        return known[..., None] if isinstance(known, Tensor) else known

    def _charge(self, price: int, which: Tensor) -> None:
        self.count = self.count + price * (which & self.awake)[:, 0]


def evaluate(loss: Loss, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return losses (n, 1) and gradients (n, D) at x (n, D)."""
    value, grad = value_and_gradient(loss, x)
    return value[:, None], grad


def residuals(loss: Loss, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the residuals (n, N) of a least-squares loss at x (n, D) and Jacobians (n, N, D).

    J column by column: Jᵀu is linear in u, and its derivative with respect to u is J.
    """
    x = x.detach().requires_grad_()
    r = loss.residuals(x)
    assert r is not None
    u = torch.zeros_like(r, requires_grad=True)
    (pulled,) = torch.autograd.grad(r, x, u, create_graph=True)
    columns = [derivative(column.sum(), u) for column in pulled.unbind(1)]
    return r.detach(), torch.stack(columns, 2)


def check_size(optimizer: Optimizer, loss: Loss) -> None:
    """Refuse a loss for which an optimizer needs too large a matrix, before it is made.

    Raises:
        SettingError: the matrix is too large.
    """
    height, width = optimizer.matrix_shape(loss)
    if height * width > MAX_MATRIX:
        allowed = f"{MAX_MATRIX:,} numbers (half a GiB) are possible"
        what = f"needs a matrix of {height:,} by {width:,} for this loss, but at most {allowed}"
        raise SettingError(f"optimizer={type(optimizer).__name__}: {what}")


def check_needs(who: str, needs: Set[str], loss: Loss, noise: Tensor) -> None:
    """Refuse a loss that cannot provide what an optimizer needs.

    Args:
        who: the optimizer's name.
        needs: what the optimizer needs.
        loss: the loss.
        noise: the standard deviations (R,) of the gradient noise.

    Raises:
        SettingError: the loss lacks something, or the gradients are stochastic.
    """
    if not needs:
        return
    if loss.minibatch is not None:
        what = f"must be null with {who}, which evaluates the full loss"
        raise SettingError(f"loss.batch_size={loss.minibatch}: {what}")
    if bool((noise != 0).any()):
        first = format_value(float(noise[noise != 0][0]))
        raise SettingError(f"noise={first}: must be 0 with {who}, which evaluates the loss itself")
    start = torch.atleast_2d(loss.tensor(loss.start))
    for need, compute, kind in (
        ("residuals", loss.residuals, "a sum or mean of squares, such as mse"),
        ("fisher", loss.fisher, "a probabilistic model, such as logistic or softmax"),
    ):
        if need in needs and compute(start) is None:
            raise SettingError(f"loss={type(loss).__name__}: {who} needs {kind}")


def is_quadratic(loss: Loss, runs: int) -> bool:
    """Return whether a loss is known to have a constant Hessian, by proof and not by samples.

    Either the loss says so, or its operations make it a polynomial of degree 2 at most.

    Args:
        loss: the loss, whose columns have R numbers.
        runs: R.
    """
    if loss.is_quadratic:
        return True
    start = loss.tensor(loss.start).expand(runs, -1)
    return degree(loss(start.detach().requires_grad_())) <= 2


class OracleOptimizer(Optimizer):
    """An optimizer that queries an oracle: for losses at other points, or second derivatives.

    Subclasses implement `update_with_oracle`, and list what they query in `needs`: any of value,
    evaluate, hessian, residuals, fisher. Such an optimizer has no compiled form.
    """

    needs: ClassVar[Set[str]] = frozenset({"evaluate"})

    def update(self, x: Tensor, grad: Tensor, state: State, lr: Tensor) -> tuple[Tensor, State]:
        """Raise: there is no step without an oracle."""
        raise NotImplementedError(f"{type(self).__name__} needs more than a gradient")

    def check(self, loss: Loss, noise: Tensor) -> None:
        """Refuse a loss that does not fit the optimizer, or noise (R,) in the gradients.

        Raises:
            SettingError: the loss lacks something or is too large, or the gradients are stochastic.
        """
        check_size(self, loss)
        check_needs(type(self).__name__, self.needs, loss, noise)
        self.check_loss(loss, len(noise))

    def check_loss(self, loss: Loss, runs: int) -> None:
        """Refuse a loss that does not fit the optimizer's settings; by default none is refused.

        Args:
            loss: the loss, whose columns have R numbers.
            runs: R.

        Raises:
            SettingError: the loss does not fit.
        """

    @abstractmethod
    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step from x (R, D) with its gradient (R, D); return the next x and state.

        Rows that are not `oracle.awake` may get any values.
        """
