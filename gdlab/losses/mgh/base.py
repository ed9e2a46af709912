"""The base class of the problems with any number of dimensions."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from gdlab.errors import SettingError
from gdlab.fields.declared import setting
from gdlab.losses.functions.closed_form import Known, Scalable, SumOfSquares

ONES, ZEROS = ((1.0,),), ((0.0,),)


class ScalableSquares(Scalable, SumOfSquares):
    """A sum of squares in any number of dimensions. Subclasses define `terms` and `known_in`.

    Attributes:
        dim: dimensions D.
    """

    multiple: ClassVar[int] = 1
    """D must be a multiple of this number."""

    dim: int = setting(default=10, ge=1, le=1_000_000)  # type: ignore[assignment]  # as in Scalable

    def __post_init__(self) -> None:
        """Check that D is a multiple of `multiple`."""
        super().__post_init__()
        if self.dim % self.multiple:
            raise SettingError(f"dim={self.dim}: must be a multiple of {self.multiple}")

    def known_in(self, n: int) -> Known:
        """Return what is known about the function in n dimensions."""
        raise NotImplementedError(f"{type(self).__name__} must implement known_in")

    @cached_property
    def known(self) -> Known:  # type: ignore[override]  # here it depends on the instance
        """What is known about the function."""
        return self.known_in(self.dim)


def known_from_table(
    table: Mapping[int, tuple[float, Sequence[float]]], n: int, **known: Any
) -> Known:
    """Return what is known in n dimensions, with minimum and minimizer if the table has them."""
    if n not in table:
        return Known(**known)
    minimum, minimizer = table[n]
    return Known(**known, minimizers=(minimizer,), minimum=minimum)


def one_to(n: int) -> np.ndarray:
    """Return the numbers 1 … n."""
    return np.arange(1, n + 1)
