"""A Python function as a loss."""

from collections.abc import Callable

from torch import Tensor

from gdlab.losses.base import PointLoss


class Function(PointLoss):
    """A function of one point (D,), with the start that a run gives it.

    Attributes:
        function: maps a tensor of shape (D,) to a scalar tensor.
        start: a point (D,); its length is the number of dimensions.
    """

    function: Callable[[Tensor], Tensor]
    start: tuple[float, ...] = ()  # type: ignore[assignment]

    def point(self, x: Tensor) -> Tensor:
        """The function's value."""
        return self.function(x)

    @property
    def dim(self) -> int:
        """As many as the start has numbers."""
        return len(self.start)

    @property
    def is_traceable(self) -> bool:
        """Not for certain: it may print or count besides."""
        return False
