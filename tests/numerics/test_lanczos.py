"""Lanczos against the full spectrum of the Hessian."""

import functools
import gc
from typing import Any

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from helpers.tensors import hessian
from torch import Tensor

from gdlab import losses
from gdlab.errors import SettingError
from gdlab.losses import Loss
from gdlab.numerics.autodiff import Product, hessian_products
from gdlab.numerics.lanczos import VECTORS, End, lanczos, sharpness
from gdlab.numerics.rowwise import by_rows, matvec

F64 = torch.float64


def wanted(values: Tensor, end: str, k: int) -> Tensor:
    """The k outermost of ascending eigenvalues (D,)."""
    if end == "magnitude":
        return values[values.abs().argsort(descending=True)][:k]
    return values[:k] if end == "smallest" else values.flip(0)[:k]


def somewhere(loss: Loss, rows: int) -> Tensor:
    """Points (n, D) around the starts."""
    noise = torch.from_numpy(np.random.default_rng(3).normal(size=(rows, loss.dim)))
    return loss.starts(torch.arange(rows)).expand(rows, loss.dim) + 0.5 * noise


def with_spectrum(values: list[float], seed: int = 0) -> Tensor:
    """A symmetric matrix (D, D) with these eigenvalues."""
    square = np.random.default_rng(seed).normal(size=(len(values), len(values)))
    q = torch.from_numpy(np.linalg.qr(square)[0])
    return (q * torch.tensor(values, dtype=F64)) @ q.T


# D = 200 or nearly; away from their minima most of these Hessians are indefinite.
LOSSES: dict[str, Loss] = {
    "rosenbrock": losses.Rosenbrock(dim=200),
    "quadratic": losses.Quadratic(dim=200, condition=1000),
    "saddle": losses.Quadratic(eigenvalues=tuple(np.linspace(-3, 2, 200))),
    "rastrigin": losses.Rastrigin(dim=200),
    "ackley": losses.Ackley(dim=200),
    "mlp": losses.MLP(widths=(10, 12), activation="tanh"),
    "softplus": losses.MLP(data="teacher_student", widths=(12, 10), activation="softplus"),
}


@functools.cache
def hessians(name: str) -> list[tuple[Tensor, Tensor]]:
    """The Hessian (D, D) and its eigenvalues (D,) at two points, computed once for three tests."""
    loss = LOSSES[name]
    matrices = [hessian(loss, x) for x in somewhere(loss, 2)]
    return [(matrix, torch.linalg.eigvalsh(matrix)) for matrix in matrices]


ENDS = [(name, "largest") for name in LOSSES]
ENDS += [(name, end) for name in ("saddle", "mlp") for end in ("smallest", "magnitude")]


@pytest.mark.parametrize(("name", "end"), ENDS)
def test_lanczos_finds_the_ends_of_the_spectrum(name: str, end: End) -> None:
    loss = LOSSES[name]
    x = somewhere(loss, 2)
    found = lanczos(hessian_products(loss, x), x, 3, end=end)
    for row, (matrix, values) in enumerate(hessians(name)):
        known = wanted(values, end, 3)
        # Observed 5e-11 at most: the square of the residual, over the gap.
        torch.testing.assert_close(found.values[row], known, rtol=1e-6, atol=0)
        rounding = 1e-12 * values.abs().max()
        assert ((found.values[row] - known).abs() <= found.errors[row] + rounding).all()
        assert (found.errors[row] <= 2e-6 * known.abs()).all()  # of the third, that of all three
        vectors = found.vectors[row]
        residual = torch.linalg.vector_norm(vectors @ matrix - found.values[row, :, None] * vectors)
        assert residual <= 2 * found.errors[row].max() + rounding
        torch.testing.assert_close(vectors @ vectors.T, torch.eye(3, dtype=F64), rtol=0, atol=1e-12)


class Operator:
    """The interface that SciPy needs of a symmetric matrix (D, D)."""

    def __init__(self, product: Product, dim: int) -> None:
        self._product, self.shape, self.dtype = product, (dim, dim), np.dtype(float)

    def matvec(self, vector: np.ndarray) -> np.ndarray:
        return self._product(torch.from_numpy(vector.reshape(1, -1)))[0].numpy()


def test_lanczos_agrees_with_arpack() -> None:
    loss = losses.MLP(data="teacher_student", widths=(40, 40))
    x = somewhere(loss, 1)
    product = hessian_products(loss, x)
    operator: Any = scipy.sparse.linalg.aslinearoperator(Operator(product, loss.dim))
    known = scipy.sparse.linalg.eigsh(operator, 4, which="LA", return_eigenvectors=False)
    found = lanczos(product, x, 4)
    np.testing.assert_allclose(found.values[0], known[::-1], rtol=1e-10)  # observed 1e-14


@pytest.mark.parametrize(
    ("values", "k", "end", "known"),
    [
        ([7.0] * 100, 3, "largest", [7.0, 7.0, 7.0]),
        ([5.0, 5.0, 5.0] + [1.0] * 97, 4, "largest", [5.0, 5.0, 5.0, 1.0]),
        ([0.0] * 5, 2, "largest", [0.0, 0.0]),
        ([-1.0, -2.0, -3.0], 3, "largest", [-1.0, -2.0, -3.0]),
        ([-1.0, -2.0, -3.0], 2, "smallest", [-3.0, -2.0]),
        ([-4.0, 1.0, 3.0], 3, "magnitude", [-4.0, 3.0, 1.0]),
        ([-1e8, *np.linspace(-1, 1, 99)], 1, "largest", [1.0]),
        ([2.0], 1, "largest", [2.0]),
        ([*np.linspace(0, 1, 30)], 30, "smallest", [*np.linspace(0, 1, 30)]),
    ],
)
def test_hard_spectra(values: list[float], k: int, end: End, known: list[float]) -> None:
    """Multiple eigenvalues are found as often as they occur; all eigenvalues and zeros work too."""
    matrix = with_spectrum(values)
    found = lanczos(lambda v: v @ matrix, torch.zeros(1, len(values), dtype=F64), k, end=end)
    scale = 1e-14 * max(map(abs, values)) * len(values)
    np.testing.assert_allclose(found.values[0], known, rtol=1e-9, atol=scale)


