"""Linear least squares, solved exactly: with or without a multiple of the squared weights.

Shapes: N examples, D parameters, R runs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_BLOCK = 65_536


@dataclass(frozen=True)
class LeastSquares:
    """What ‖A w − y‖² + Σ dᵢ wᵢ² depends on, whatever the d: A = Q R S by Householder's QR.

    The columns of A are scaled to norm 1 first (S), so that units cost no digits.

    Attributes:
        r: the triangular factor R, (min(N, D), D).
        qty: Qᵀ y, (min(N, D),).
        scale: the diagonal of S, (D,).
    """

    r: Tensor
    qty: Tensor
    scale: Tensor

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

    def _factor(self, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """R (..., D, D), Qᵀ y (..., D) and S (..., D) of A with the rows diag(√d) below it."""
        below = torch.diag_embed(d.sqrt() / self.scale)
        whole = torch.cat((self.r.expand(*d.shape[:-1], *self.r.shape), below), -2)
        norm = torch.linalg.vector_norm(whole, dim=-2)
        norm = torch.where(norm == 0, 1.0, norm)
        q, r = torch.linalg.qr(whole / norm[..., None, :])
        return r, self.qty @ q[..., : len(self.qty), :], norm * self.scale

    def is_unique(self, d: Tensor) -> bool:
        """Whether there is but one minimizer for each d (..., D)."""
        rank = torch.linalg.matrix_rank(self._factor(d)[0])
        return bool((rank == len(self.scale)).all())

    def solution(self, d: Tensor) -> Tensor:
        """The minimizers (..., D) for d (..., D), where they are unique."""
        r, qty, scale = self._factor(d)
        return torch.linalg.solve_triangular(r, qty[..., None], upper=True)[..., 0] / scale

    def eigenvalues(self, d: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the greatest eigenvalue (...) of AᵀA + diag(d) for d (..., D).

        The least is one over the greatest of the inverse, which loses no more digits than the
        condition of A with its columns scaled: a singular value of A itself would lose them all
        where A's own condition nears 1e16.
        """
        r, _, scale = self._factor(d)
        greatest = torch.linalg.matrix_norm(r * scale[..., None, :], ord=2).square()
        if not self.is_unique(d):
            return torch.zeros_like(greatest), greatest
        identity = torch.eye(r.shape[-1], dtype=r.dtype)
        inverse = torch.linalg.solve_triangular(r, identity, upper=True) / scale[..., None]
        return 1 / torch.linalg.matrix_norm(inverse, ord=2).square(), greatest
