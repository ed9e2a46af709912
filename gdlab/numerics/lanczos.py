"""Extreme eigenvalues of Hessians that are never written down, for many rows at once.

Shapes: n rows, D dimensions, k eigenvalues, m ≤ 64 vectors of a basis.
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
"""A basis has at most so many vectors; the best third of it stays when it is full."""

_KEPT, _LOOKS = VECTORS // 3, 8
_ROUNDING = 64  # units in the last place of the greatest number met
_HUGE = 1e-6  # of the largest number that there is: sums of what is above overflow

End = Literal["largest", "smallest", "magnitude"]

Rank = Callable[[Tensor], Tensor]

_RANKS: Mapping[str, Rank] = {
    "largest": torch.clone,
    "smallest": torch.neg,
    "magnitude": torch.abs,
}


def numbers_of_a_row(dim: int) -> int:
    """How many numbers the search for an eigenvalue in D dimensions keeps for each row."""
    size = _filled(min(dim, VECTORS))
    return size * (dim + size)


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues at an end of the spectrum, with what is known of their accuracy.

    Attributes:
        values: (n, k), the outermost first; NaN where a product was not finite or near overflow.
        vectors: unit eigenvectors (n, k, D).
        errors: (n, k): within so much of each value, but for rounding, there is an eigenvalue.
        products: how many products with each row's matrix were made.
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
    most: int = 500,
) -> Eigenpairs:
    """The k outermost eigenvalues of symmetric matrices (n, D, D) by Lanczos's method.

    From a start b an orthonormal basis Q of b, Hb, H²b, … is made, each vector orthogonalised twice
    against all before it, and an eigenpair θ, s of QᵀHQ gives H's as θ, Qs. With β the length of
    what the last product has outside of the basis, ‖HQs − θQs‖ = β|s_m|, and H has an eigenvalue
    that near to θ (Parlett, "The Symmetric Eigenvalue Problem", chapters 4 and 13). A full basis of
    64 vectors is replaced by its 21 best ones and goes on (thick restart; Wu and Simon, SIAM
    Journal on Matrix Analysis and Applications 22, 2000). Eigenvalues are found one after the
    other, each in the orthogonal complement of those before: one that occurs twice is found twice.

    The starts are random numbers of the coordinate alone. Each row ends by itself, and no row's
    bits depend on the others where those of its products do not.

    Args:
        product: multiplies vectors (n, D) by the matrices.
        like: any (n, D) tensor of the dtype and on the device wanted.
        k: how many, at most D.
        end: the algebraically largest, the smallest, or those of largest magnitude.
        tolerance: an eigenvalue is found once its error is at most so much of it, or rounding.
        most: at most so many products are made for each of the k; the error says what is missing.

    Raises:
        SettingError: k is less than 1 or more than D.
    """
    dim = like.shape[1]
    if not 1 <= k <= dim:
        raise SettingError(f"k={k}: must be from 1 to {dim}, the dimensions")
    found: list[_Search] = []
    for place in range(k):
        search = _Search(_RANKS[end], tolerance, most)
        search.run(product, _start(like, place), [one.vector for one in found])
        found.append(search)
    values = torch.cat([one.value for one in found], 1)
    residuals = torch.cat([one.error for one in found], 1)
    return Eigenpairs(
        # Nothing is known of what comes after a pair that is not.
        values=torch.where(values.cumsum(1).isnan(), torch.nan, values),
        vectors=torch.stack([one.vector for one in found], 1),
        # Outside of the complement, H makes of a vector no more than their residuals.
        errors=residuals.square().cumsum(1).sqrt(),
        products=sum(one.products for one in found),
    )


def sharpness(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """λ_max, the greatest eigenvalue of the Hessian, at points x (n, D): (n,).

    To 1e-6 of it, or as near as 500 products of the Hessian come. NaN where one is not finite, or
    overflows when it is worked with.
    """
    return lanczos(hessian_products(loss, x), x).values[:, 0]


class _Search:
    """Looks for one eigenpair of each row in the orthogonal complement of others.

    Args:
        rank: of numbers; the eigenvalue of the highest rank is wanted.
        tolerance: how near is near enough, relative to the eigenvalue.
        most: how many products there may be.

    Attributes:
        value: the eigenvalues (n, 1).
        vector: the eigenvectors (n, D).
        error: lengths of the residuals (n, 1).
        products: how many there were.
    """

    value: Tensor
    vector: Tensor
    error: Tensor

    def __init__(self, rank: Rank, tolerance: float, most: int) -> None:
        self._rank, self._tolerance, self._most = rank, tolerance, most
        self.products = 0

    def run(self, product: Product, start: Tensor, others: Sequence[Tensor]) -> None:
        """Look from a start (n, D), orthogonally to other vectors (n, D)."""
        n, room = len(start), start.shape[1] - len(others)
        self._basis = [_unit(_orthogonal(start, others)[0])]
        size = _filled(min(room, VECTORS))
        self._projected = start.new_zeros((n, size, size), dtype=torch.float64)
        self.value, self.error = start.new_full((2, n, 1), torch.nan)
        self.vector = start
        searching = torch.ones_like(self.value, dtype=torch.bool)
        scale = torch.zeros_like(self.value)
        while True:
            m = len(self._basis)
            rest, inside = _orthogonal(product(self._basis[-1]), [*others, *self._basis])
            self._projected[:, :m, m - 1] = inside[:, len(others) :].double()
            self.products += 1
            beta = norms(rest.T[None])[0].T
            scale = torch.maximum(scale, torch.maximum(inside.abs().amax(1, True), beta))
            kind = torch.finfo(start.dtype)
            beta = torch.where(scale < _HUGE * kind.max, beta, torch.nan)
            rounding = _ROUNDING * kind.eps * scale
            # Nothing is left outside of the basis, or what is there is no number.
            is_over = ~(beta > rounding) | (m == room) | (self.products == self._most)
            due = searching & (is_over | (m % _LOOKS == 0))
            if due.any():
                searching &= ~self._look(due, beta, rounding, is_over)
            if not searching.any():
                return
            if m == VECTORS:
                self._restart()
            self._basis.append(rest / torch.where(beta > 0, beta, 1.0))

    def _look(self, due: Tensor, beta: Tensor, rounding: Tensor, is_over: Tensor) -> Tensor:
        """Read off the best pairs of rows that are due; which of them are found (n, 1)."""
        values, vectors = self._pairs()
        value, weights = values[:, -1:].to(beta.dtype), vectors[..., -1].to(beta.dtype)
        error = beta * weights[:, -1:].abs()
        near = torch.maximum(self._tolerance * value.abs(), rounding)
        done = due & (is_over | (error <= near))
        self.value = torch.where(done, torch.where(beta.isfinite(), value, torch.nan), self.value)
        self.error = torch.where(done, error, self.error)
        if done.any():
            self.vector = torch.where(done, _combined(self._basis, weights), self.vector)
        return done

    def _restart(self) -> None:
        """Keep the best third of the pairs, and what the last product has outside of the basis."""
        values, vectors = self._pairs()
        best = vectors[..., -_KEPT:].to(self._basis[0].dtype)
        self._basis = [_combined(self._basis, weights) for weights in best.unbind(-1)]
        self._projected.zero_()
        self._projected[:, :_KEPT, :_KEPT] = torch.diag_embed(values[:, -_KEPT:])

    def _pairs(self) -> tuple[Tensor, Tensor]:
        """The eigenvalues (n, m) of QᵀHQ by rank, and its eigenvectors (n, m, m) in columns."""
        m = len(self._basis)
        # LAPACK's bits hang on how a matrix lies in memory, which is the same for all of a batch
        # where their size is a multiple of 8: they are filled up with eigenvalues above all others.
        square = self._projected[:, : _filled(m), : _filled(m)]
        is_known = (square.abs() < _HUGE * torch.finfo(square.dtype).max).all(2).all(1)
        square = torch.where(is_known[:, None, None], square, 0.0)  # other rows have ended
        bound = (square.abs().sum(1) + square.abs().sum(2)).amax(1, keepdim=True)
        square.diagonal(dim1=1, dim2=2)[:, m:] = torch.where(bound > 0, 2 * bound, 1.0)
        values, vectors = torch.linalg.eigh(square, UPLO="U")  # its upper triangle is known
        values, vectors = values[:, :m], vectors[:, :m, :m]
        order = self._rank(values).argsort(dim=1, stable=True)
        return values.gather(1, order), vectors.gather(2, order[:, None].expand(-1, m, -1))


def _filled(size: int) -> int:
    return size + -size % _LOOKS


def _start(like: Tensor, place: int) -> Tensor:
    """The same random vector for every row (n, D), another for each place."""
    coordinate = torch.arange(like.shape[1], device=like.device)
    number = torch.tensor(place, device=like.device)
    one = rng.normal(torch.zeros_like(number), rng.Stream.EIGENVECTOR, number, coordinate)
    return by_rows(one.to(like.dtype).expand(like.shape))


def _orthogonal(vector: Tensor, others: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What vectors (n, D) have outside of orthonormal ones, and their products with these (n, m).

    Twice is enough (Parlett, section 6.9).
    """
    products = [torch.zeros_like(vector[:, :1]) for _ in others]
    for place in [*range(len(others))] * 2:
        along = dot(others[place], vector)
        products[place] = products[place] + along
        vector = torch.addcmul(vector, others[place], along, value=-1)
    return vector, torch.cat(products, 1) if products else vector[:, :0]


def _unit(vector: Tensor) -> Tensor:
    return vector / norms(vector.T[None])[0].T


def _combined(basis: Sequence[Tensor], weights: Tensor) -> Tensor:
    """The sums (n, D) of vectors (n, D) with weights (n, m)."""
    total = torch.zeros_like(basis[0])
    for vector, weight in zip(basis, weights.split(1, 1), strict=True):
        total = torch.addcmul(total, vector, weight)
    return total
