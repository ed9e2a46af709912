"""Checks that the properties of a custom loss have the right shapes."""

from gdlab.errors import SettingError
from gdlab.losses.base import Loss


def check_dimensions(loss: Loss) -> None:
    """Refuse a loss whose names, window or domain do not fit its `dim`.

    Raises:
        SettingError: names the property that is wrong.
    """
    kind, dim = type(loss).__name__, loss.dim
    if not isinstance(dim, int) or dim < 1:
        raise SettingError(f"loss={kind}: its dim is {dim}, but must be a whole number ≥ 1")
    if len(loss.names) != dim:
        raise SettingError(f"loss={kind}: has {len(loss.names)} names, but must have {dim}")
    for name, bounds in (("window", loss.window), ("domain", loss.domain)):
        if bounds is not None and loss.tensor(bounds).shape[-2:] != (dim, 2):
            raise SettingError(
                f"loss={kind}: its {name} must be {dim} pairs of a lower and an upper bound"
            )
