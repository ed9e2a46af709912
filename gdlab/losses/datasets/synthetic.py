"""Data sets that are made rather than read: the same numbers from the same seed, anywhere.

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
class Generated:
    """A way to make examples.

    Attributes:
        make: from N and a seed to features (N, P) and targets (N,), labels where they are whole.
        noise: the standard deviation of the noise where none is asked for.
    """

    make: Callable[[int, int], tuple[Tensor, Tensor]]
    noise: float


def generated(name: str, count: int, noise: float | None, seed: int) -> Examples:
    """Make a data set.

    Gaussian noise is added to the features of classes, and to the targets that are numbers.

    Args:
        name: which of `GENERATED`.
        count: how many examples.
        noise: its standard deviation; None for what suits the set.
        seed: of all that is random in it.
    """
    kind = GENERATED[name]
    features, targets = kind.make(count, seed)
    noisy = targets if targets.is_floating_point() else features
    scale = kind.noise if noise is None else noise
    noisy += scale * _normal(seed, 0, noisy.numel()).reshape(noisy.shape)
    names = tuple(f"x{place}" for place in range(features.shape[1]))
    return Examples(features.numpy(), targets.double().numpy(), names)


def two_moons(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two half circles of radius 1, each with an end in the hollow of the other."""
    labels = _halves(count)
    angle = math.pi * _along(labels)
    upper = torch.stack((angle.cos(), angle.sin()), 1)
    lower = torch.stack((1.0 - angle.cos(), 0.5 - angle.sin()), 1)
    return torch.where(labels[:, None] == 0, upper, lower), labels


def circles(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two circles round the origin, of radius 1 and 0.5."""
    labels = _halves(count)
    sizes = torch.bincount(labels)
    place = _along(labels) * (1 - 1 / sizes.double())[labels]  # the end is the beginning
    radius = torch.where(labels == 0, 1.0, _INNER_RADIUS)
    return _polar(radius, 2 * math.pi * place), labels


def spirals(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two arms of a spiral, each of one and a half turns, out to radius 1."""
    labels = _halves(count)
    radius = _SPIRAL_INNER + (1 - _SPIRAL_INNER) * _along(labels)
    angle = 2 * math.pi * _SPIRAL_TURNS * radius + math.pi * labels.double()
    return _polar(radius, angle), labels


def teacher_student(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """What a teacher makes of four normal inputs: four tanh units, all weights standard normal.

    A student of the same form, `widths=[4] activation=tanh`, can learn it without error.
    """
    inputs = _normal(seed, 1, count * _TEACHER_INPUTS).reshape(count, -1)
    first = _normal(seed, 2, _TEACHER_UNITS * (_TEACHER_INPUTS + 1)).reshape(_TEACHER_UNITS, -1)
    second = _normal(seed, 3, _TEACHER_UNITS)
    return inputs, torch.tanh(inputs @ first[:, 1:].T + first[:, 0]) @ second


GENERATED: Mapping[str, Generated] = {
    "circles": Generated(circles, noise=0.1),
    "spirals": Generated(spirals, noise=0.02),
    "teacher_student": Generated(teacher_student, noise=0.0),
    "two_moons": Generated(two_moons, noise=0.1),
}
"""The sets by name."""


def _halves(count: int) -> Tensor:
    """The labels: half of them 0, then half of them 1; (N,)."""
    return (torch.arange(count) >= (count + 1) // 2).long()


def _along(labels: Tensor) -> Tensor:
    """From 0 to 1, evenly along the examples of each label: (N,)."""
    sizes = torch.bincount(labels).tolist()
    return torch.cat([torch.linspace(0, 1, size, dtype=torch.float64) for size in sizes])


def _polar(radius: Tensor, angle: Tensor) -> Tensor:
    """Points (N, 2) of the plane."""
    return radius[:, None] * torch.stack((angle.cos(), angle.sin()), 1)


def _normal(seed: int, purpose: int, count: int) -> Tensor:
    """Standard normal numbers (count,), others for each purpose."""
    arguments = torch.tensor(purpose), torch.arange(count)
    return rng.normal(torch.tensor(seed), rng.Stream.DATA, *arguments)
