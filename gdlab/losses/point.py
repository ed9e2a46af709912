"""Losses written for one point.

Shapes: R runs, D dimensions.
"""

import torch
from torch import Tensor

from gdlab.fields.declared import Number
from gdlab.fields.formatting import describe_type
from gdlab.losses.base import Loss

_MUST = "the function of one point must return a scalar tensor"
_NO_NUMBERS = (
    "the function of one point must compute with tensors: torch.sin(p[0]), not math.sin(p[0]), "
    "numpy.sin(p[0]) or float(p[0]), and torch.where(c, a, b), not if"
)
_SIGNS_OF_NUMBERS = ("vmap:", "data pointer")
"""Of errors by functions that ask torch.vmap for the numbers of a point."""


class PointLoss(Loss):
    """A loss written for one point of shape (D,); `torch.vmap` applies it to many.

    >>> import gdlab
    >>> class Bowl(gdlab.PointLoss):
    ...     dim, start = 2, (1.0, 1.0)
    ...     def point(self, x):
    ...         return x @ x
    >>> gdlab.run(Bowl(), lr=0.1).outcome.status.name
    'CONVERGED'

    Subclasses define `point` instead of `__call__`. A column reaches `point` as a scalar tensor.
    """

    __module__ = "gdlab"

    def point(self, x: Tensor) -> Tensor:
        """Return the value at one point x of shape (D,): a scalar tensor."""
        raise NotImplementedError(f"{type(self).__name__} must implement point")

    def __call__(self, x: Tensor) -> Tensor:
        """Return the values (...) at points x (..., D)."""
        columns = self.numeric_columns()

        def single(x: Tensor, *scalars: Tensor) -> Tensor:
            remaining = iter(scalars)

            def scalar(value: Number) -> Number:
                return next(remaining) if isinstance(value, Tensor) else value

            value = self.with_columns(scalar).point(x)
            if not isinstance(value, Tensor):
                raise TypeError(f"{_MUST}, and gave {describe_type(value)}")
            if value.ndim:
                raise ValueError(f"{_MUST}, and gave shape {tuple(value.shape)}")
            return value

        flat = x.reshape(-1, x.shape[-1])
        args = [column.expand(x.shape[:-1]).reshape(-1) for column in columns]
        try:
            values = torch.vmap(single)(flat, *args)
        except RuntimeError as error:
            if any(sign in str(error) for sign in _SIGNS_OF_NUMBERS):
                raise TypeError(_NO_NUMBERS) from error
            raise
        return values.reshape(x.shape[:-1] + values.shape[1:])
