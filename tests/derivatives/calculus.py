"""Worked examples of a course in multivariable calculus, with answers derived by hand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Answer = Callable[..., Sequence[float]]


@dataclass(frozen=True)
class Example:
    """A formula with its partial derivatives.

    `second` holds the distinct second partials in the order xx, xy, yy (xx, xy, xz, yy, yz, zz).
    """

    formula: str
    at: tuple[float, ...]
    gradient: Answer
    second: Answer


EXAMPLES = [
    Example("x**2 + y**2", (1, 2), lambda x, y: (2 * x, 2 * y), lambda x, y: (2, 0, 2)),
    Example("x**2 - y**2", (3, 4), lambda x, y: (2 * x, -2 * y), lambda x, y: (2, 0, -2)),
    Example("x**2 + 3*x*y", (1, -1), lambda x, y: (2 * x + 3 * y, 3 * x), lambda x, y: (2, 3, 0)),
    Example("3*x*y + y**2", (2, 5), lambda x, y: (3 * y, 3 * x + 2 * y), lambda x, y: (0, 3, 2)),
    Example("x**2 + 3*y", (4, 7), lambda x, y: (2 * x, 3), lambda x, y: (2, 0, 0)),
    Example(
        "3*x**2*y + y**3 - 2*x",
        (1, 2),
        lambda x, y: (6 * x * y - 2, 3 * x**2 + 3 * y**2),
        lambda x, y: (6 * y, 6 * x, 6 * y),
    ),
    Example(
        "x**2*y + y**2*z - z**3",
        (1, 2, 1),
        lambda x, y, z: (2 * x * y, x**2 + 2 * y * z, y**2 - 3 * z**2),
        lambda x, y, z: (2 * y, 2 * x, 0, 2 * z, 2 * y, -6 * z),
    ),
    Example(
        "x*y*z",
        (2, -3, 5),
        lambda x, y, z: (y * z, x * z, x * y),
        lambda x, y, z: (0, z, y, 0, x, 0),
    ),
    Example(
        "x**2*y*exp(-z)",
        (1.5, 2, 0.5),
        lambda x, y, z: (
            2 * x * y * math.exp(-z),
            x**2 * math.exp(-z),
            -(x**2) * y * math.exp(-z),
        ),
        lambda x, y, z: [
            factor * math.exp(-z) for factor in (2 * y, 2 * x, -2 * x * y, 0, -(x**2), x**2 * y)
        ],
    ),
    Example(
        "sin(x*y) + exp(x + y)",
        (0.5, 1.5),
        lambda x, y: (
            y * math.cos(x * y) + math.exp(x + y),
            x * math.cos(x * y) + math.exp(x + y),
        ),
        lambda x, y: (
            -(y**2) * math.sin(x * y) + math.exp(x + y),
            math.cos(x * y) - x * y * math.sin(x * y) + math.exp(x + y),
            -(x**2) * math.sin(x * y) + math.exp(x + y),
        ),
    ),
    Example(
        "x**2/(x**2 + y**2)",
        (1, 2),
        lambda x, y: (2 * x * y**2 / (x**2 + y**2) ** 2, -2 * x**2 * y / (x**2 + y**2) ** 2),
        lambda x, y: (
            2 * y**2 * (y**2 - 3 * x**2) / (x**2 + y**2) ** 3,
            4 * x * y * (x**2 - y**2) / (x**2 + y**2) ** 3,
            2 * x**2 * (3 * y**2 - x**2) / (x**2 + y**2) ** 3,
        ),
    ),
    Example(
        "x**2*y*z + exp(x*y) + ln(y*z)",
        (1, 2, 3),
        lambda x, y, z: (
            2 * x * y * z + y * math.exp(x * y),
            x**2 * z + x * math.exp(x * y) + 1 / y,
            x**2 * y + 1 / z,
        ),
        lambda x, y, z: (
            2 * y * z + y**2 * math.exp(x * y),
            2 * x * z + (1 + x * y) * math.exp(x * y),
            2 * x * y,
            x**2 * math.exp(x * y) - 1 / y**2,
            x**2,
            -1 / z**2,
        ),
    ),
    Example(
        "x**3*y**2 + x*y*exp(x + y)",
        (1, 2),
        lambda x, y: (
            3 * x**2 * y**2 + (1 + x) * y * math.exp(x + y),
            2 * x**3 * y + x * (1 + y) * math.exp(x + y),
        ),
        lambda x, y: (
            6 * x * y**2 + (2 + x) * y * math.exp(x + y),
            6 * x**2 * y + (1 + x) * (1 + y) * math.exp(x + y),
            2 * x**3 + x * (2 + y) * math.exp(x + y),
        ),
    ),
    Example(
        "x**3*y**2 + sin(x*y)",
        (1.2, 0.7),
        lambda x, y: (
            3 * x**2 * y**2 + y * math.cos(x * y),
            2 * x**3 * y + x * math.cos(x * y),
        ),
        lambda x, y: (
            6 * x * y**2 - y**2 * math.sin(x * y),
            6 * x**2 * y + math.cos(x * y) - x * y * math.sin(x * y),
            2 * x**3 - x**2 * math.sin(x * y),
        ),
    ),
    Example(
        "x**2*y + sin(x*y)",
        (1, 2),
        lambda x, y: (2 * x * y + y * math.cos(x * y), x**2 + x * math.cos(x * y)),
        lambda x, y: (
            2 * y - y**2 * math.sin(x * y),
            2 * x + math.cos(x * y) - x * y * math.sin(x * y),
            -(x**2) * math.sin(x * y),
        ),
    ),
    Example(
        "sin(x)*cos(y)",
        (math.pi / 4, math.pi / 4),
        lambda x, y: (0.5, -0.5),
        lambda x, y: (-0.5, -0.5, -0.5),
    ),
]

DIRECTIONS = [
    ("x**2 - y**2", (1, 2), (3, 4), -2.0),
    ("x**2 + 3*x*y", (1, -1), (1, 1), math.sqrt(2)),
    ("x**2 + y**2", (1, 2), (1, 2), 2 * math.sqrt(5)),
    ("x*y*z", (1, 2, 3), (0, 0, -5), -2.0),
]
"""Formula, point, direction and the directional derivative."""

PLANES = [
    ("x**2 + y**2", (1, 2), "2 x + 4 y - 5"),
    ("x**2 - y**2", (3, 4), "6 x - 8 y + 7"),
    ("x*y", (2, -1), "-x + 2 y + 2"),
    ("x + y", (5, 5), "x + y"),
]
"""Formula, point and the tangent plane's equation."""
