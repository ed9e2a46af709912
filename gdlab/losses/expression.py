"""A loss given by a formula typed on the command line."""

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from gdlab.errors import SettingError
from gdlab.fields.declared import Numbers
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean
from gdlab.formulas.formula import (
    Parsed,
    alphabetical,
    formula_error,
    parse,
)
from gdlab.formulas.functions import CONSTANTS, FUNCTIONS, RESERVED_NAMES
from gdlab.losses.base import Loss

if TYPE_CHECKING:
    import sympy

_MAX_PARTIALS, _MAX_LENGTH = 6, 200


class Expression(Loss):
    """A formula such as `x**2 + 3*x*y + sin(pi*y)`, with + - * / ** and functions.

    The functions are sin, cos, tan, sinh, cosh, tanh and their inverses asin, …, atan2, exp, expm1,
    log (or ln), log2, log10, log1p, sqrt, abs, sign, max, min, erf, sigmoid and softplus. The
    parser knows nothing else, so untrusted text is safe; precedence is Python's.

    A formula in pieces is `where(condition, a, b)`: a where the condition holds, else b, as in
    `where(x**2 + y**2 == 0, 0, x*y/(x**2 + y**2))`. Conditions have < <= > >= == !=, and, or, not.

    At a kink the gradient is a subgradient: the slope of abs, of sqrt and of other roots at 0 is 0,
    and equal arguments of max or min have the same share of the slope. At a boundary of pieces it
    is the gradient of the piece that the condition chooses.

    >>> import torch
    >>> loss = Expression("(x - a)**2 + y**2", parameters={"a": 3})
    >>> loss.names, float(loss(torch.tensor([1.0, 2.0])))
    (('x', 'y'), 8.0)

    Attributes:
        formula: the text.
        variables: the names of the coordinates; None for all names in the formula that are not
            parameters, in alphabetical order.
        parameters: numbers for the other names, each a separate setting: `loss.parameters.a=2`.
    """

    constants: ClassVar[str] = "a constant is given as loss.parameters.…=1"

    formula: str = "x**2 + x*y + y**2"
    variables: tuple[str, ...] | None = None
    parameters: Numbers = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        parsed, names = self._parsed, self.names
        if self.variables == ():
            raise SettingError("variables=[]: must hold at least one name")
        for name in (*names, *self.parameters):
            is_taken = name in CONSTANTS or name in FUNCTIONS or name.lower() in RESERVED_NAMES
            if is_taken or not _is_name(name):
                kind = "is a reserved name" if _is_name(name) else "is not a name"
                field = "variables" if name in names else "parameters"
                raise SettingError(f"{field}={name}: {kind}; use letters, such as w or x1")
        for name in self.parameters:
            if name not in parsed.names or (self.variables is not None and name in names):
                kind = "is a variable" if name in names else "the formula has no such name"
                hint = did_you_mean(name, parsed.names)
                value = format_value(self.parameters[name])
                raise SettingError(f"parameters.{name}={value}: {kind}{hint}")
        if len(set(names)) < len(names):
            raise SettingError(f"variables={format_value(names)}: must all be different")
        for name, column in parsed.names.items():
            if name not in names and name not in self.parameters:
                known = f"neither a variable ({', '.join(names)}) nor a parameter"
                what = f"{name} is {known}; set loss.parameters.{name}"
                raise formula_error(self.formula, column, what)
        if not any(name in parsed.names for name in names):
            raise formula_error(self.formula, 1, "the formula depends on no variable")

    @cached_property
    def _parsed(self) -> Parsed:
        return parse(self.formula)

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]  # cached: it is read often
        """The variables as given, or in alphabetical order."""
        if self.variables is not None:
            return self.variables
        return alphabetical(self._parsed.names.keys() - self.parameters.keys())

    @property
    def dim(self) -> int:
        """The number of variables."""
        return len(self.names)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the values of the formula at points (..., D)."""
        coordinates = x.movedim(-1, 0).unbind(0)
        values = {name: self.tensor(value) for name, value in self.parameters.items()}
        values |= zip(self.names, coordinates, strict=True)
        result = self._parsed.evaluate(values)
        has_slopes = torch.is_grad_enabled() and x.requires_grad
        if not isinstance(result, Tensor) or (has_slopes and not result.requires_grad):
            # Each piece is constant, as in `where(x < 0, 1, 2)`: its slope is 0, not missing.
            return result + 0.0 * coordinates[0].sign()
        return result

    @property
    def start(self) -> Tensor:
        """All ones."""
        return self.tensor(torch.ones(self.dim))

    @property
    def window(self) -> Tensor:
        """Three units around the start."""
        return self.tensor([-2.0, 4.0]).expand(self.dim, 2)

    def symbolic(self, x: "tuple[sympy.Symbol, ...]") -> "sympy.Expr | None":
        """Return the formula; None if a parameter is a column or the formula is large."""
        has_column = any(isinstance(value, Tensor) for value in self.parameters.values())
        if has_column:
            return None
        import sympy

        values = {name: sympy.Float(value) for name, value in self.parameters.items()}
        return self._parsed.symbolic(values | dict(zip(self.names, x, strict=True)))

    @property
    def title(self) -> str:
        """The formula."""
        return self.formula

    @property
    def about(self) -> dict[str, str]:
        """The formula, and its partial derivatives unless it is too large."""
        lines = {"f": self.formula}
        names = self.names[:_MAX_PARTIALS]
        gradient = self._parsed.gradient(names)
        if gradient is not None:
            from gdlab.formulas.derivatives import in_words  # needs sympy, as the gradient did

            partials = map(in_words, gradient)
            lines |= {f"∂f/∂{name}": text for name, text in zip(names, partials, strict=True)}
            more = self.dim - len(names)
            lines |= {"": f"… ({more} more)"} if more else {}
        return {title: _shorten(text) for title, text in lines.items()}


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"
