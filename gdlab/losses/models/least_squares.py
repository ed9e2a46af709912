"""Direct solutions of linear least squares, with or without a penalty on the squared weights.

Shapes: N examples, D parameters, R runs.
"""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """All that ‖A w − y‖² depends on: the factors of A = Q R S by Householder's QR.

    The columns of A are scaled to norm 1 first (S), so that units cost no digits.

    Attributes:
        r: the triangular factor R, (min(N, D), D).
        qty: Qᵀ y, (min(N, D),).
        scale: the diagonal of S, (D,).
    """

    r: Tensor
    qty: Tensor
    scale: Tensor
    _last: "list[PenalizedLeastSquares]" = field(default_factory=list, init=False)

    @classmethod
    def factorize(cls, a: Tensor, y: Tensor) -> "LeastSquares":
        """Factorize A (N, D) with y (N,), both float64, block by block to save memory."""
        scale = torch.linalg.vector_norm(a, dim=0)
        scale = torch.where(scale == 0, 1.0, scale)
        dim, triangle = len(scale), a.new_empty((0, len(scale) + 1))
        for rows, right in zip(a.split(_BLOCK), y.split(_BLOCK), strict=True):
            block = torch.cat((rows / scale, right[:, None]), 1)
            triangle = torch.linalg.qr(torch.cat((triangle, block)), mode="r")[1]
        return cls(triangle[:dim, :dim], triangle[:dim, dim], scale)

    @property
    def is_finite(self) -> bool:
        """Whether A, y and the factors fit into the range of floats."""
        return all(bool(part.isfinite().all()) for part in (self.r, self.qty, self.scale))

    def penalize(self, d: Tensor) -> "PenalizedLeastSquares":
        """Return the problem with Σ dᵢ wᵢ² added, for each d (..., D); the last one is cached."""
        if not (self._last and torch.equal(self._last[0].d, d)):
            self._last[:] = [PenalizedLeastSquares(self, d)]
        return self._last[0]


@dataclass(frozen=True, eq=False)
class PenalizedLeastSquares:
    """The minimizers of ‖A w − y‖² + Σ dᵢ wᵢ² and the curvature there.

    Attributes:
        unpenalized: the factors of A and y.
        d: the factors of the squares, (..., D).
    """

    unpenalized: LeastSquares
    d: Tensor

    @cached_property
    def _factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """R (..., D, D), Qᵀ y (..., D) and S (..., D) of A with the rows diag(√d) appended."""
        r, qty, scale = self.unpenalized.r, self.unpenalized.qty, self.unpenalized.scale
        below = torch.diag_embed(self.d.sqrt() / scale)
        stacked = torch.cat((r.expand(*self.d.shape[:-1], *r.shape), below), -2)
        norm = torch.linalg.vector_norm(stacked, dim=-2)
        norm = torch.where(norm == 0, 1.0, norm)
        q, r = torch.linalg.qr(stacked / norm[..., None, :])
        return r, qty @ q[..., : len(qty), :], norm * scale

    @cached_property
    def is_unique(self) -> bool:
        """Whether the minimizer is unique for each d."""
        rank = torch.linalg.matrix_rank(self._factors[0])
        return bool((rank == self.d.shape[-1]).all())

    @cached_property
    def solution(self) -> Tensor:
        """The minimizers (..., D), where they are unique."""
        r, qty, scale = self._factors
        return torch.linalg.solve_triangular(r, qty[..., None], upper=True)[..., 0] / scale

    @cached_property
    def eigenvalues(self) -> tuple[Tensor, Tensor]:
        """The least and the greatest eigenvalue (...) of AᵀA + diag(d).

        The least is 1 over the greatest eigenvalue of the inverse. This loses only as many digits
        as the condition number of A with scaled columns has; a singular value of A itself would
        lose all of them where A's own condition number approaches 1e16.
        """
        r, _, scale = self._factors
        greatest = torch.linalg.matrix_norm(r * scale[..., None, :], ord=2).square()
        if not self.is_unique:
            return torch.zeros_like(greatest), greatest
        identity = torch.eye(r.shape[-1], dtype=r.dtype)
        inverse = torch.linalg.solve_triangular(r, identity, upper=True) / scale[..., None]
        return 1 / torch.linalg.matrix_norm(inverse, ord=2).square(), greatest
