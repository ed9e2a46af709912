"""Findings about high-dimensional losses against the full Hessian of smaller ones."""

import json

import numpy as np
import pytest
import torch
from helpers.tensors import hessian
from torch import Tensor

from gdlab import losses
from gdlab.derivatives.findings.high_dimensional import (
    DISTANCES,
    HighDimensional,
    high_dimensional,
    slice_along,
)
from gdlab.derivatives.point import LossAtPoint
from gdlab.errors import SettingError
from gdlab.losses.function import Function

NETWORK = losses.MLP(data="teacher_student", widths=(12, 10))


def test_a_network_against_its_hessian() -> None:
    x = NETWORK.start
    found = high_dimensional(LossAtPoint(NETWORK, x), k=4)
    matrix = hessian(NETWORK, x)
    gradient = torch.autograd.functional.jacobian(lambda point: NETWORK(point[None])[0], x)
    assert isinstance(gradient, Tensor)
    values, vectors = torch.linalg.eigh(matrix)
    assert found.dim == len(x) == 201
    assert found.value == float(NETWORK(x[None])[0])
    norm = float(gradient.norm())
    assert found.grad_norm == pytest.approx(norm, rel=1e-14)  # observed 0
    product = matrix @ gradient
    assert found.hessian_gradient_norm == pytest.approx(float(product.norm()), rel=1e-12)  # 2e-15
    curvature = float(gradient @ product) / norm**2
    assert found.gradient_curvature == pytest.approx(curvature, rel=1e-12)  # observed 1e-15
    torch.testing.assert_close(found.eigenvalues, values.flip(0)[:4], rtol=1e-9, atol=0)  # 2e-14
    assert (found.errors < 2e-6 * found.eigenvalues).all()
    assert found.max_stable_lr == pytest.approx(2 / float(values[-1]), rel=1e-9)  # observed 4e-15
    order = gradient.abs().argsort(descending=True)[:8].tolist()
    assert [(c.name, c.value) for c in found.components] == [
        (NETWORK.names[i], pytest.approx(float(gradient[i]), rel=1e-12)) for i in order
    ]
    descent, sharpest = found.slices
    assert (descent.direction, sharpest.direction) == ("steepest descent", "top eigenvector")
    distances = torch.tensor(DISTANCES, dtype=torch.float64)[:, None]
    torch.testing.assert_close(descent.losses, NETWORK(x - distances * gradient / norm))
    top = vectors[:, -1]
    lines = [NETWORK(x + sign * distances * top) for sign in (1, -1)]
    assert any(torch.allclose(sharpest.losses, y, rtol=1e-4) for y in lines)  # observed 1e-7


def test_a_quadratic_is_a_parabola_along_every_line() -> None:
    eigenvalues = (1.0, 4.0, 9.0, -2.0)
    bowl = losses.Quadratic(eigenvalues=eigenvalues)
    x = torch.tensor([1.0, -1.0, 0.5, 2.0], dtype=torch.float64)
    axes = {"first": torch.tensor([3.0, 0, 0, 0]).double(), "last": torch.tensor([0, 0, 0, -1.0])}
    found = high_dimensional(LossAtPoint(bowl, x), k=9, directions=axes, distances=(-1, 0, 2))
    assert found.eigenvalues.tolist() == pytest.approx([9, 4, 1, -2], rel=1e-14)  # observed 4e-16
    assert found.max_stable_lr is None
    assert "An eigenvalue is negative" in found.section().notes[-1]
    value, slopes = float(bowl(x)), (1.0, 4.0)  # −λ x along −e
    for line, slope, curvature in zip(found.slices, slopes, (1.0, -2.0), strict=True):
        expected = [value + slope * t + curvature * t * t / 2 for t in (-1, 0, 2)]
        np.testing.assert_allclose(line.losses, expected, rtol=1e-14)  # observed 2e-16


