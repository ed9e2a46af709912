"""Newton's method and the natural gradient: steps preconditioned by a curvature matrix.

Shapes: R runs, D dimensions.
"""

from collections.abc import Set
from typing import ClassVar

import torch
from torch import Tensor

from gdlab.fields.declared import Number, setting
from gdlab.losses.base import Loss
from gdlab.numerics.rowwise import by_rows
from gdlab.optimizers.base import State, any_nonzero
from gdlab.optimizers.line_search import full_step
from gdlab.optimizers.line_search_settings import DampedStepSettings
from gdlab.optimizers.oracle import Oracle, OracleOptimizer


class Newton(DampedStepSettings, OracleOptimizer):
    """Newton's method: x ← x − α (H + damping · I)⁻¹ g with the Hessian H.

    Nocedal and Wright, "Numerical optimization", 2006, section 3.3. By `line_search`, α is lr
    (none: lr=1 is the full step, which solves any quadratic at once), or the first of lr,
    contraction · lr, … that meets Armijo's condition (armijo, "damped Newton"). Plain steps
    converge to saddle points as well as to minima. With `modified`, the eigenvalues λ of
    H + damping · I are replaced by max(|λ|, floor · max |λ|), so that steps lead downhill and away
    from saddle points (Gill, Murray and Wright, "Practical optimization", 1981, section 4.4, who
    modify a Cholesky factorization to the same end). A run stalls where the matrix is singular or
    the search finds no lower point. The optimizers newton, damped_newton and modified_newton are
    presets.

    Attributes:
        modified: make the eigenvalues positive.
        damping: added to the diagonal of H.
        floor: modified: smallest eigenvalue relative to the largest.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"hessian", "evaluate"})

    modified: bool = False
    damping: Number = setting(default=0.0, ge=0)
    floor: Number = setting(default=1e-8, gt=0, le=1)

    @property
    def escape(self) -> str | None:
        """Modified eigenvalues."""
        return None if self.modified else "optimizer.modified=true"

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return D × D."""
        return loss.dim, loss.dim

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        matrix = _add_damping(oracle.hessian(x), self.damping)
        d = -self._solve_modified(matrix, grad) if self.modified else -_solve(matrix, grad)
        return self.step_along(oracle, x, grad, d, lr), state

    def _solve_modified(self, matrix: Tensor, grad: Tensor) -> Tensor:
        """Solve with the modified eigenvalues; return (R, D)."""
        values, vectors = torch.linalg.eigh(_replace_nonfinite(matrix))
        size = values.abs()
        size = torch.maximum(size, self.floor * size.amax(1, keepdim=True))
        return by_rows((vectors * ((vectors * grad[:, :, None]).sum(1) / size)[:, None]).sum(2))


class NaturalGradient(OracleOptimizer):
    """The natural gradient: x ← x − lr (F + damping · I)⁺ g with the model's Fisher matrix F.

    Amari, "Natural gradient works efficiently in learning", 1998. For probabilistic regression
    models: F is the expected Hessian of the mean negative log-likelihood; for logistic and softmax
    regression it is the Hessian itself, so that lr=1 is Newton's step (Fisher scoring). A penalty
    counts as the negative log-density of a prior: its Hessian is part of F. ⁺ is the
    pseudoinverse, as the F of softmax regression is always singular; eigenvalues below 1e-12 of the
    largest count as zero.

    Attributes:
        damping: added to the diagonal of F.
    """

    default_lr: ClassVar[float] = 1.0
    needs: ClassVar[Set[str]] = frozenset({"fisher"})

    damping: Number = setting(default=0.0, ge=0)

    def matrix_shape(self, loss: Loss) -> tuple[int, int]:
        """Return D × D, or N × D with more examples N than dimensions."""
        return max(loss.dim, loss.examples or 0), loss.dim

    def update_with_oracle(
        self, x: Tensor, grad: Tensor, state: State, lr: Tensor, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step."""
        matrix = _replace_nonfinite(_add_damping(oracle.fisher(x), self.damping))
        values, vectors = torch.linalg.eigh(matrix)
        is_zero = values <= 1e-12 * values.amax(1, keepdim=True)
        inverse = torch.where(is_zero, 0.0, 1 / values)
        d = -(vectors * ((vectors * grad[:, :, None]).sum(1) * inverse)[:, None]).sum(2)
        return full_step(oracle, x, by_rows(d), lr), state


def _add_damping(matrix: Tensor, damping: Number) -> Tensor:
    """Add `damping` to the diagonals of matrices (R, D, D)."""
    if not any_nonzero(damping):
        return matrix
    unit = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    return matrix + (damping[:, :, None] if isinstance(damping, Tensor) else damping) * unit


def _replace_nonfinite(matrix: Tensor) -> Tensor:
    """Replace matrices (R, D, D) that are not finite by ones: a factorization would raise."""
    return torch.where(matrix.isfinite().all(2).all(1)[:, None, None], matrix, 1.0).contiguous()


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve linear systems (R, D, D), (R, D); a row of a singular one is NaN."""
    solution, info = torch.linalg.solve_ex(matrix.contiguous(), right[:, :, None].contiguous())
    return by_rows(torch.where((info == 0)[:, None], solution[:, :, 0], torch.nan))
