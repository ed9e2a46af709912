"""Generated data sets: the same seed gives the same numbers on every machine.

Shapes: N examples.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.losses.datasets.tables import Examples
from gdlab.numerics import rng

_SPIRAL_TURNS, _SPIRAL_INNER = 1.5, 0.1
_INNER_RADIUS = 0.5
_TEACHER_INPUTS, _TEACHER_UNITS = 4, 4


@dataclass(frozen=True)
class Generator:
    """A generator of examples.

    Attributes:
        make: maps N and a seed to features (N, P) and targets (N,); integer targets are labels.
        noise: the default standard deviation of the noise.
    """

    make: Callable[[int, int], tuple[Tensor, Tensor]]
    noise: float


def generate_examples(name: str, count: int, noise: float | None, seed: int) -> Examples:
    """Generate a data set.

    Gaussian noise is added to the features where the targets are labels, otherwise to the targets.

    Args:
        name: a key of `GENERATED`.
        count: the number of examples.
        noise: the standard deviation of the noise; None for the set's default.
        seed: of everything random in it.
    """
    generator = GENERATED[name]
    features, targets = generator.make(count, seed)
    noisy = targets if targets.is_floating_point() else features
    scale = generator.noise if noise is None else noise
    noisy += scale * _normal(seed, 0, noisy.numel()).reshape(noisy.shape)
    names = tuple(f"x{i}" for i in range(features.shape[1]))
    return Examples(features.numpy(), targets.double().numpy(), names)


def two_moons(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return two half circles of radius 1, each with one end inside the other."""
    labels = _two_labels(count)
    angle = math.pi * _along(labels)
    upper = torch.stack((angle.cos(), angle.sin()), 1)
    lower = torch.stack((1.0 - angle.cos(), 0.5 - angle.sin()), 1)
    return torch.where(labels[:, None] == 0, upper, lower), labels


def circles(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return two circles around the origin, of radius 1 and 0.5."""
    labels = _two_labels(count)
    sizes = torch.bincount(labels)
    turns = _along(labels) * (1 - 1 / sizes.double())[labels]  # the end is the beginning
    radius = torch.where(labels == 0, 1.0, _INNER_RADIUS)
    return _polar(radius, 2 * math.pi * turns), labels


def spirals(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return two arms of a spiral, each of one and a half turns, out to radius 1."""
    labels = _two_labels(count)
    radius = _SPIRAL_INNER + (1 - _SPIRAL_INNER) * _along(labels)
    angle = 2 * math.pi * _SPIRAL_TURNS * radius + math.pi * labels.double()
    return _polar(radius, angle), labels


def teacher_student(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return four normal inputs and the outputs of a teacher: four tanh units, all weights normal.

    A student of the same form, `widths=[4] activation=tanh`, can learn it without error.
    """
    inputs = _normal(seed, 1, count * _TEACHER_INPUTS).reshape(count, -1)
    first = _normal(seed, 2, _TEACHER_UNITS * (_TEACHER_INPUTS + 1)).reshape(_TEACHER_UNITS, -1)
    second = _normal(seed, 3, _TEACHER_UNITS)
    return inputs, torch.tanh(inputs @ first[:, 1:].T + first[:, 0]) @ second


GENERATED: Mapping[str, Generator] = {
    "circles": Generator(circles, noise=0.1),
    "spirals": Generator(spirals, noise=0.02),
    "teacher_student": Generator(teacher_student, noise=0.0),
    "two_moons": Generator(two_moons, noise=0.1),
}
"""The generators by name."""


def _two_labels(count: int) -> Tensor:
    """Return the labels (N,): half of them 0, then half of them 1."""
    return (torch.arange(count) >= (count + 1) // 2).long()


def _along(labels: Tensor) -> Tensor:
    """Return numbers (N,) that rise evenly from 0 to 1 over the examples of each label."""
    sizes = torch.bincount(labels).tolist()
    return torch.cat([torch.linspace(0, 1, size, dtype=torch.float64) for size in sizes])


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    """Return points (N, 2) of the plane."""
    return radius[:, None] * torch.stack((angle.cos(), angle.sin()), 1)


def _normal(seed: int, purpose: int, count: int) -> Tensor:
    """Return standard normal numbers (count,), independent for each purpose."""
    arguments = torch.tensor(purpose), torch.arange(count)
    return rng.normal(torch.tensor(seed), rng.Stream.DATA, *arguments)
