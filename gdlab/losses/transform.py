"""Any loss in other coordinates: stretched, rotated and moved.

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

_LARGEST_ROTATED = 4096


class Transform(Configured):
    """What is done to the landscape of a loss: stretched along its axes, rotated, then moved.

    The loss becomes f(x) = loss(y) with y = Qᵀ(x − shift) / scale, so that x = Q(scale ⊙ y) +
    shift: what lay at y lies there, minimizers, start and window alike, with the same value.
    All is done about the origin.

    Attributes:
        rotation: a seed for Q, a random orthogonal matrix distributed uniformly (Haar; Mezzadri,
            "How to generate random matrices from the classical compact groups", 2007), which may
            reflect as well; None for no rotation.
        shift: how far the landscape moves: D numbers, or one for all coordinates.
        scale: how many times as wide it gets: D numbers, one for each axis of the loss, or one
            for all; the Hessian's eigenvalues shrink by the square.
    """

    __module__ = "gdlab"

    rotation: int | None = setting(default=None, ge=0, lt=2**63)
    shift: Number | tuple[Number, ...] = 0.0
    scale: Number | tuple[Number, ...] = setting(default=1.0, gt=0)

    @property
    def is_identity(self) -> bool:
        """Whether nothing is done at all."""
        return self.rotation is None and _all(self.shift, 0.0) and _all(self.scale, 1.0)

    def of(self, loss: Loss) -> Loss:
        """The loss transformed; the loss itself where nothing is done to it.

        Raises:
            SettingError: shift or scale has neither one number nor D; D is too large to rotate.
        """
        made = Transformed(loss, self)
        return loss if self.is_identity else made


class Transformed(Loss):
    """A loss f(x) = base(y) with y = Qᵀ(x − shift) / scale, and all that is known of it.

    What is no box, no curvature or no name of a coordinate any more is unknown: the domain of a
    rotated loss, the curvature of one that is stretched unevenly.

    Attributes:
        base: the loss.
        transform: what is done to it.
    """

    base: Loss
    transform: Transform

    def __post_init__(self) -> None:
        super().__post_init__()
        dim, given = self.base.dim, self.transform
        for name in ("shift", "scale"):
            value = getattr(given, name)
            if isinstance(value, tuple) and len(value) != dim:
                must = f"must be one number or {dim}, one per dim"
                raise SettingError(f"transform.{name}={format_value(value)}: {must}")
        if given.rotation is not None and dim > _LARGEST_ROTATED:
            most = f"a loss of {dim} dimensions is too large; at most {_LARGEST_ROTATED}"
            raise SettingError(f"transform.rotation={given.rotation}: {most}")

    def __call__(self, x: Tensor) -> Tensor:
        """The base's values at y."""
        return self.base(self.inward(x))

    @cached_property
    def orthogonal(self) -> Tensor | None:
        """The matrix Q: (D, D); None for no rotation."""
        seed = self.transform.rotation
        return None if seed is None else self.tensor(haar(seed, self.dim))

    @cached_property
    def _coordinates(self) -> Coordinates:
        given = self.transform
        shift = None if _all(given.shift, 0.0) else per_coordinate(self, given.shift)
        scale = None if _all(given.scale, 1.0) else per_coordinate(self, given.scale)
        return Coordinates(shift, scale, self.orthogonal)

    def inward(self, x: Tensor) -> Tensor:
        """The points y (..., D) of the base that points x (..., D) stand for."""
        return self._coordinates.inward(x)

    @property
    def dim(self) -> int:
        """The base's."""
        return self.base.dim

    @property
    def start(self) -> Tensor:
        """The base's, seen from outside: as high as there."""
        return self._coordinates.outward(self.tensor(self.base.start))

    def starts(self, seed: Tensor) -> Tensor:
        """The base's, seen from outside."""
        return self._coordinates.outward(self.base.starts(seed))

    @property
    def minimizers(self) -> Tensor | None:
        """The base's, seen from outside."""
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
        """The base's as a box outside."""
        known = self.base.window
        return None if known is None else self._coordinates.box(self.tensor(known))

    @property
    def domain(self) -> Tensor | None:
        """The base's, stretched and moved; unknown where it is rotated, and no box any more."""
        known = None if self.transform.rotation is not None else self.base.domain
        return None if known is None else self._coordinates.box(self.tensor(known))

    @property
    def names(self) -> tuple[str, ...]:
        """The base's, but of rotated coordinates, which are all of them at once."""
        return self.base.names if self.orthogonal is None else super().names

    @property
    def layout(self) -> "Layout":
        """The base's blocks; one block of rotated coordinates."""
        return self.base.layout if self.orthogonal is None else super().layout

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """The base's expression at y; None where a field is a column."""
        values = (self.transform.shift, self.transform.scale)
        if any(_has_column(value) for value in values):
            return None
        import sympy

        shift, scale = (self.tensor(v).expand(self.dim).tolist() for v in values)
        moved = [symbol - by for symbol, by in zip(x, shift, strict=True)]
        q = self.orthogonal
        if q is not None:
            moved = [
                sympy.Add(*(sympy.Float(c) * m for c, m in zip(axis, moved, strict=True)))
                for axis in q.T.tolist()
            ]
        inner: Any = tuple(m / by for m, by in zip(moved, scale, strict=True))
        return self.base.symbolic(inner)

    def residuals(self, x: Tensor) -> Tensor | None:
        """The base's at y."""
        return self.base.residuals(self.inward(x))

    @property
    def curvature(self) -> tuple[Number, Number] | None:
        """The base's over scale², which a rotation leaves; None where scales differ."""
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
    def about(self) -> dict[str, str]:
        """What the base tells, which is at y, and what y is."""
        given = self.transform
        moved = "x" if _all(given.shift, 0.0) else f"(x - {_shown(given.shift)})"
        turned = moved if given.rotation is None else f"Qᵀ{moved}"
        divided = turned if _all(given.scale, 1.0) else f"{turned} / {_shown(given.scale)}"
        seed = "" if given.rotation is None else f", Q from seed {given.rotation}"
        return {**self.base.about, "transformed": f"the loss at y = {divided}{seed}"}

    @property
    def metrics(self) -> dict[str, Any]:
        """The base's at y."""

        def at(metric: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
            return metric(self.inward(x))

        return {name: partial(at, metric) for name, metric in self.base.metrics.items()}

    @property
    def is_traceable(self) -> bool:
        """As the loss is."""
        return self.base.is_traceable

    @property
    def elementwise(self) -> bool:
        """Where the base is, and nothing is rotated."""
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
        """The base's loss at y on the examples chosen."""
        return self.base.partial(self.inward(x), chosen)

    def suboptimality(self, value: Tensor) -> Tensor | None:
        """The base's."""
        return self.base.suboptimality(value)

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """A copy whose base and columns have this dtype and device."""
        moved = super().to(dtype, device)
        moved.__dict__["base"] = self.base.to(dtype, device)
        return moved

    def with_columns(self, convert: Any) -> Self:
        """A copy whose numbers, the base's first, went through `convert`."""
        base, transform = self.base.with_columns(convert), map_numbers(self.transform, convert)
        pairs = zip(transform.settings().values(), self.transform.settings().values(), strict=True)
        if base is self.base and all(new is old for new, old in pairs):
            return self
        changed = self.unchecked(base=base, transform=transform)
        changed.__dict__["_home"] = self._home
        return changed


def _all(value: Number | tuple[Number, ...], constant: float) -> bool:
    """Whether a number or several are all one constant; a column never is."""
    items = value if isinstance(value, tuple) else (value,)
    return not _has_column(value) and all(item == constant for item in items)


def _has_column(value: Number | tuple[Number, ...]) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, Tensor) for item in items)


def _shown(value: Number | tuple[Number, ...]) -> str:
    return "a column" if _has_column(value) else format_value(value)
