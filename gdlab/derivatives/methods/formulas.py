"""Lists of formulas as maps from the variables in them to numbers.

Shapes: V variables, n formulas.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gdlab.derivatives.arguments import assignments, each, listed, point
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.formulas.formula import Parsed, formula_error, parse
from gdlab.numerics.autodiff import derivative

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Formulas:
    """Formulas of the same variables: a map from points (..., V) to values (..., n).

    Attributes:
        setting: what they were given for, for errors.
        texts: the formulas as they were typed.
        names: the V variables.
    """

    setting: str
    texts: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def read(cls, texts: Sequence[str], setting: str) -> "Formulas":
        """Formulas of the names in them, in order of appearance over the list.

        Raises:
            SettingError: a text is no formula, or there is none, or none has a variable.
        """
        if isinstance(texts, str) or not texts:
            raise SettingError(
                f"{setting}={format_value(texts)}: must be a list of formulas, as [x+y,x*y]"
            )
        found = [name for text in texts for name in parse(text, setting).names]
        if not found:
            raise SettingError(f"{setting}={format_value(tuple(texts))}: depends on no variable")
        return cls(setting, tuple(texts), tuple(dict.fromkeys(found)))

    @classmethod
    def of_one(cls, texts: Sequence[str], name: str, setting: str) -> "Formulas":
        """Formulas of one variable, which need not be in them.

        Raises:
            SettingError: a text is no formula, or has another name in it.
        """
        if isinstance(texts, str) or not texts:
            what = f"must be a list of formulas in {name}, as [cos({name}),sin({name})]"
            raise SettingError(f"{setting}={format_value(texts)}: {what}")
        for text in texts:
            for other, column in parse(text, setting).names.items():
                if other != name:
                    what = f"{other} is not {name}, the one variable there is"
                    raise formula_error(text, column, what, setting)
        return cls(setting, tuple(texts), (name,))

    def must_be_for(self, names: Sequence[str]) -> None:
        """Refuse a list that has not one formula for each of the names."""
        if len(self.texts) != len(names):
            must = f"must be {each(names, 'formula')}; got {len(self.texts)}"
            given = f"{self.setting}=[{listed(self.texts, ',')}]"
            raise SettingError(f"{given}: {must}")

    @property
    def parsed(self) -> list[Parsed]:
        """The formulas as they were read."""
        return [parse(text, self.setting) for text in self.texts]

    def __call__(self, x: Tensor) -> Tensor:
        """The values (..., n) at points (..., V)."""
        return torch.stack(self._values(x), -1)

    def _values(self, x: Tensor) -> list[Tensor]:
        """The values (...) of each formula at points (..., V)."""
        values = dict(zip(self.names, x.unbind(-1), strict=True))
        found = (torch.as_tensor(one.evaluate(values), dtype=x.dtype) for one in self.parsed)
        return [value.expand(x.shape[:-1]) for value in found]

    def point(self, at: "Tensor | Sequence[float]", setting: str = "at") -> Tensor:
        """A point (V,) of the variables, float64, at which all formulas are finite.

        Raises:
            SettingError: it has not V finite numbers, or a formula is not finite there.
        """
        x = point(at, self.names, setting)
        self.finite(self(x), "it", x)
        return x

    def finite(self, values: Tensor, what: str, x: Tensor) -> None:
        """Refuse values (n,), one of each formula at a point x (V,), that are not finite."""
        for text, value in zip(self.texts, values.tolist(), strict=True):
            if not math.isfinite(value):
                where = assignments(self.names, x)
                found = f"{what} is {value} at {where}, and must be finite"
                raise SettingError(f"{self.setting}={text}: {found}")

    def jacobian(self, x: Tensor) -> Tensor:
        """The Jacobian (n, V) at a point (V,), by autograd.

        Each formula is derived alone: in a stack, one with an infinite slope would leave the
        others NaN, as 0 · ∞.
        """
        rows = x.detach()[None].requires_grad_()
        slopes = [derivative(value, rows) for value in self._values(rows)]
        return torch.cat(slopes).detach() + 0.0  # −0 is shown as 0

    def symbolic(self, symbols: "Sequence[sympy.Symbol]") -> "list[sympy.Expr] | None":
        """The formulas of V symbols; None where one is too large for sympy."""
        if not all(one.is_small for one in self.parsed):
            return None
        values = dict(zip(self.names, symbols, strict=True))
        return [one.symbolic(values) for one in self.parsed]


def unlike(names: tuple[str, ...], taken: Sequence[str]) -> tuple[str, ...]:
    """Names of coordinates that no variable has: as given, or u, v, w, or u0, u1, ….

    >>> unlike(("x", "y"), ["x", "t"])
    ('u', 'v')
    """
    letters = tuple("uvw"[: len(names)]) if len(names) <= 3 else names
    numbered = (tuple(f"u{'_' * k}{i}" for i in range(len(names))) for k in itertools.count())
    choices = itertools.chain((names, letters), numbered)
    return next(choice for choice in choices if not set(choice) & set(taken))
