"""Linear least squares, solved exactly: with or without a multiple of the squared weights.

Shapes: N examples, D parameters, R runs.
"""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """What ‖A w − y‖² depends on: A = Q R S by Householder's QR.

    The columns of A are scaled to norm 1 first (S), so that units cost no digits.

    Attributes:
        r: the triangular factor R, (min(N, D), D).
        qty: Qᵀ y, (min(N, D),).
        scale: the diagonal of S, (D,).
    """

    r: Tensor
    qty: Tensor
    scale: Tensor
    _last: "list[Penalised]" = field(default_factory=list, init=False)

    @classmethod
    def of(cls, a: Tensor, y: Tensor) -> "LeastSquares":
        """Factorise A (N, D) beside y (N,), both float64, block by block to spare memory."""
        scale = torch.linalg.vector_norm(a, dim=0)
        scale = torch.where(scale == 0, 1.0, scale)
        dim, triangle = len(scale), a.new_empty((0, len(scale) + 1))
        for rows, right in zip(a.split(_BLOCK), y.split(_BLOCK), strict=True):
            block = torch.cat((rows / scale, right[:, None]), 1)
            triangle = torch.linalg.qr(torch.cat((triangle, block)), mode="r")[1]
        return cls(triangle[:dim, :dim], triangle[:dim, dim], scale)

    def penalised(self, d: Tensor) -> "Penalised":
        """The same with Σ dᵢ wᵢ² added, for each d (..., D); the last answer is kept."""
        if not (self._last and torch.equal(self._last[0].d, d)):
            self._last[:] = [Penalised(self, d)]
        return self._last[0]


@dataclass(frozen=True, eq=False)
class Penalised:
    """The minimizers of ‖A w − y‖² + Σ dᵢ wᵢ² and the curvature there.

    Attributes:
        of: what depends on A and y alone.
        d: the multiples of the squares, (..., D).
    """

    of: LeastSquares
    d: Tensor

    @cached_property
    def _factor(self) -> tuple[Tensor, Tensor, Tensor]:
        """R (..., D, D), Qᵀ y (..., D) and S (..., D) of A with the rows diag(√d) below it."""
        r, qty, scale = self.of.r, self.of.qty, self.of.scale
        below = torch.diag_embed(self.d.sqrt() / scale)
        whole = torch.cat((r.expand(*self.d.shape[:-1], *r.shape), below), -2)
        norm = torch.linalg.vector_norm(whole, dim=-2)
        norm = torch.where(norm == 0, 1.0, norm)
        q, r = torch.linalg.qr(whole / norm[..., None, :])
        return r, qty @ q[..., : len(qty), :], norm * scale

    @cached_property
    def is_unique(self) -> bool:
        """Whether there is but one minimizer for each d."""
        rank = torch.linalg.matrix_rank(self._factor[0])
        return bool((rank == self.d.shape[-1]).all())

    @cached_property
    def solution(self) -> Tensor:
        """The minimizers (..., D), where they are unique."""
        r, qty, scale = self._factor
        return torch.linalg.solve_triangular(r, qty[..., None], upper=True)[..., 0] / scale

    @cached_property
    def eigenvalues(self) -> tuple[Tensor, Tensor]:
        """The least and the greatest eigenvalue (...) of AᵀA + diag(d).

        The least is one over the greatest of the inverse, which loses no more digits than the
        condition of A with its columns scaled: a singular value of A itself would lose them all
        where A's own condition nears 1e16.
        """
        r, _, scale = self._factor
        greatest = torch.linalg.matrix_norm(r * scale[..., None, :], ord=2).square()
        if not self.is_unique:
            return torch.zeros_like(greatest), greatest
        identity = torch.eye(r.shape[-1], dtype=r.dtype)
        inverse = torch.linalg.solve_triangular(r, identity, upper=True) / scale[..., None]
        return 1 / torch.linalg.matrix_norm(inverse, ord=2).square(), greatest
