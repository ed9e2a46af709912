"""Equations in words, as a textbook prints them."""

from collections.abc import Iterable

from gdlab.derivatives.finding import number

_TERMS_SHOWN = 8


def total(terms: Iterable[tuple[float, str]]) -> str:
    """A sum of numbers times what follows each, such as `2 x + 4 y - 5`; zeros are left out.

    >>> total([(2.0, "x"), (-1.0, "y"), (0.0, "z"), (-5.0, "")])
    '2 x - y - 5'
    """
    present = [(factor, what) for factor, what in terms if factor != 0]
    words = ""
    for factor, what in present[:_TERMS_SHOWN]:
        size = "" if abs(factor) == 1 and what else number(abs(factor))
        term = f"{size} {what}".strip()
        sign = "-" if factor < 0 else "+"
        words = f"{words} {sign} {term}" if words else term if factor > 0 else f"-{term}"
    more = len(present) - _TERMS_SHOWN
    return f"{words} + … {more} more" if more > 0 else words or "0"


def counted_from(name: str, at: float) -> str:
    """A variable counted from a number.

    >>> counted_from("x", 1.0), counted_from("x", -0.5), counted_from("x", 0.0)
    ('(x - 1)', '(x + 0.5)', 'x')
    """
    return name if at == 0 else f"({name} {'-' if at > 0 else '+'} {number(abs(at))})"
