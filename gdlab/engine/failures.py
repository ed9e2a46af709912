"""Which part of a run an exception came from: the loss, the optimizer or the schedule."""

import traceback

from gdlab.losses.base import Loss
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.optimizers.base import Optimizer
from gdlab.schedules import Schedule
from gdlab.schedules.base import check_next, rates_of

_CHECKS = {
    value_and_gradient.__code__: "loss",
    check_next.__code__: "schedule",
    rates_of.__code__: "schedule",
}
"""The functions that check what a part returned, after it was called."""

_PARTS = {"loss": Loss, "schedule": Schedule, "optimizer": Optimizer}


def failed_part(error: BaseException) -> str:
    """Return the setting whose object raised an exception: "loss", "optimizer" or "schedule".

    It is the innermost one whose method was called or whose result was checked, or else the
    optimizer.
    """
    for frame, _ in reversed([*traceback.walk_tb(error.__traceback__)]):
        if frame.f_code in _CHECKS:
            return _CHECKS[frame.f_code]
        owner = frame.f_locals.get("self")
        for part, base in _PARTS.items():
            if isinstance(owner, base):
                return part
    return "optimizer"