def test_without_positive_curvature() -> None:
    hill = losses.Quadratic(eigenvalues=(-3.0, -1.0))
    found = high_dimensional(LossAtPoint(hill, [0, 0]))
    assert (found.max_stable_lr, found.grad_norm, found.gradient_curvature) == (None, 0.0, None)
    assert [line.direction for line in found.slices] == ["top eigenvector"]
    assert "An eigenvalue is negative" in found.section().notes[-1]
    flat = high_dimensional(LossAtPoint(losses.Quadratic(eigenvalues=(0.0, 0.0)), [0, 0]))
    assert "no positive curvature" in flat.section().notes[-1]
    bowl = high_dimensional(LossAtPoint(losses.Quadratic(eigenvalues=(0.0, 4.0)), [1, 1]))
    assert dict(bowl.section().lines)["2/λ_max"] == "0.5, no larger lr is stable"


def test_a_hessian_that_is_not_finite() -> None:
    cusp = Function(lambda x: (x.abs() ** 1.5).sum(), start=(0.0, 1.0))
    found = high_dimensional(LossAtPoint(cusp))
    assert found.eigenvalues.isnan().any()
    assert found.max_stable_lr is None
    assert found.section().notes[-1] == "The Hessian is not finite here."
    assert found.data()["eigenvalues"][0] is None


def test_the_finding_as_data_and_as_text() -> None:
    found = high_dimensional(LossAtPoint(NETWORK), k=2)
    data = json.loads(json.dumps(found.data(), allow_nan=False))
    assert list(data) == list(HighDimensional.__dataclass_fields__)
    assert data["eigenvalues"] == found.eigenvalues.tolist()
    assert data["slices"][0]["distances"] == list(DISTANCES)
    section = found.section()
    words = dict(section.lines)
    assert words["dimensions"] == "201"
    assert words["eigenvalue 2"].startswith(f"{float(found.eigenvalues[1]):.8g} ± ")
    assert section.table is not None
    assert section.table.header == ["distance", "steepest descent", "top eigenvector"]
    middle = section.table.rows[5]
    assert middle == ["0", *[f"{found.value:.8g}"] * 2]
    assert len(section.table.rows) == 11


@pytest.mark.parametrize(
    ("x", "directions", "message"),
    [
        ([0.0, 5e102], None, r"^at=\[0,5e\+102\]: the gradient is not finite there"),
        ([1.0, 2.0], {"v": [0.0, 0.0]}, r"^v=\[0,0\]: must not be zero"),
        ([1.0, 2.0], {"v": [np.nan, 0.0]}, r"^v=\[nan,0\]: must be finite"),
        ([1.0, 2.0], {"v": [1.0]}, r"^v=\[1\]: must be 2 numbers, one for each of x0, x1; got 1"),
    ],
)
def test_invalid_arguments(
    x: list[float], directions: dict[str, list[float]] | None, message: str
) -> None:
    tensors = {k: torch.tensor(v).double() for k, v in directions.items()} if directions else None
    with pytest.raises(SettingError, match=message):
        high_dimensional(LossAtPoint(losses.Beale(), x), directions=tensors)


def test_a_single_slice() -> None:
    line = slice_along(
        losses.Rosenbrock(), torch.ones(2).double(), "x1", torch.tensor([0, 5.0]), (0, 1)
    )
    assert line.losses.tolist() == [0.0, 100.0]


def test_100_000_dimensions() -> None:
    """The sharpness of a sum of squares is its largest factor, here twice the next."""
    count = 100_000
    scales = torch.linspace(0, 40, count, dtype=torch.float64)
    scales[-1] = 81
    bowl = Function(lambda x: (scales * x.square()).sum() / 2, start=(0.0,) * count)
    found = high_dimensional(LossAtPoint(bowl, [1.0] * count), k=1)
    assert float(found.eigenvalues) == pytest.approx(81, rel=1e-6)  # observed 3e-9
