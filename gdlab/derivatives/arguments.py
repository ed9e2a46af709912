"""Check points and directions from the user, and format them.

Shapes: V variables.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gdlab.derivatives.finding import number
from gdlab.errors import SettingError

_SHOWN = 8


def as_point(at: "Tensor | Sequence[float]", names: Sequence[str], setting: str = "at") -> Tensor:
    """Check a point and convert it to float64 (V,).

    Raises:
        SettingError: it is not one finite number for each name.
    """
    x = torch.as_tensor(at, dtype=torch.float64).detach()
    given = format_setting(x, setting)
    if x.shape != (len(names),):
        raise SettingError(f"{given}: must be {one_for_each(names, 'number')}; got {x.numel()}")
    if not x.isfinite().all():
        raise SettingError(f"{given}: must be finite")
    return x


def as_direction(values: "Tensor | Sequence[float]", names: Sequence[str], setting: str) -> Tensor:
    """Check a direction of any nonzero length and convert it to a float64 unit vector (V,).

    Raises:
        SettingError: it is zero, or not one finite number for each name.
    """
    d = as_point(values, names, setting)
    unit = normalize(d)
    if unit is None:
        raise SettingError(f"{format_setting(d, setting)}: must not be zero")
    return unit


def normalize(d: Tensor) -> Tensor | None:
    """Scale a vector (V,) to length 1; None if it is zero or not finite."""
    largest = d.abs().max()
    if largest == 0 or not bool(largest.isfinite()):
        return None
    d = d / largest  # first, so that no square overflows or underflows
    return d / d.norm()


def format_setting(x: Tensor, setting: str) -> str:
    """Format numbers as they are typed for a setting; only the first ones of many."""
    return f"{setting}=[{join_words([number(value) for value in x.flatten()[: _SHOWN + 1]], ',')}]"


def one_for_each(names: Sequence[str], kind: str) -> str:
    """Say how many of a kind are needed: one for each name."""
    count = f"1 {kind}, for" if len(names) == 1 else f"{len(names)} {kind}s, one for each of"
    return f"{count} {join_words(names)}"


def join_words(words: Sequence[str], comma: str = ", ") -> str:
    """Join words with commas; only the first ones of many."""
    return comma.join([*words[:_SHOWN], *["…"] * (len(words) > _SHOWN)])


def format_assignments(names: Sequence[str], values: Tensor) -> str:
    """Format names and values (V,) as `x = 1, y = 2`; only the first ones of many."""
    pairs = zip(names[: _SHOWN + 1], values.tolist(), strict=False)
    return join_words([f"{name} = {number(value)}" for name, value in pairs])
