"""The path of the weights: which points are kept, and their plane."""

import numpy as np
import pytest
import torch

from gdlab.watching.plane import principal_path
from gdlab.watching.points import Points

KIB = 2**10

# weights, KiB, steps, and the stride, the number of points and the sampling that follow
KEPT = [
    (100, 1024, 50, 1, 50, 1),
    (100, 50, 128, 1, 128, 1),  # 400 bytes each: 128 fit
    (100, 50, 129, 2, 65, 1),
    (100, 50, 1000, 8, 125, 1),
    (600, 4096, 128, 1, 128, 1),  # more than 512 weights: 128 points, whatever the memory
    (600, 4096, 500, 4, 125, 1),
    (5000, 500, 40, 1, 40, 5),  # 500 KiB hold 128 points of 1,000 weights
]


@pytest.mark.parametrize(("weights", "memory", "steps", "stride", "count", "sampled"), KEPT)
def test_points_are_evenly_spaced_and_fit_into_memory(
    weights: int, memory: int, steps: int, stride: int, count: int, sampled: int
) -> None:
    parameter = torch.zeros(weights)
    points = Points(lambda: [parameter], memory * KIB)
    for step in range(steps):
        parameter.fill_(step)
        points.add(step)
    kept, rows = points.steps_and_rows()
    assert (points.stride, len(kept), points.sampled) == (stride, count, sampled)
    assert torch.equal(kept, torch.arange(count) * stride)
    assert torch.equal(rows[:, 0], kept.float())
    assert rows.shape[1] == -(-weights // sampled)
    assert rows.numel() * 4 <= memory * KIB


def test_parameters_of_any_kind_are_one_point() -> None:
    kinds = [
        torch.tensor([1.5], dtype=torch.bfloat16),
        torch.tensor([2.0 + 3.0j]),
        torch.arange(6.0).view(2, 3).t(),
        torch.zeros(0),
    ]
    points = Points(lambda: kinds, 2**20)
    points.add(0)
    assert points.steps_and_rows()[1].tolist() == [[1.5, 2.0, 3.0, 0.0, 3.0, 1.0, 4.0, 2.0, 5.0]]


def test_new_parameters_may_make_fewer_points_fit() -> None:
    known = [torch.zeros(10)]
    points = Points(lambda: known, 128 * 40)
    for step in range(100):
        points.add(step)
    known.insert(0, torch.full((30,), 7.0))  # of an optimizer that is not the last one
    points.add(100)
    kept, rows = points.steps_and_rows()
    assert kept.tolist() == [*range(0, 101, 4)]
    assert rows.shape == (26, 40) and bool((rows[:, 10:] == 7).all())


def test_a_model_that_becomes_wide_keeps_fewer_points() -> None:
    known = [torch.zeros(10)]
    points = Points(lambda: known, 2**20)
    for step in range(300):
        points.add(step)
    known.append(torch.zeros(600))
    points.add(300)
    assert points.steps_and_rows()[0].tolist() == [*range(0, 301, 4)]


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (7, 1), (40, 12), (12, 40), (3, 300_000)])
def test_a_path_is_projected_onto_its_principal_components(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    points = 3 + torch.randn(shape, dtype=torch.float64).cumsum(0)
    path, shares = principal_path(points)
    centered = points.numpy() - points.numpy().mean(0)
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    expected = np.zeros((shape[0], 2))
    expected[:, : min(2, len(s))] = (u * s)[:, :2]
    signs = np.where(expected[-1] < expected[0], -1, 1)
    scale = s[0] or 1.0
    # the second component of two points is rounding: 3e-8 of the first was seen
    np.testing.assert_allclose(path, expected * signs, atol=1e-7 * scale)
    powers = (s**2)[:2] / max((s**2).sum(), 1e-300)
    np.testing.assert_allclose(shares[: len(powers)], powers, atol=1e-12)  # 1e-15 was seen


def test_points_that_are_not_finite_are_left_out() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0], [torch.inf, 0.0], [2.0, 2.0]])
    path, shares = principal_path(points)
    assert path[:, 0].tolist() == pytest.approx([-(2**0.5), 0, torch.nan, 2**0.5], nan_ok=True)
    assert shares.tolist() == pytest.approx([1, 0])
    lost, shares = principal_path(points[2:3])
    assert lost.isnan().all() and shares.tolist() == [0, 0]
