"""The base classes of losses: a function of points, with what is known about it.

Shapes: R runs, D dimensions, M known minimizers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import torch
from torch import Tensor

from gdlab.fields.declared import Configured, Number, declared_fields, map_numbers
from gdlab.numerics.rowwise import norm

if TYPE_CHECKING:
    import sympy

Layout: TypeAlias = Sequence[tuple[str, tuple[int, ...]]]
"""The named blocks of the flat parameter vector, with their shapes."""


@dataclass(frozen=True)
class PartialMetric:
    """A metric that is the mean over examples.

    Attributes:
        function: maps points (R, D) and chosen examples (R, B) to the means over these: (R,).
        examples: the number of all examples.
    """

    function: Callable[[Tensor, Tensor], Tensor]
    examples: int


class Loss(Configured):
    """The function being minimized. Subclasses define fields, `dim`, `start` and `__call__`.

    >>> import gdlab
    >>> class Bowl(gdlab.Loss):
    ...     dim, start, minimizers, minimum = 2, (1.0, 1.0), ((0.0, 0.0),), 0.0
    ...     def __call__(self, x):
    ...         return x[..., 0] ** 2 + 5 * x[..., 1] ** 2
    >>> gdlab.run(Bowl(), lr=0.1).outcome.status.name
    'CONVERGED'

    A loss maps points of shape (..., D) to values of shape (...), each point independently, so that
    one row and many share a code path: index from the right (`x[..., 0]`). A `Number` field may be
    a column of shape (R,), one value per run; it then broadcasts with points of shape (..., R, D).

    Unknown properties stay `None`. Tensors created by `self.tensor` follow `to`.
    """

    __module__ = "gdlab"

    constants: ClassVar[str] = ""
    """How a name that would be a coordinate becomes a constant; "…" stands for the name."""

    minimized_metrics: ClassVar[frozenset[str]] = frozenset()
    """The metrics of which the smallest value is best; of others the largest is."""

    kept_when_columns_change: ClassVar[tuple[str, ...]] = ()
    """Names of cached properties that depend on no `Number` field, such as data read from a file.

    `with_columns` and `unchecked` keep their values, and `to` keeps those that are not tensors.
    """

    if TYPE_CHECKING:  # subclasses define these as a field, a class attribute or a property

        @property
        def dim(self) -> int:
            """The number of dimensions D."""
            ...

        @property
        def start(self) -> "Tensor | Sequence[float]":
            """The default start of a run: (D,), or (R, D)."""
            ...

    def __call__(self, x: Tensor) -> Tensor:
        """Return the values (...) at points x (..., D)."""
        raise NotImplementedError(f"{type(self).__name__} must implement __call__")

    def starts(self, seed: Tensor) -> Tensor:
        """Return the default starts of runs with seeds (R,): (R, D), or (D,) for all."""
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
        """Lower and upper bounds for plots and random starts: (D, 2) or (R, D, 2)."""
        return None

    @property
    def domain(self) -> "Tensor | Sequence[Sequence[float]] | None":
        """Bounds within which the loss is minimized, (D, 2) or (R, D, 2); None for no bounds."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return tuple(f"x{i}" for i in range(self.dim))

    @property
    def layout(self) -> Layout:
        """The named blocks of the parameter vector with their shapes, in order."""
        return [("x", (self.dim,))]

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """Return the loss as a symbolic expression of the D symbols x; None if there is none."""
        return None

    def residuals(self, x: Tensor) -> Tensor | None:
        """Return the residuals (..., N) if the loss is their mean or sum of squares, else None."""
        return None

    def fisher(self, x: Tensor) -> Tensor | None:
        """Return the expected Hessians (..., D, D), if the loss is a negative log-likelihood.

        This is the Fisher information matrix, plus the Hessian of a penalty (the negative
        log-density of a prior). None for other losses.
        """
        return None

    @property
    def curvature(self) -> tuple[Number, Number] | None:
        """Least and greatest eigenvalue (μ, L) of the Hessian, if it is constant."""
        return None

    @property
    def is_quadratic(self) -> bool:
        """Whether the loss says that its Hessian is constant; here where `curvature` is known.

        A custom loss may set `is_quadratic = True`. Sums, products and squares of the coordinates
        need not: their operations show it.
        """
        return self.curvature is not None

    @property
    def standardized(self) -> "Loss | None":
        """The same loss with standardized columns of data; None where there are none to scale.

        Raises:
            SettingError: a column cannot be standardized.
        """
        return None

    @property
    def about(self) -> dict[str, str]:
        """Lines about the loss, by title, for the summary of a run and TensorBoard."""
        return {}

    @property
    def title(self) -> str | None:
        """What pictures call the loss, such as its formula; None for its name."""
        return None

    @property
    def metrics(self) -> dict[str, Any]:
        """Further functions of points to record, by name (a model's accuracy)."""
        return {}

    @property
    def partial_metrics(self) -> "Mapping[str, PartialMetric]":
        """Those of the metrics that are means over examples, by name."""
        return {}

    @property
    def elementwise(self) -> bool:
        """Whether the loss uses only elementwise operations and sums over D, no matrix product.

        A run on such a loss gives the same bits alone and in any batch.
        """
        return True

    @property
    def is_traceable(self) -> bool:
        """Whether a call has no side effects, so that the loss can be compiled automatically."""
        return True

    @property
    def examples(self) -> int | None:
        """The number of examples, if the loss is a mean over examples."""
        return None

    @property
    def minibatch(self) -> int | None:
        """The number of examples per step; None for all."""
        return None

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return the loss (R,) of points (R, D) on minibatches of chosen examples (R, B)."""
        raise NotImplementedError(f"{type(self).__name__} does not support minibatches")

    @cached_property
    def _home(self) -> tuple[torch.dtype, torch.device]:
        return torch.float64, torch.device("cpu")

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """Return a copy whose tensors, including columns, have this dtype and device."""

        def move(value: Number) -> Number:
            return value.to(device, dtype) if isinstance(value, Tensor) else value

        kept = [
            name
            for name in self.kept_when_columns_change
            if not isinstance(vars(self).get(name), Tensor)
        ]
        moved = self._without_cache(map_numbers(self, move), kept)
        moved.__dict__["_home"] = (dtype, device)
        return moved

    def unchecked(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; data are not read again for other numbers."""
        copy, fields = super().unchecked(**changes), declared_fields(type(self))
        if all(fields[name].numeric for name in changes):
            kept = vars(self).keys() & {"_home", *self.kept_when_columns_change}
            copy.__dict__.update({name: vars(self)[name] for name in kept})
        return copy

    def with_columns(self, convert: Any) -> Self:
        """Return a copy with `convert` applied to its `Number` fields; cached values are dropped.

        Return the loss itself if no field changes.
        """
        changed = map_numbers(self, convert)
        names = declared_fields(type(self))
        is_same = all(getattr(changed, name) is getattr(self, name) for name in names)
        return self if is_same else self._without_cache(changed, self.kept_when_columns_change)

    def numeric_columns(self) -> list[Tensor]:
        """Return the columns among its `Number` fields, in the order of `with_columns`."""
        columns: list[Tensor] = []

        def collect(value: Number) -> Number:
            if isinstance(value, Tensor):
                columns.append(value)
            return value

        self.with_columns(collect)
        return columns

    @classmethod
    def _without_cache(cls, loss: Self, kept: Sequence[str]) -> Self:
        """Drop all cached values of a loss but those named in `kept`, and return the loss."""
        for name in set(loss.__dict__) - set(declared_fields(cls)) - {"_home", *kept}:
            del loss.__dict__[name]
        return loss

    def tensor(self, values: Any) -> Tensor:
        """Return values as a tensor of this loss's dtype and device."""
        dtype, device = self._home
        return torch.as_tensor(values, dtype=dtype, device=device)

    def distance(self, x: Tensor) -> Tensor | None:
        """Return the distance (...) from points (..., D) to the nearest known minimizer."""
        if self.minimizers is None:
            return None
        difference = x[..., None, :] - self.tensor(self.minimizers)
        return norm(difference, (-1,))[..., 0].amin(-1)

    def suboptimality(self, value: Tensor) -> Tensor | None:
        """Return how far values (...) lie above the known minimum."""
        return None if self.minimum is None else value - self.minimum


def per_point(value: Number) -> Number:
    """Return a number that broadcasts with points (..., D): a column gains an axis."""
    return value[..., None] if isinstance(value, Tensor) else value


def per_coordinate(loss: Loss, value: "Number | tuple[Number, ...]") -> Number:
    """Return a number that broadcasts with coordinates: one for all, or D as (D,) or (R, D)."""
    if isinstance(value, tuple):
        return torch.stack(torch.broadcast_tensors(*map(loss.tensor, value)), -1)
    return per_point(value)
