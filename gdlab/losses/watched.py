"""The loss of a model that was watched while someone else trained it.

Shapes: D weights of the model, 2 coordinates in the plane of its path.
"""

from typing import Any

import torch
from torch import Tensor

from gdlab.losses.base import Loss


class WatchedLoss(Loss):
    """The loss of a person's own training loop, known at the recorded points and nowhere else.

    Its points are those of the plane of the first two principal components of the path of the
    weights; its values are NaN.

    Attributes:
        model: the class of the model.
        weights: the number of weights, D.
        began: when the loop began, in seconds since 1970: two runs have two planes.
        shares: of the variance of the path along the two components; none while it goes on.
        columns: further quantities that were recorded.
    """

    model: str
    weights: int
    began: float
    shares: tuple[float, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def dim(self) -> int:
        """The coordinates of the plane, 2."""
        return 2

    @property
    def start(self) -> tuple[float, float]:
        """The mean of the path."""
        return 0.0, 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """Return NaN (...) at points x (..., 2)."""
        return x.sum(-1) * torch.nan

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        of = [f" ({share:.1%} of variance)" for share in self.shares] or ["", ""]
        return f"principal component 1{of[0]}", f"principal component 2{of[1]}"

    @property
    def shown_name(self) -> str:
        """The class of the model."""
        return self.model

    @property
    def why_unknown(self) -> str:
        """Why there is no landscape."""
        return f"the loss of {self.model} was watched: it is known along the path only"

    @property
    def metrics(self) -> dict[str, Any]:
        """The further quantities, which have no values elsewhere either."""
        return dict.fromkeys(self.columns, self)
