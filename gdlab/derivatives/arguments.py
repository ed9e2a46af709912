"""Points and directions that a person gives, checked; and points in words.

Shapes: V variables.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gdlab.derivatives.finding import number
from gdlab.errors import SettingError

_SHOWN = 8


def as_point(at: "Tensor | Sequence[float]", names: Sequence[str], setting: str = "at") -> Tensor:
    """A point as float64 (V,), one finite number for each name.

    Raises:
        SettingError: it is none.
    """
    x = torch.as_tensor(at, dtype=torch.float64).detach()
    given = format_setting(x, setting)
    if x.shape != (len(names),):
        raise SettingError(f"{given}: must be {one_for_each(names, 'number')}; got {x.numel()}")
    if not x.isfinite().all():
        raise SettingError(f"{given}: must be finite")
    return x


def as_direction(values: "Tensor | Sequence[float]", names: Sequence[str], setting: str) -> Tensor:
    """A direction as float64 of length 1 (V,), from numbers of any length but zero.

    Raises:
        SettingError: it is none.
    """
    d = as_point(values, names, setting)
    found = normalize(d)
    if found is None:
        raise SettingError(f"{format_setting(d, setting)}: is zero, which points nowhere")
    return found


def normalize(d: Tensor) -> Tensor | None:
    """A vector (V,) made one of length 1; None where it is zero or not finite."""
    largest = d.abs().max()
    if largest == 0 or not bool(largest.isfinite()):
        return None
    d = d / largest  # first, so that no square is too large or too small
    return d / d.norm()


def format_setting(x: Tensor, setting: str) -> str:
    """Numbers as they are typed for a setting, the first ones of many."""
    return f"{setting}=[{join_words([number(one) for one in x.flatten()[: _SHOWN + 1]], ',')}]"


def one_for_each(names: Sequence[str], kind: str) -> str:
    """So many of a kind as there are names."""
    one = f"1 {kind}, for" if len(names) == 1 else f"{len(names)} {kind}s, one for each of"
    return f"{one} {join_words(names)}"


def join_words(words: Sequence[str], comma: str = ", ") -> str:
    """Words with commas; the first ones of many."""
    return comma.join([*words[:_SHOWN], *["…"] * (len(words) > _SHOWN)])


def format_assignments(names: Sequence[str], values: Tensor) -> str:
    """Names with their numbers (V,), as `x = 1, y = 2`; the first ones of many."""
    pairs = zip(names[: _SHOWN + 1], values.tolist(), strict=False)
    return join_words([f"{name} = {number(value)}" for name, value in pairs])