@pytest.mark.parametrize("scale", [1e-250, 1e-160, 1.0, 1e140])
def test_the_size_of_the_numbers_does_not_matter(scale: float) -> None:
    values = np.geomspace(1, 1000, 80)
    matrix = scale * with_spectrum(list(values))
    found = lanczos(lambda v: v @ matrix, torch.zeros(1, 80, dtype=F64))
    # Observed 3e-9 at 1e-160, where squares lose digits, and 8e-16 elsewhere.
    assert float(found.values) / scale == pytest.approx(1000, rel=1e-7)


def test_errors_bound_the_distance_without_convergence() -> None:
    values = np.linspace(0, 1, 400)
    matrix = with_spectrum(list(values))
    few = lanczos(lambda v: v @ matrix, torch.zeros(1, 400, dtype=F64), max_products=10)
    assert few.products == 10
    assert 1e-3 < abs(float(few.values) - 1) <= float(few.errors) + 1e-14


def test_memory_is_bounded() -> None:
    """The number of live vectors is that of a basis and a few, for any number of products."""
    dim, count, alive = 2003, 0, []
    diagonal = torch.linspace(0, 1, dim, dtype=F64)

    def product(v: Tensor) -> Tensor:
        nonlocal count
        count += 1
        if count % 16 == 0:
            tensors = [one for one in gc.get_objects() if type(one) is Tensor]
            alive.append(sum(tensor.numel() == dim for tensor in tensors))
        return diagonal * v

    found = lanczos(product, torch.zeros(1, dim, dtype=F64))
    assert found.products == count > 3 * VECTORS
    assert max(alive) <= VECTORS + 8  # observed VECTORS + 4
    assert float(found.values) == pytest.approx(1, rel=1e-9)  # observed 1e-11


def test_float32_converges() -> None:
    loss = losses.Rosenbrock(dim=200).to(torch.float32, torch.device("cpu"))
    x = somewhere(loss, 2).float()
    found = lanczos(hessian_products(loss, x), x, 2)
    for row in range(2):
        exact = torch.linalg.eigvalsh(hessian(losses.Rosenbrock(dim=200), x[row].double()))
        known = exact.flip(0)[:2].float()
        torch.testing.assert_close(found.values[row], known, rtol=1e-5, atol=0)  # observed 6e-8


def test_rows_with_non_finite_hessians_do_not_affect_others() -> None:
    loss = losses.Rosenbrock(dim=60)
    x = somewhere(loss, 4)
    alone = sharpness(loss, x)
    x[1], x[2, 5] = torch.nan, 1e200
    found = sharpness(loss, x)
    assert found.isnan().tolist() == [False, True, True, False]
    assert torch.equal(found[[0, 3]], alone[[0, 3]])


@pytest.mark.parametrize("entry", [torch.nan, torch.inf, -torch.inf, 1.7e308, 1e303])
def test_overflow_gives_nan(entry: float) -> None:
    diagonal = torch.linspace(1, 2, 70, dtype=F64).repeat(2, 1)
    diagonal[0, 9] = entry
    found = lanczos(lambda v: diagonal * v, torch.zeros(2, 70, dtype=F64), 2, max_products=100)
    assert found.values[0].isnan().all()
    torch.testing.assert_close(found.values[1], diagonal[1].flip(0)[:2], rtol=1e-6, atol=0)


def test_a_linear_loss_is_flat() -> None:
    x = torch.ones(2, 5, dtype=F64)
    assert sharpness(lambda x: x.sum(-1), x).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["rosenbrock", "rastrigin", "ackley"])
@pytest.mark.parametrize("dim", [2, 70])
def test_a_row_has_the_same_bits_alone_and_among_others(name: str, dim: int) -> None:
    loss = LOSSES[name].replace(dim=dim)
    x = by_rows(somewhere(loss, 64))
    together = sharpness(loss, x)
    for first in (0, 32):
        assert torch.equal(sharpness(loss, by_rows(x[first : first + 32])), together[first:][:32])
    order = torch.from_numpy(np.random.default_rng(0).permutation(64))
    assert torch.equal(sharpness(loss, by_rows(x[order])), together[order])


def test_batched_matrices_have_their_own_eigenvalues() -> None:
    spectra = [list(np.linspace(-seed, 2 * seed + 1, 90)) for seed in range(8)]
    matrices = torch.stack([with_spectrum(one, seed) for seed, one in enumerate(spectra)])
    found = lanczos(lambda v: matvec(matrices, v), torch.zeros(8, 90, dtype=F64), 2)
    known = [one[:-3:-1] for one in spectra]
    np.testing.assert_allclose(found.values, known, rtol=1e-9)  # observed 3e-12


@pytest.mark.parametrize("k", [0, 6, -1])
def test_k_is_at_most_the_number_of_dimensions(k: int) -> None:
    with pytest.raises(
        SettingError, match=rf"k={k}: must be from 1 to 5, the number of dimensions"
    ):
        lanczos(lambda v: v, torch.zeros(1, 5, dtype=F64), k)
