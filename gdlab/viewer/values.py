"""Values that files hold, which may be anything."""

from typing import Any, TypeGuard

_MOST_BITS = 1_000  # more do not fit into a float


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value is a number, in the range of floats; true and false are none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() <= _MOST_BITS
    return isinstance(value, float)
