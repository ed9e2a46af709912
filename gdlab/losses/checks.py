"""Checks that a custom loss is complete and that its properties have the right shapes."""

import inspect

from gdlab.errors import SettingError
from gdlab.losses.base import Loss
from gdlab.losses.point import PointLoss

_LINES = {"dim": "`dim = 2`", "start": "`start = (1.0, 1.0)`"}
"""Examples of what a class of two coordinates says."""


def check_definition(loss: Loss) -> None:
    """Refuse a loss without a value, or whose names, window or domain do not fit its `dim`.

    Raises:
        SettingError: names the method that is missing, or the property that is wrong.
    """
    check_declared(loss, needs_start=False)
    kind, dim = type(loss).__name__, loss.dim
    if not isinstance(dim, int) or dim < 1:
        raise SettingError(f"loss={kind}: its dim is {dim}, but must be a whole number ≥ 1")
    if len(loss.names) != dim:
        raise SettingError(f"loss={kind}: has {len(loss.names)} names, but must have {dim}")
    for name, bounds in (("window", loss.window), ("domain", loss.domain)):
        if bounds is not None and loss.tensor(bounds).shape[-2:] != (dim, 2):
            what = f"its {name} must be {dim} pairs of a lower and an upper bound"
            raise SettingError(f"loss={kind}: {what}")
    missing = _missing_method(loss)
    if missing is not None:
        raise SettingError(f"loss={kind}: must implement {missing}")


def check_declared(loss: Loss, *, needs_start: bool) -> None:
    """Refuse a loss whose class has no `dim`, or no `start` where it is needed.

    Raises:
        SettingError: says what to write in the class.
    """
    needed = ["dim", "start"] if needs_start and type(loss).starts is Loss.starts else ["dim"]
    lacking = [name for name in needed if inspect.getattr_static(loss, name, None) is None]
    if lacking:
        write = " and ".join(_LINES[name] for name in lacking)
        has = f"has no {' and no '.join(lacking)}"
        raise SettingError(f"loss={type(loss).__name__}: {has}; write {write} in the class")


def _missing_method(loss: Loss) -> str | None:
    """Return the name of the method that the value of a loss needs and it lacks, or None."""
    cls = type(loss)
    if cls.__call__ is Loss.__call__:
        return "__call__"
    if isinstance(loss, PointLoss) and cls.__call__ is PointLoss.__call__:
        return "point" if type(loss).point is PointLoss.point else None
    return None
