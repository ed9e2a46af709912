"""Any loss in other coordinates: scaled, rotated and shifted.

Shapes: R runs, D dimensions, M known minimizers.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Number, map_numbers, setting
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss, per_coordinate
from gdlab.losses.coordinates import Coordinates, haar

if TYPE_CHECKING:
    import sympy

    from gdlab.losses.base import Layout

_MAX_ROTATED = 4096


class Transform(Configured):
    """A transformation of a loss: scaled along its axes, rotated, then shifted.

    >>> import gdlab
    >>> moved = gdlab.run("sphere", lr=0.1, transform=gdlab.Transform(shift=3.0))
    >>> moved.outcome.x.round(3).tolist()
    [3.0, 3.0]

    The loss becomes f(x) = loss(y) with y = Qᵀ(x − shift) / scale. The point y of the loss moves to
    x = Q(scale ⊙ y) + shift with the same value, and so do the minimizers, the start and the
    window. Scale and rotation are about the origin.

    Attributes:
        rotation: a seed for Q, a random orthogonal matrix distributed uniformly (Haar; Mezzadri,
            "How to generate random matrices from the classical compact groups", 2007), which may
            include a reflection; None for no rotation.
        shift: how far the landscape moves: D numbers, or one for all coordinates.
        scale: the factor by which it widens: D numbers, one for each axis of the loss, or one for
            all; the Hessian's eigenvalues are divided by its square.
    """

    __module__ = "gdlab"

    rotation: int | None = setting(default=None, ge=0, lt=2**63)
    shift: Number | tuple[Number, ...] = 0.0
    scale: Number | tuple[Number, ...] = setting(default=1.0, gt=0)

    @property
    def is_identity(self) -> bool:
        """Whether the transformation changes nothing."""
        return (
            self.rotation is None
            and _is_constant(self.shift, 0.0)
            and _is_constant(self.scale, 1.0)
        )

    def of(self, loss: Loss) -> Loss:
        """Return the transformed loss; the loss itself if the transformation changes nothing.

        Raises:
            SettingError: shift or scale has neither one number nor D; D is too large to rotate.
        """
        transformed = Transformed(loss, self)  # checks the lengths, even of an identity
        return loss if self.is_identity else transformed


class Transformed(Loss):
    """A loss f(x) = base(y) with y = Qᵀ(x − shift) / scale, and what is known about it.

    Properties that do not carry over are unknown: the domain and the names of a rotated loss, the
    curvature of an unevenly scaled one.

    Attributes:
        base: the loss.
        transform: its transformation.
    """

    base: Loss
    transform: Transform

    def __post_init__(self) -> None:
        super().__post_init__()
        dim, transform = self.base.dim, self.transform
        for name in ("shift", "scale"):
            value = getattr(transform, name)
            if isinstance(value, tuple) and len(value) != dim:
                must = f"must be one number or {dim}, one per dim"
                raise SettingError(f"transform.{name}={format_value(value)}: {must}")
        if transform.rotation is not None and dim > _MAX_ROTATED:
            limit = f"a loss of {dim} dimensions is too large; at most {_MAX_ROTATED}"
            raise SettingError(f"transform.rotation={transform.rotation}: {limit}")

    def __call__(self, x: Tensor) -> Tensor:
        """Return the base's values at y."""
        return self.base(self.inward(x))

    @cached_property
    def orthogonal(self) -> Tensor | None:
        """The matrix Q: (D, D); None for no rotation."""
        seed = self.transform.rotation
        return None if seed is None else self.tensor(haar(seed, self.dim))

    @cached_property
    def _coordinates(self) -> Coordinates:
        shift, scale = self.transform.shift, self.transform.scale
        shift = None if _is_constant(shift, 0.0) else per_coordinate(self, shift)
        scale = None if _is_constant(scale, 1.0) else per_coordinate(self, scale)
        return Coordinates(shift, scale, self.orthogonal)

    def inward(self, x: Tensor) -> Tensor:
        """Return the base's points y (..., D) for points x (..., D)."""
        return self._coordinates.inward(x)

    @property
    def dim(self) -> int:
        """The base's."""
        return self.base.dim

    @property
    def start(self) -> Tensor:
        """The base's, transformed; the loss has the same value there."""
        return self._coordinates.outward(self.tensor(self.base.start))

    def starts(self, seed: Tensor) -> Tensor:
        """Return the base's, transformed."""
        return self._coordinates.outward(self.base.starts(seed))

    @property
    def minimizers(self) -> Tensor | None:
        """The base's, transformed."""
        known = self.base.minimizers
        if known is None:
            return None
        return self._coordinates.outward(self.tensor(known), several=True)

    @property
    def minimum(self) -> Number | None:
        """The base's."""
        return self.base.minimum

    @property
    def window(self) -> Tensor | None:
        """The box around the base's, transformed."""
        known = self.base.window
        return None if known is None else self._coordinates.box(self.tensor(known))

    @property
    def domain(self) -> Tensor | None:
        """The base's, scaled and shifted; None with a rotation, since it is no longer a box."""
        known = None if self.transform.rotation is not None else self.base.domain
        return None if known is None else self._coordinates.box(self.tensor(known))

    @property
    def names(self) -> tuple[str, ...]:
        """The base's; with a rotation x0, x1, …, since each coordinate mixes all of the base's."""
        return self.base.names if self.orthogonal is None else super().names

    @property
    def layout(self) -> "Layout":
        """The base's blocks; with a rotation one block."""
        return self.base.layout if self.orthogonal is None else super().layout

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """Return the base's expression at y; None if a field is a column."""
        values = (self.transform.shift, self.transform.scale)
        if any(_has_column(value) for value in values):
            return None
        import sympy

        shift, scale = (self.tensor(v).expand(self.dim).tolist() for v in values)
        y = [symbol - offset for symbol, offset in zip(x, shift, strict=True)]
        q = self.orthogonal
        if q is not None:
            y = [
                sympy.Add(*(sympy.Float(c) * yi for c, yi in zip(axis, y, strict=True)))
                for axis in q.T.tolist()
            ]
        inner: Any = tuple(yi / factor for yi, factor in zip(y, scale, strict=True))
        return self.base.symbolic(inner)

    def residuals(self, x: Tensor) -> Tensor | None:
        """Return the base's at y."""
        return self.base.residuals(self.inward(x))

    @property
    def curvature(self) -> tuple[Number, Number] | None:
        """The base's divided by scale²; a rotation does not change it. None if scales differ."""
        known, scale = self.base.curvature, self.transform.scale
        if isinstance(scale, tuple):
            if _has_column(scale) or len(set(scale)) > 1:
                return None
            scale = scale[0]
        if known is None:
            return None
        least, greatest = (value / scale / scale for value in known)
        return least, greatest

    @property
    def is_quadratic(self) -> bool:
        """The base's."""
        return self.base.is_quadratic

    @property
    def about(self) -> dict[str, str]:
        """The base's lines, which are about y, and the formula of y."""
        rotation, shift, scale = self.transform.settings().values()
        shifted = "x" if _is_constant(shift, 0.0) else f"(x - {_format(shift)})"
        rotated = shifted if rotation is None else f"Qᵀ{shifted}"
        y = rotated if _is_constant(scale, 1.0) else f"{rotated} / {_format(scale)}"
        seed = "" if rotation is None else f", Q from seed {rotation}"
        return {**self.base.about, "transformed": f"the loss at y = {y}{seed}"}

    @property
    def metrics(self) -> dict[str, Any]:
        """The base's at y."""

        def at_y(metric: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
            return metric(self.inward(x))

        return {name: partial(at_y, metric) for name, metric in self.base.metrics.items()}

    @property
    def minimized_metrics(self) -> frozenset[str]:  # type: ignore[override]  # the base has it
        """The base's."""
        return self.base.minimized_metrics

    @property
    def is_traceable(self) -> bool:
        """The base's."""
        return self.base.is_traceable

    @property
    def elementwise(self) -> bool:
        """The base's without a rotation; False with one."""
        return self.base.elementwise and self.transform.rotation is None

    @property
    def examples(self) -> int | None:
        """The base's."""
        return self.base.examples

    @property
    def minibatch(self) -> int | None:
        """The base's."""
        return self.base.minibatch

    def partial(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Return the base's loss at y on the chosen examples."""
        return self.base.partial(self.inward(x), chosen)

    def suboptimality(self, value: Tensor) -> Tensor | None:
        """Return the base's."""
        return self.base.suboptimality(value)

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """Return a copy whose base and columns have this dtype and device."""
        moved = super().to(dtype, device)
        moved.__dict__["base"] = self.base.to(dtype, device)
        return moved

    def with_columns(self, convert: Any) -> Self:
        """Return a copy with `convert` applied to its numbers, the base's first."""
        base, transform = self.base.with_columns(convert), map_numbers(self.transform, convert)
        pairs = zip(transform.settings().values(), self.transform.settings().values(), strict=True)
        if base is self.base and all(new is old for new, old in pairs):
            return self
        changed = self.unchecked(base=base, transform=transform)
        changed.__dict__["_home"] = self._home
        return changed


def _is_constant(value: Number | tuple[Number, ...], constant: float) -> bool:
    """Return whether a number, or all of several, equal a constant; a column never does."""
    items = value if isinstance(value, tuple) else (value,)
    return not _has_column(value) and all(item == constant for item in items)


def _has_column(value: Number | tuple[Number, ...]) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, Tensor) for item in items)


def _format(value: Number | tuple[Number, ...]) -> str:
    return "a column" if _has_column(value) else format_value(value)
