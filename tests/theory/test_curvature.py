"""The ends of spectra, compared with NumPy's eigenvalues of matrices that are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gdlab.losses import Loss
from gdlab.theory.curvature import AT_LEAST_ONE, DENSE, UNKNOWN, spectrum


class Form(Loss):
    """x'Ax / 2 with a symmetric matrix A."""

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        self.__dict__["matrix"] = torch.from_numpy(matrix)

    @property
    def dim(self) -> int:
        return len(self.__dict__["matrix"])

    def __call__(self, x: Tensor) -> Tensor:
        return ((x @ self.__dict__["matrix"]) * x).sum(-1) / 2


def draw(eigenvalues: np.ndarray, seed: int) -> np.ndarray:
    """A symmetric matrix with these eigenvalues."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))
    return q * eigenvalues @ q.T


DIMS = (1, 2, 3, 7, 8, 20)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_whole_spectrum_of_small_hessians(dim: int, sign: float) -> None:
    wanted = sign * np.sort(np.linspace(-2.0, 5.0, dim) if dim > 1 else np.array([3.0]))
    matrix = draw(wanted, dim)
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(3, dim)))
    found = spectrum(Form(matrix), x, critical=True)
    values, vectors = np.linalg.eigh(matrix)
    # Relative to the largest eigenvalue; 4e-16 was observed.
    np.testing.assert_allclose(found.least.numpy(), values[0], atol=1e-14 * 5)
    np.testing.assert_allclose(found.largest.numpy(), values[-1], atol=1e-14 * 5)
    assert found.negative.tolist() == [int((wanted < 0).sum())] * 3
    assert found.positive.tolist() == [int((wanted > 0).sum())] * 3
    cosine = np.abs(found.downward.numpy() @ vectors[:, 0])
    np.testing.assert_allclose(cosine, 1.0, atol=1e-14)  # 9e-16 was observed
    # Newton's step leads to 0 where no eigenvalue is negative.
    if wanted.min() > 0:
        np.testing.assert_allclose(found.remaining.numpy(), np.linalg.norm(x, axis=1), rtol=1e-12)


HARD = {
    "diagonal": np.diag([3.0, -2.0]),
    "reversed": np.diag([-2.0, 3.0]),
    "zero": np.zeros((2, 2)),
    "singular": np.array([[1.0, 1.0], [1.0, 1.0]]),
    "multiple": np.eye(2) * 4.0,
    "antidiagonal": np.array([[0.0, -1.0], [-1.0, 0.0]]),
    "graded": np.array([[1e12, 1.0], [1.0, 2e-12]]),
}


@pytest.mark.parametrize("name", HARD)
def test_two_dimensions_in_closed_form(name: str) -> None:
    matrix = HARD[name]
    found = spectrum(Form(matrix), torch.ones(1, 2, dtype=torch.float64), critical=False)
    values = np.linalg.eigvalsh(matrix)
    scale = max(1.0, np.abs(values).max())
    np.testing.assert_allclose(float(found.least), values[0], atol=4e-16 * scale)  # 1e-16 observed
    np.testing.assert_allclose(float(found.largest), values[1], rtol=4e-16)
    down = found.downward[0].numpy()
    residual = matrix @ down - float(found.least) * down
    assert np.linalg.norm(residual) <= 1e-15 * scale  # 2e-16 was observed
    assert np.linalg.norm(down) == pytest.approx(1.0, abs=4e-16)


def test_the_ends_of_large_spectra() -> None:
    dim = DENSE + 36
    x = torch.ones(2, dim, dtype=torch.float64)
    for least, count in ((-0.5, AT_LEAST_ONE), (0.01, UNKNOWN)):
        wanted = np.concatenate(([least], np.linspace(0.02, 1.0, dim - 2), [10.0]))
        found = spectrum(Form(draw(wanted, 3)), x, critical=True)
        assert found.largest.tolist() == pytest.approx([10.0] * 2, rel=1e-6)  # 3e-10 observed
        assert found.negative.tolist() == [count] * 2
        assert found.positive.tolist() == [AT_LEAST_ONE] * 2
