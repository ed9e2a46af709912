"""Extreme eigenvalues of Hessians that are never formed, for many rows at once.

Shapes: n rows, D dimensions, k eigenvalues, m ≤ 64 basis vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.numerics import rng
from gdlab.numerics.autodiff import Product, hessian_products, norms
from gdlab.numerics.rowwise import by_rows, dot

VECTORS = 64
"""Maximum number of basis vectors; the best third is kept when the basis is full."""

_KEPT = VECTORS // 3
_CHECK_EVERY = 8  # products between checks for convergence
_ALIGNED = 8  # matrices have a multiple of this size
_ROUNDING = 64  # units in the last place of the largest number met
_HUGE = 1e-6  # share of the largest float, above which sums may overflow

End = Literal["largest", "smallest", "magnitude"]

Rank = Callable[[Tensor], Tensor]

_RANKS: Mapping[str, Rank] = {
    "largest": torch.clone,
    "smallest": torch.neg,
    "magnitude": torch.abs,
}


def numbers_per_row(dim: int) -> int:
    """Return how many numbers the search for an eigenvalue in D dimensions stores per row."""
    size = _pad_size(min(dim, VECTORS))
    return size * (dim + size)


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues at one end of the spectrum, with bounds on their errors.

    Attributes:
        values: (n, k), outermost first; NaN if a product was not finite or near overflow.
        vectors: unit eigenvectors (n, k, D).
        errors: (n, k): up to rounding, there is an eigenvalue within this distance of each value.
        products: number of products with each row's matrix.
    """

    values: Tensor
    vectors: Tensor
    errors: Tensor
    products: int


def lanczos(
    product: Product,
    like: Tensor,
    k: int = 1,
    *,
    end: End = "largest",
    tolerance: float = 1e-6,
    max_products: int = 500,
) -> Eigenpairs:
    """Compute the k outermost eigenvalues of symmetric matrices (n, D, D) by the Lanczos method.

    From a start b, an orthonormal basis Q of b, Hb, H²b, … is built, each vector orthogonalized
    twice against all earlier ones. An eigenpair θ, s of QᵀHQ gives the approximate eigenpair θ, Qs
    of H. With β the norm of the part of the last product outside the basis, ‖HQs − θQs‖ = β|s_m|,
    and H has an eigenvalue within that distance of θ (Parlett, "The Symmetric Eigenvalue Problem",
    chapters 4 and 13). When the basis has 64 vectors, it is replaced by its 21 best Ritz vectors
    (thick restart; Wu and Simon, SIAM Journal on Matrix Analysis and Applications 22, 2000).
    Eigenvalues are computed one after the other, each in the orthogonal complement of the earlier
    ones, so that multiple eigenvalues are found as often as they occur.

    The starts are random and depend only on the coordinate. Each row stops on its own, and its bits
    do not depend on the other rows if those of its products do not.

    Args:
        product: multiplies vectors (n, D) by the matrices.
        like: any (n, D) tensor with the required dtype and device.
        k: number of eigenvalues, at most D.
        end: the algebraically largest, the smallest, or those of largest magnitude.
        tolerance: an eigenvalue has converged once its error is at most this share of it, or at
            rounding level.
        max_products: maximum number of products for each of the k; the errors remain valid there.

    Raises:
        SettingError: k is less than 1 or more than D.
    """
    dim = like.shape[1]
    if not 1 <= k <= dim:
        raise SettingError(f"k={k}: must be from 1 to {dim}, the number of dimensions")
    searches: list[_Search] = []
    for number in range(k):
        search = _Search(_RANKS[end], tolerance, max_products)
        search.run(product, _draw_start(like, number), [earlier.vector for earlier in searches])
        searches.append(search)
    values = torch.cat([search.value for search in searches], 1)
    residuals = torch.cat([search.error for search in searches], 1)
    return Eigenpairs(
        # Without an eigenpair, nothing is known of those after it.
        values=torch.where(values.cumsum(1).isnan(), torch.nan, values),
        vectors=torch.stack([search.vector for search in searches], 1),
        # The part of Hv outside the complement is bounded by the residuals of the earlier pairs.
        errors=residuals.square().cumsum(1).sqrt(),
        products=sum(search.products for search in searches),
    )


