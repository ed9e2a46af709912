"""Generated data sets."""

import numpy as np
import pytest
import torch

from gdlab.losses import MLP
from gdlab.losses.datasets.synthetic import GENERATED, generate_examples
from gdlab.losses.datasets.tables import Examples
from gdlab.numerics import rng

CLASSES = ["circles", "spirals", "two_moons"]
SIZES = {"circles": 2, "spirals": 2, "teacher_student": 4, "two_moons": 2}


def bits(examples: Examples) -> tuple[bytes, bytes]:
    return examples.features.tobytes(), examples.targets.tobytes()


@pytest.mark.parametrize("name", GENERATED)
def test_only_the_same_seed_gives_the_same_set(name: str) -> None:
    first = generate_examples(name, 51, 0.3, 7)
    assert first.features.shape == (51, SIZES[name]) == (51, len(first.names))
    assert bits(first) == bits(generate_examples(name, 51, 0.3, 7))
    assert bits(first) != bits(generate_examples(name, 51, 0.3, 8))


@pytest.mark.parametrize("name", CLASSES)
def test_half_of_the_examples_are_of_each_class(name: str) -> None:
    assert np.bincount(generate_examples(name, 51, None, 0).targets.astype(int)).tolist() == [
        26,
        25,
    ]
    assert MLP(name, count=51).classes == 2


def test_moons_are_half_circles() -> None:
    moons = generate_examples("two_moons", 40, 0.0, 0)
    upper, lower = (moons.features[moons.targets == label] for label in (0, 1))
    np.testing.assert_allclose(np.hypot(*upper.T), 1, atol=1e-15)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1, atol=1e-15)
    assert upper[:, 1].min() > -1e-15 and lower[:, 1].max() < 0.5 + 1e-15


def test_circles_have_no_repeated_point() -> None:
    circles = generate_examples("circles", 40, 0.0, 0)
    radii = np.hypot(*circles.features.T)
    np.testing.assert_allclose(radii, np.where(circles.targets == 0, 1, 0.5), atol=1e-15)
    for label in (0, 1):
        points = circles.features[circles.targets == label]
        gaps = np.hypot(*(points - np.roll(points, 1, axis=0)).T)
        np.testing.assert_allclose(gaps, gaps[0], rtol=1e-14)  # observed 3e-15
        assert gaps[0] > 0.1


def test_the_arms_of_a_spiral_lie_opposite() -> None:
    spirals = generate_examples("spirals", 40, 0.0, 0)
    np.testing.assert_allclose(spirals.features[:20], -spirals.features[20:], atol=1e-15)
    radii = np.hypot(*spirals.features.T)
    assert (radii.min(), radii.max()) == pytest.approx((0.1, 1))


@pytest.mark.parametrize("name", CLASSES)
def test_noise_has_its_standard_deviation(name: str) -> None:
    noise = (
        generate_examples(name, 20_000, 0.25, 1).features
        - generate_examples(name, 20_000, 0.0, 1).features
    )
    assert noise.std() == pytest.approx(0.25, rel=0.02)  # observed within 0.5 %
    assert abs(noise.mean()) < 0.005  # observed 0.001; its deviation is 0.00125
    usual = (
        generate_examples(name, 20_000, None, 1).features
        - generate_examples(name, 20_000, 0.0, 1).features
    )
    assert usual.std() == pytest.approx(GENERATED[name].noise, rel=0.02)


def test_the_teacher_is_a_student_with_loss_0() -> None:
    student = MLP("teacher_student", widths=(4,), count=300, data_seed=5)
    drawn = [
        rng.normal(torch.tensor(5), rng.Stream.DATA, torch.tensor(purpose), torch.arange(count))
        for purpose, count in ((2, 20), (3, 4))
    ]
    first = drawn[0].reshape(4, 5)
    teacher = torch.cat((first[:, 1:].flatten(), first[:, 0], drawn[1], torch.zeros(1)))
    assert float(student(teacher)) < 1e-30  # observed 2e-32
    assert float(student(teacher + 0.01)) > 1e-5
    assert student.metrics == {}


def test_a_teacher_has_noise_in_its_targets_only() -> None:
    clean, noisy = (generate_examples("teacher_student", 20_000, noise, 0) for noise in (0.0, 0.5))
    assert (noisy.features == clean.features).all()
    assert (noisy.targets - clean.targets).std() == pytest.approx(0.5, rel=0.02)
