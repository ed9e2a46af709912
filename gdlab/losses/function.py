"""A Python function as a loss."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from gdlab.errors import SettingError
from gdlab.losses.point import PointLoss


class Function(PointLoss):
    """A Python function of one point (D,), with the start of the run.

    Attributes:
        function: maps a tensor of shape (D,) to a scalar tensor.
        start: a point (D,); its length is the number of dimensions.
    """

    function: Callable[[Tensor], Tensor]
    start: tuple[float, ...] = ()  # type: ignore[assignment]

    def point(self, x: Tensor) -> Tensor:
        """Return the function's value."""
        return self.function(x)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _takes_one_argument(self.function):
            must = "must take one argument, the point, as lambda p: p[0]**2 + p[1]**2 does"
            raise SettingError(f"loss={self.shown_name}: {must}")

    @property
    def dim(self) -> int:
        """The length of the start."""
        return len(self.start)

    @property
    def shown_name(self) -> str:
        """The name of the function: `<lambda>` for one without, a class for a callable object."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    @property
    def is_traceable(self) -> bool:
        """False: the function may have side effects, such as printing or counting."""
        return False


def _takes_one_argument(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with one argument; true if it does not say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True
