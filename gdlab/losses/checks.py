"""Whether a loss of a person's own answers in the form that gdlab needs."""

from gdlab.errors import SettingError
from gdlab.losses.base import Loss


def check_dimensions(loss: Loss) -> None:
    """Refuse a loss whose answers do not have as many dimensions as it says.

    Raises:
        SettingError: what is wrong, in words.
    """
    kind, dim = type(loss).__name__, loss.dim
    if not isinstance(dim, int) or dim < 1:
        raise SettingError(f"loss={kind}: its dim is {dim}, and must be a whole number ≥ 1")
    if len(loss.names) != dim:
        raise SettingError(f"loss={kind}: has {len(loss.names)} names, and must have {dim}")
    for name, sides in (("window", loss.window), ("domain", loss.domain)):
        if sides is not None and loss.tensor(sides).shape[-2:] != (dim, 2):
            raise SettingError(f"loss={kind}: its {name} must hold {dim} pairs, low and high")
