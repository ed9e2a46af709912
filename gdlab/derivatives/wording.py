"""Sums, products and matrices spelled out as in a textbook, and what is too large for that."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from torch import Tensor

from gdlab.derivatives.finding import number

_TERMS, _TERMS_OF_NUMBERS, _NUMBERS, _LONGEST, _MOST_KEPT = 4, 8, 12, 160, 4096
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(index: int) -> str:
    """A number below the line: `₁₂`."""
    return str(index).translate(_SUBSCRIPTS)


def format_sum(terms: Sequence[str], most: int = _TERMS) -> str:
    """Terms with signs between them; the first ones of many, and 0 for none.

    >>> format_sum(["2*x", "-6", "y"])
    '2*x - 6 + y'
    """
    text = terms[0] if terms else "0"
    for term in terms[1:most]:
        text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    more = len(terms) - most
    return f"{text} + … ({more} more)" if more > 0 else text


def linear_combination(terms: Iterable[tuple[float, str]]) -> str:
    """A sum of numbers times what follows each, such as `2 x + 4 y - 5`; zeros are left out.

    >>> linear_combination([(2.0, "x"), (-1.0, "y"), (0.0, "z"), (-5.0, "")])
    '2 x - y - 5'
    """
    words = []
    for factor, what in terms:
        if factor != 0:
            size = "" if abs(factor) == 1 and what else number(abs(factor))
            words.append(f"{'-' if factor < 0 else ''}{f'{size} {what}'.strip()}")
    return format_sum(words, _TERMS_OF_NUMBERS)


def derivative_name(by: Sequence[str]) -> str:
    """A partial derivative by the names of its coordinates, the outermost first.

    >>> derivative_name(["x"]), derivative_name(["x", "x", "y"])
    ('∂f/∂x', '∂³f/∂x²∂y')
    """

    def power(count: int) -> str:
        return "" if count == 1 else str(count).translate(_SUPERSCRIPTS)

    below = "".join(f"∂{name}{power(count)}" for name, count in Counter(by).items())
    return f"∂{power(len(by))}f/{below}"


def offset_from(name: str, at: float) -> str:
    """A variable counted from a number.

    >>> offset_from("x", 1.0), offset_from("x", -0.5), offset_from("x", 0.0)
    ('(x - 1)', '(x + 0.5)', 'x')
    """
    return name if at == 0 else f"({name} {'-' if at > 0 else '+'} {number(abs(at))})"


def format_product(*factors: str) -> str:
    """Factors with a dot between them, in brackets where they need some.

    >>> format_product("x + y", "-2", "sin(x + y)")
    '(x + y) · (-2) · sin(x + y)'
    """
    return " · ".join(f"({one})" if _is_sum(one) else one for one in factors)


def _is_sum(text: str) -> bool:
    """Whether a text has a sign in front, or one between spaces outside of all brackets."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and text[place : place + 3] in (" + ", " - "):
            return True
    return text.startswith("-")


def shorten(text: str) -> str:
    """The beginning of a text that is long."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def keep_if_small(values: Tensor) -> Tensor | None:
    """What a finding holds of numbers that may be many: all of up to 4,096, else none."""
    return values if values.numel() <= _MOST_KEPT else None


def number_or_undefined(value: "float | Tensor | None", digits: int = 8) -> str:
    """A number by a formula, which may have no value at a point; a dash where there is none."""
    return "undefined" if value is not None and math.isnan(value) else number(value, digits)


def matrix(values: Tensor, digits: int = 6) -> str:
    """A matrix (n, m) row by row, or what there is to say of one that is not small.

    >>> import torch
    >>> matrix(torch.tensor([[2.0, 1.0], [1.0, 1.0]]))
    '[2 1; 1 1]'
    """
    n, m = values.shape
    if n * m > _NUMBERS:
        return f"{n} by {m}, norm {number(values.norm(), digits)}"
    rows = (" ".join(number(value, digits) for value in row) for row in values)
    return f"[{'; '.join(rows)}]"
