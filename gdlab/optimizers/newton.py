"""Newton's method and the natural gradient: steps by a matrix of curvatures.

Shapes: R runs, D dimensions.
"""

from collections.abc import Set
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.numerics.rowwise import by_rows
from gdlab.optimizers.base import State, any_nonzero
from gdlab.optimizers.damped_step import DampedStep, straight
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class Newton(DampedStep):
    """Newton's method: x ← x − α (H + damping · I)⁻¹ g with the Hessian H.

    Nocedal and Wright, "Numerical optimization", 2006, section 3.3. By `line_search`, α is lr
    (none: lr=1 is the full step, which solves any quadratic at once), or the first of lr,
    contraction · lr, … that meets Armijo's condition (armijo, "damped Newton"). Plain steps go to
    saddles as well as to minima. With `modified` the eigenvalues λ of H + damping · I are replaced
    by max(|λ|, floor · max |λ|), so that steps lead downhill, and off saddles (Gill, Murray and
    Wright, "Practical optimization", 1981, section 4.4, who modify a Cholesky factorisation to the
    same end). A run stalls where the matrix is singular, or the search finds no lower point. The
    optimizers newton, damped_newton and modified_newton are presets.

    Attributes:
        line_search: none or armijo.
        c1: armijo: how much of the decrease that the slope promises must be there.
        contraction: armijo: what the step size is multiplied with.
        max_trials: armijo: the search ends after so many points.
        modified: whether the eigenvalues are made positive.
        damping: added to the diagonal of H.
        floor: modified: the least eigenvalue over the greatest.
    """

    needs: ClassVar[Set[str]] = frozenset({"hessian", "evaluate"})

    modified: bool = False
    damping: Number = setting(default=0.0, ge=0)
    floor: Number = setting(default=1e-8, gt=0, le=1)

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        matrix = _damped(oracle.hessian(x), self.damping)
        d = -self._modified(matrix, grad) if self.modified else -solved(matrix, grad)
        return self.along(oracle, x, grad, d, lr), state

    def _modified(self, matrix: Tensor, grad: Tensor) -> Tensor:
        """The step with positive eigenvalues (R, D)."""
        values, vectors = torch.linalg.eigh(_known(matrix))
        size = values.abs()
        size = torch.maximum(size, self.floor * size.amax(1, keepdim=True))
        return by_rows((vectors * ((vectors * grad[:, :, None]).sum(1) / size)[:, None]).sum(2))


class NaturalGradient(OracleOptimizer):
    """The natural gradient: x ← x − lr (F + damping · I)⁺ g with the Fisher matrix F of the model.

    Amari, "Natural gradient works efficiently in learning", 1998. For the probabilistic
    regressions: F is the expected Hessian of the mean −log likelihood, for logistic and softmax
    regression the Hessian itself, so that lr=1 is Newton's step (Fisher scoring). A penalty counts
    as a prior's −log density: its Hessian is a part of F. ⁺ is the pseudoinverse, as softmax
    regression's F is singular by nature; eigenvalues below 1e-12 of the greatest count as zero.

    Attributes:
        damping: added to the diagonal of F.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"fisher"})

    damping: Number = setting(default=0.0, ge=0)

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """One step."""
        values, vectors = torch.linalg.eigh(_known(_damped(oracle.fisher(x), self.damping)))
        is_zero = values <= 1e-12 * values.amax(1, keepdim=True)
        inverse = torch.where(is_zero, 0.0, 1 / values)
        d = -(vectors * ((vectors * grad[:, :, None]).sum(1) * inverse)[:, None]).sum(2)
        return straight(oracle, x, by_rows(d), lr), state


def _damped(matrix: Tensor, damping: Number) -> Tensor:
    """Symmetric matrices (R, D, D) to whose diagonals a number is added."""
    if not any_nonzero(damping):
        return matrix
    unit = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    return matrix + (damping[:, :, None] if isinstance(damping, Tensor) else damping) * unit


def _known(matrix: Tensor) -> Tensor:
    """Matrices (R, D, D), those that are not finite replaced by 1: a factorisation would raise."""
    return torch.where(matrix.isfinite().all(2).all(1)[:, None, None], matrix, 1.0).contiguous()


def solved(matrix: Tensor, right: Tensor) -> Tensor:
    """The solutions (R, D) of linear systems (R, D, D), (R, D); NaN where one is singular."""
    found, info = torch.linalg.solve_ex(matrix.contiguous(), right[:, :, None].contiguous())
    return by_rows(torch.where((info == 0)[:, None], found[:, :, 0], torch.nan))
