"""Sums, products and matrices as text, as in a textbook; long ones are shortened."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from torch import Tensor

from gdlab.derivatives.finding import number
from gdlab.numerics.rowwise import length

LEGEND = (
    "±: uncertainty of the differences; error slope: of log error against log step, 2 for central "
    "differences; exact: no error but rounding"
)
"""What the columns of a table of slopes mean."""

_TERMS, _TERMS_OF_NUMBERS, _NUMBERS, _LONGEST, _MOST_KEPT = 4, 8, 12, 160, 4096
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(index: int) -> str:
    """Format a number as a subscript: `₁₂`."""
    return str(index).translate(_SUBSCRIPTS)


def format_sum(terms: Sequence[str], most: int = _TERMS) -> str:
    """Join terms with signs between them; only the first ones of many, and 0 for none.

    >>> format_sum(["2*x", "-6", "y"])
    '2*x - 6 + y'
    """
    text = terms[0] if terms else "0"
    for term in terms[1:most]:
        text += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    more = len(terms) - most
    return f"{text} + … ({more} more)" if more > 0 else text


def linear_combination(terms: Iterable[tuple[float, str]]) -> str:
    """Format a linear combination such as `2 x + 4 y - 5`; terms with factor 0 are left out.

    >>> linear_combination([(2.0, "x"), (-1.0, "y"), (0.0, "z"), (-5.0, "")])
    '2 x - y - 5'
    """
    texts = []
    for factor, name in terms:
        if factor != 0:
            size = "" if abs(factor) == 1 and name else number(abs(factor))
            texts.append(f"{'-' if factor < 0 else ''}{f'{size} {name}'.strip()}")
    return format_sum(texts, _TERMS_OF_NUMBERS)


def derivative_name(by: Sequence[str]) -> str:
    """Name a partial derivative by its coordinates, the outermost first.

    >>> derivative_name(["x"]), derivative_name(["x", "x", "y"])
    ('∂f/∂x', '∂³f/∂x²∂y')
    """

    def power(count: int) -> str:
        return "" if count == 1 else str(count).translate(_SUPERSCRIPTS)

    below = "".join(f"∂{name}{power(count)}" for name, count in Counter(by).items())
    return f"∂{power(len(by))}f/{below}"


def offset_from(name: str, at: float) -> str:
    """Format the offset of a variable from a number.

    >>> offset_from("x", 1.0), offset_from("x", -0.5), offset_from("x", 0.0)
    ('(x - 1)', '(x + 0.5)', 'x')
    """
    return name if at == 0 else f"({name} {'-' if at > 0 else '+'} {number(abs(at))})"


def format_product(*factors: str) -> str:
    """Join factors with a dot between them, in parentheses where these are needed.

    >>> format_product("x + y", "-2", "sin(x + y)")
    '(x + y) · (-2) · sin(x + y)'
    """
    return " · ".join(f"({factor})" if _is_sum(factor) else factor for factor in factors)


def _is_sum(text: str) -> bool:
    """Whether a text starts with a minus, or has a spaced sign outside all parentheses."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and text[i : i + 3] in (" + ", " - "):
            return True
    return text.startswith("-")


def shorten(text: str) -> str:
    """Cut a long text to 160 characters."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def keep_if_small(values: Tensor) -> Tensor | None:
    """Return the values if there are at most 4,096, else None: larger results are not stored."""
    return values if values.numel() <= _MOST_KEPT else None


def number_or_undefined(value: "float | Tensor | None", digits: int = 8) -> str:
    """Format a number; `undefined` for NaN, as of a formula without a value, a dash for None."""
    return "undefined" if value is not None and math.isnan(value) else number(value, digits)


def proven_in_words(value: float, decided: bool = True) -> str:
    """Format a derivative that a formula proves: `undefined` for NaN, if it is decided."""
    return number_or_undefined(value) if decided else "not decided"


def matrix(values: Tensor, digits: int = 6) -> str:
    """Format a small matrix (n, m) row by row, a larger one by its shape and norm.

    >>> import torch
    >>> matrix(torch.tensor([[2.0, 1.0], [1.0, 1.0]]))
    '[2 1; 1 1]'
    """
    n, m = values.shape
    if n * m > _NUMBERS:
        return f"{n} by {m}, norm {number(length(values), digits)}"
    rows = (" ".join(number(value, digits) for value in row) for row in values)
    return f"[{'; '.join(rows)}]"
