"""Numbers written as formulas of constants, such as pi/2 and sqrt(2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from gdlab.formulas.formula import parse_cached
from gdlab.formulas.tokens import FormulaError


def with_numbers(values: Any) -> Any:
    """Return a point with numbers in place of its texts that are formulas without variables.

    >>> with_numbers(["pi/2", 0, "x"])
    [1.5707963267948966, 0, 'x']

    Args:
        values: a sequence or a mapping by name; anything else is returned as it is, and so are
            other texts.
    """
    if isinstance(values, Mapping):
        return {name: _number(value) for name, value in values.items()}
    if isinstance(values, Sequence) and not isinstance(values, str):
        return [_number(value) for value in values] if _has_text(values) else values
    return values


def _has_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parsed = parse_cached(value)
    except FormulaError:  # the type check of the setting says what it must be
        return value
    return value if parsed.names else float(parsed.evaluate({}))
