"""What a loss is: a function of points, with what is known about it.

Shapes: R runs, D dimensions, M known minimizers.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import torch
from torch import Tensor

from gdlab.fields.declared import Configured, Number, declared_fields, map_numbers

if TYPE_CHECKING:
    import sympy

Layout: TypeAlias = Sequence[tuple[str, tuple[int, ...]]]
"""The named blocks of the flat parameter vector, with their shapes."""


class Loss(Configured):
    """The function being minimised. Subclasses declare fields, `dim`, `start` and `__call__`.

    A loss is called with points of shape (..., D) and returns values of shape (...), computed
    for each point alone, so that one row and many share a path: index from the right
    (`x[..., 0]`). A `Number` field may hold a column of shape (R,), one value per run; it then
    meets points of shape (..., R, D).

    What is not known stays `None`. Tensors made by `self.tensor` follow `to`.
    """

    __module__ = "gdlab"

    kept_when_columns_change: ClassVar[tuple[str, ...]] = ()
    """Names of what is derived from other fields than `Number` ones, such as data read from a file.

    `with_columns` keeps it, and `to` keeps what of it is no tensor.
    """

    if TYPE_CHECKING:  # subclasses say these with a field, a class attribute or a property

        @property
        def dim(self) -> int:
            """The number of dimensions D."""
            ...

        @property
        def start(self) -> "Tensor | Sequence[float]":
            """Where a run starts unless told otherwise: (D,), or (R, D)."""
            ...

    def __call__(self, x: Tensor) -> Tensor:
        """The values at points x of shape (..., D): (...)."""
        raise NotImplementedError(f"{type(self).__name__} does not say its value")

    def starts(self, seed: Tensor) -> Tensor:
        """Where runs with seeds (R,) start unless told otherwise: (R, D), or (D,) for all."""
        return self.tensor(self.start)

    @property
    def minimizers(self) -> "Tensor | Sequence[Sequence[float]] | None":
        """All known global minimizers: (M, D), or (R, M, D) where they depend on a column."""
        return None

    @property
    def minimum(self) -> Number | None:
        """The value at the minimizers: a number, or a column (R,)."""
        return None

    @property
    def window(self) -> "Tensor | Sequence[Sequence[float]] | None":
        """Low and high of what is worth plotting and of random starts: (D, 2) or (R, D, 2)."""
        return None

    @property
    def domain(self) -> "Tensor | Sequence[Sequence[float]] | None":
        """Low and high of where the loss is meant to be minimised: (D, 2) or (R, D, 2).

        None for everywhere.
        """
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return tuple(f"x{i}" for i in range(self.dim))

    @property
    def layout(self) -> Layout:
        """The named blocks of the parameter vector with their shapes, one after the other."""
        return [("x", (self.dim,))]

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """The loss as a symbolic expression of the D symbols x, where there is one."""
        return None

    def residuals(self, x: Tensor) -> Tensor | None:
        """The residuals (..., N) whose mean or sum of squares the loss is, where it is one."""
        return None

    def fisher(self, x: Tensor) -> Tensor | None:
        """The expected Hessians (..., D, D) of a probabilistic model whose −log likelihood it is.

        That is the Fisher matrix, plus the Hessian of a penalty (the −log density of a prior). None
        where there is no such model.
        """
        return None

    @property
    def curvature(self) -> tuple[Number, Number] | None:
        """Least and greatest eigenvalue (μ, L) of the Hessian where it is constant."""
        return None

    @property
    def about(self) -> dict[str, str]:
        """What the summary of a run and TensorBoard tell of the loss: words by their titles."""
        return {}

    @property
    def metrics(self) -> dict[str, Any]:
        """Further functions of points worth recording, by name (a model's accuracy)."""
        return {}

    @property
    def elementwise(self) -> bool:
        """Whether points only meet elementwise operations and sums over D, no matrix product.

        A run of such a loss has the same bits alone and in any batch.
        """
        return True

    @property
    def is_traceable(self) -> bool:
        """Whether a call does nothing but give values, so that it may be compiled unasked."""
        return True

    @property
    def examples(self) -> int | None:
        """The number of examples that the loss is a mean over, where it is one."""
        return None

    @property
    def minibatch(self) -> int | None:
        """The number of examples of a step; None to use all."""
        return None

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """The loss (R,) of points (R, D) on the examples chosen (R, B), for minibatches."""
        raise NotImplementedError(f"{type(self).__name__} has no minibatches")

    @cached_property
    def _home(self) -> tuple[torch.dtype, torch.device]:
        return torch.float64, torch.device("cpu")

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """A copy whose tensors, columns included, have this dtype and device."""

        def move(value: Number) -> Number:
            return value.to(device, dtype) if isinstance(value, Tensor) else value

        kept = [
            name
            for name in self.kept_when_columns_change
            if not isinstance(vars(self).get(name), Tensor)
        ]
        moved = self._bare(map_numbers(self, move), kept)
        moved.__dict__["_home"] = (dtype, device)
        return moved

    def with_columns(self, convert: Any) -> Self:
        """A copy whose `Number` fields went through `convert`; nothing derived from them is kept.

        Where no field changes, the loss itself.
        """
        changed = map_numbers(self, convert)
        names = declared_fields(type(self))
        same = all(getattr(changed, name) is getattr(self, name) for name in names)
        return self if same else self._bare(changed, self.kept_when_columns_change)

    @classmethod
    def _bare(cls, loss: Self, kept: Sequence[str]) -> Self:
        """A loss without what it derived from its fields, but for some of it."""
        for name in set(loss.__dict__) - set(declared_fields(cls)) - {"_home", *kept}:
            del loss.__dict__[name]
        return loss

    def tensor(self, values: Any) -> Tensor:
        """Values as a tensor of this loss's dtype and device."""
        dtype, device = self._home
        return torch.as_tensor(values, dtype=dtype, device=device)

    def distance(self, x: Tensor) -> Tensor | None:
        """The Euclidean distance (...) from points (..., D) to the nearest known minimizer."""
        if self.minimizers is None:
            return None
        away = x[..., None, :] - self.tensor(self.minimizers)
        return away.square().sum(-1).sqrt().amin(-1)

    def suboptimality(self, value: Tensor) -> Tensor | None:
        """How far values (...) lie above the known minimum."""
        return None if self.minimum is None else value - self.minimum


class PointLoss(Loss):
    """A loss written for one point of shape (D,); `torch.vmap` makes it a loss of many.

    Subclasses define `point` instead of `__call__`. A column reaches `point` as a scalar tensor.
    """

    __module__ = "gdlab"

    def point(self, x: Tensor) -> Tensor:
        """The value at one point x of shape (D,): a scalar tensor."""
        raise NotImplementedError(f"{type(self).__name__} does not say its value at a point")

    def __call__(self, x: Tensor) -> Tensor:
        """The values at points x of shape (..., D): (...)."""
        held: list[Tensor] = []

        def collect(value: Number) -> Number:
            if isinstance(value, Tensor):
                held.append(value)
            return value

        self.with_columns(collect)

        def single(x: Tensor, *scalars: Tensor) -> Tensor:
            following = iter(scalars)

            def scalar(value: Number) -> Number:
                return next(following) if isinstance(value, Tensor) else value

            return self.with_columns(scalar).point(x)

        flat = x.reshape(-1, x.shape[-1])
        args = [column.expand(x.shape[:-1]).reshape(-1) for column in held]
        values = torch.vmap(single)(flat, *args)
        return values.reshape(x.shape[:-1] + values.shape[1:])


def per_point(value: Number) -> Number:
    """A number that meets whole points (..., D) rather than coordinates: a column gains an axis."""
    return value[..., None] if isinstance(value, Tensor) else value


def per_coordinate(loss: Loss, value: "Number | tuple[Number, ...]") -> Number:
    """A number for all coordinates, or D of them as (D,), or (R, D) beside columns."""
    if isinstance(value, tuple):
        return torch.stack(torch.broadcast_tensors(*map(loss.tensor, value)), -1)
    return per_point(value)