def sharpness(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute λ_max, the largest eigenvalue of the Hessian, at points x (n, D): (n,).

    It is accurate to a relative 1e-6, or to what 500 products with the Hessian reach. NaN if a
    product is not finite or close to overflow.
    """
    return lanczos(hessian_products(loss, x), x).values[:, 0]


class _Search:
    """The search for one eigenpair of each row in the orthogonal complement of earlier ones.

    Args:
        rank: maps eigenvalues to ranks; the search is for the highest rank.
        tolerance: largest error at convergence, relative to the eigenvalue.
        max_products: maximum number of products.

    Attributes:
        value: the eigenvalues (n, 1).
        vector: the eigenvectors (n, D).
        error: norms of the residuals (n, 1).
        products: number of products so far.
    """

    value: Tensor
    vector: Tensor
    error: Tensor

    def __init__(self, rank: Rank, tolerance: float, max_products: int) -> None:
        self._rank, self._tolerance, self._max_products = rank, tolerance, max_products
        self.products = 0

    def run(self, product: Product, start: Tensor, earlier: Sequence[Tensor]) -> None:
        """Search from a start (n, D), orthogonally to earlier eigenvectors (n, D)."""
        n, room = len(start), start.shape[1] - len(earlier)
        self._basis = [_normalize(_orthogonalize(start, earlier)[0])]
        size = _pad_size(min(room, VECTORS))
        self._projected = start.new_zeros((n, size, size), dtype=torch.float64)
        self.value, self.error = start.new_full((2, n, 1), torch.nan)
        self.vector = start
        searching = torch.ones_like(self.value, dtype=torch.bool)
        scale = torch.zeros_like(self.value)
        while True:
            m = len(self._basis)
            rest, inside = _orthogonalize(product(self._basis[-1]), [*earlier, *self._basis])
            self._projected[:, :m, m - 1] = inside[:, len(earlier) :].double()
            self.products += 1
            beta = norms(rest.T[None])[0].T
            scale = torch.maximum(scale, torch.maximum(inside.abs().amax(1, True), beta))
            limits = torch.finfo(start.dtype)
            beta = torch.where(scale < _HUGE * limits.max, beta, torch.nan)
            rounding = _ROUNDING * limits.eps * scale
            # True also if nothing is left outside the basis, or if beta is NaN.
            is_last = ~(beta > rounding) | (m == room) | (self.products == self._max_products)
            due = searching & (is_last | (m % _CHECK_EVERY == 0))
            if due.any():
                searching &= ~self._check(due, beta, rounding, is_last)
            if not searching.any():
                return
            if m == VECTORS:
                self._restart()
            self._basis.append(rest / torch.where(beta > 0, beta, 1.0))

    def _check(self, due: Tensor, beta: Tensor, rounding: Tensor, is_last: Tensor) -> Tensor:
        """Store the best eigenpairs of the rows due that end here; return which do: (n, 1)."""
        values, vectors = self._ritz_pairs()
        value, weights = values[:, -1:].to(beta.dtype), vectors[..., -1].to(beta.dtype)
        error = beta * weights[:, -1:].abs()
        limit = torch.maximum(self._tolerance * value.abs(), rounding)
        done = due & (is_last | (error <= limit))
        self.value = torch.where(done, torch.where(beta.isfinite(), value, torch.nan), self.value)
        self.error = torch.where(done, error, self.error)
        if done.any():
            self.vector = torch.where(done, _combine(self._basis, weights), self.vector)
        return done

    def _restart(self) -> None:
        """Replace the basis by the best third of its Ritz vectors."""
        values, vectors = self._ritz_pairs()
        best = vectors[..., -_KEPT:].to(self._basis[0].dtype)
        self._basis = [_combine(self._basis, weights) for weights in best.unbind(-1)]
        self._projected.zero_()
        self._projected[:, :_KEPT, :_KEPT] = torch.diag_embed(values[:, -_KEPT:])

    def _ritz_pairs(self) -> tuple[Tensor, Tensor]:
        """Compute the eigenvalues (n, m) of QᵀHQ by rank, and its eigenvectors (n, m, m)."""
        m = len(self._basis)
        # LAPACK's bits depend on the alignment of a matrix in memory, which is the same for all
        # matrices of a batch if their size is a multiple of 8. So they are padded, with eigenvalues
        # above all others.
        square = self._projected[:, : _pad_size(m), : _pad_size(m)]
        is_known = (square.abs() < _HUGE * torch.finfo(square.dtype).max).all(2).all(1)
        square = torch.where(is_known[:, None, None], square, 0.0)  # such rows have ended
        bound = (square.abs().sum(1) + square.abs().sum(2)).amax(1, keepdim=True)
        square.diagonal(dim1=1, dim2=2)[:, m:] = torch.where(bound > 0, 2 * bound, 1.0)
        values, vectors = torch.linalg.eigh(square, UPLO="U")  # its upper triangle is known
        values, vectors = values[:, :m], vectors[:, :m, :m]
        order = self._rank(values).argsort(dim=1, stable=True)
        return values.gather(1, order), vectors.gather(2, order[:, None].expand(-1, m, -1))


def _pad_size(size: int) -> int:
    return size + -size % _ALIGNED


def _draw_start(like: Tensor, number: int) -> Tensor:
    """Draw a random vector, the same for every row (n, D), and another for each number."""
    coordinate = torch.arange(like.shape[1], device=like.device)
    step = torch.tensor(number, device=like.device)
    row = rng.normal(torch.zeros_like(step), rng.Stream.EIGENVECTOR, step, coordinate)
    return by_rows(row.to(like.dtype).expand(like.shape))


def _orthogonalize(vector: Tensor, basis: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the parts of vectors (n, D) outside an orthonormal basis, and their products (n, m).

    Two passes are enough (Parlett, section 6.9).
    """
    products = [torch.zeros_like(vector[:, :1]) for _ in basis]
    for index in [*range(len(basis))] * 2:
        component = dot(basis[index], vector)
        products[index] = products[index] + component
        vector = torch.addcmul(vector, basis[index], component, value=-1)
    return vector, torch.cat(products, 1) if products else vector[:, :0]


def _normalize(vector: Tensor) -> Tensor:
    return vector / norms(vector.T[None])[0].T


def _combine(basis: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Compute linear combinations (n, D) of basis vectors (n, D) with weights (n, m)."""
    total = torch.zeros_like(basis[0])
    for vector, weight in zip(basis, weights.split(1, 1), strict=True):
        total = torch.addcmul(total, vector, weight)
    return total
