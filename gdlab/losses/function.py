"""A Python function as a loss."""

from collections.abc import Callable

from torch import Tensor

from gdlab.losses.base import PointLoss


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

    @property
    def dim(self) -> int:
        """The length of the start."""
        return len(self.start)

    @property
    def is_traceable(self) -> bool:
        """False: the function may have side effects, such as printing or counting."""
        return False
