"""Lists of formulas as vector-valued functions of their variables.

Shapes: V variables, n formulas.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gdlab.derivatives.arguments import as_point, format_assignments, join_words, one_for_each
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.formulas.formula import Parsed, alphabetical, formula_error, parse
from gdlab.numerics.autodiff import derivative

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Formulas:
    """Formulas in the same variables: a map from points (..., V) to values (..., n).

    Attributes:
        setting: the setting they were given for, named in errors.
        texts: the formulas as typed.
        names: the V variables.
    """

    setting: str
    texts: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def read(cls, texts: Sequence[str], setting: str) -> "Formulas":
        """Read formulas; their variables are in alphabetical order.

        Raises:
            SettingError: a text is not a formula, the list is empty, or no formula has a variable.
        """
        if isinstance(texts, str) or not texts:
            raise SettingError(
                f"{setting}={format_value(texts)}: must be a list of formulas, such as [x+y,x*y]"
            )
        names = [name for text in texts for name in parse(text, setting).names]
        if not names:
            raise SettingError(f"{setting}={format_value(tuple(texts))}: depends on no variable")
        return cls(setting, tuple(texts), alphabetical(names))

    @classmethod
    def read_of_one_variable(cls, texts: Sequence[str], name: str, setting: str) -> "Formulas":
        """Read formulas in one variable, which need not occur in them.

        Raises:
            SettingError: a text is not a formula, or has another variable.
        """
        if isinstance(texts, str) or not texts:
            what = f"must be a list of formulas in {name}, such as [cos({name}),sin({name})]"
            raise SettingError(f"{setting}={format_value(texts)}: {what}")
        for text in texts:
            for other, column in parse(text, setting).names.items():
                if other != name:
                    what = f"{other} is unknown; the only variable is {name}"
                    raise formula_error(text, column, what, setting)
        return cls(setting, tuple(texts), (name,))

    def require_one_for_each(self, names: Sequence[str]) -> None:
        """Raise SettingError unless there is one formula for each name."""
        if len(self.texts) != len(names):
            must = f"must be {one_for_each(names, 'formula')}; got {len(self.texts)}"
            given = f"{self.setting}=[{join_words(self.texts, ',')}]"
            raise SettingError(f"{given}: {must}")

    @property
    def parsed(self) -> list[Parsed]:
        """The formulas, parsed."""
        return [parse(text, self.setting) for text in self.texts]

    def __call__(self, x: Tensor) -> Tensor:
        """Evaluate the formulas at points (..., V): values (..., n)."""
        return torch.stack(self._values(x), -1)

    def _values(self, x: Tensor, natural: bool = False) -> list[Tensor]:
        """Evaluate each formula at points (..., V): values (...)."""
        values = dict(zip(self.names, x.unbind(-1), strict=True))
        results = (torch.as_tensor(f.evaluate(values, natural), dtype=x.dtype) for f in self.parsed)
        return [result.expand(x.shape[:-1]) for result in results]

    def as_point(self, at: "Tensor | Sequence[float]", setting: str = "at") -> Tensor:
        """Check and convert a point (V,) to float64; all formulas must be finite there.

        Raises:
            SettingError: it is not V finite numbers, or a formula is not finite there.
        """
        x = as_point(at, self.names, setting)
        self.require_finite(self(x), "it", x)
        return x

    def require_finite(self, values: Tensor, what: str, x: Tensor) -> None:
        """Raise SettingError unless the values (n,) of the formulas at x (V,) are all finite."""
        for text, value in zip(self.texts, values.tolist(), strict=True):
            if not math.isfinite(value):
                where = format_assignments(self.names, x)
                problem = f"{what} is {value} at {where}, but must be finite"
                raise SettingError(f"{self.setting}={text}: {problem}")

    def jacobian(self, x: Tensor) -> Tensor:
        """Compute the Jacobian (n, V) at a point (V,) by autograd.

        Each formula is differentiated separately: in a stack, an infinite slope of one would turn
        the others into NaN, as 0 · ∞. The slope of a root at 0 is infinite.
        """
        rows = x.detach()[None].requires_grad_()
        slopes = [derivative(value, rows) for value in self._values(rows, natural=True)]
        return torch.cat(slopes).detach() + 0.0  # turns −0 into 0

    def symbolic(self, symbols: "Sequence[sympy.Symbol]") -> "list[sympy.Expr] | None":
        """Return the formulas as expressions in V symbols; None if one is too large for sympy."""
        values = dict(zip(self.names, symbols, strict=True))
        expressions = [f.symbolic(values) for f in self.parsed]
        return None if None in expressions else expressions  # type: ignore[return-value]


def distinct_names(names: tuple[str, ...], taken: Sequence[str]) -> tuple[str, ...]:
    """Choose names of coordinates that are not taken: as given, or u, v, w, or u0, u1, ….

    >>> distinct_names(("x", "y"), ["x", "t"])
    ('u', 'v')
    """
    letters = tuple("uvw"[: len(names)]) if len(names) <= 3 else names
    numbered = (tuple(f"u{'_' * k}{i}" for i in range(len(names))) for k in itertools.count())
    choices = itertools.chain((names, letters), numbered)
    return next(choice for choice in choices if not set(choice) & set(taken))
