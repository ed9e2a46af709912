"""How many steps a run that still descends needs, from the rate of its last ones."""

import math

from gdlab.fields.declared import map_numbers
from gdlab.schedules import Constant
from gdlab.theory.claims import spectral_radius
from gdlab.theory.run_end import RunEnd, of_row

_SLOW = 1e-4
"""How much a gradient norm must shrink in a step for the steps that are left to be counted."""

_LONG = 10**7
"""Steps that nobody waits for."""

_STEADY = 0.2
"""How much a rate may change, relative to it, in the steps that are counted by it."""

_ALIKE = 0.1
"""How much a rate may differ from that of the slowest direction, and how much is added to it."""

_NEAR_LIMIT = 0.9
"""The share of the stability limit above which a run may become unstable on its way."""


def steps_needed(run: RunEnd) -> str | None:
    """Say with which `steps` the gradient is small enough; None if its rate will not last.

    The rate of the last steps may be that of a fast direction, which slower ones outlive. So the
    steps are promised only if it is the rate of the slowest, that of the Hessian's least
    eigenvalue.
    """
    left = _steps_left(run)
    if left is None:
        return None
    steps = run.number("steps")
    if _is_slowest(run):
        enough = _round_up(steps + left * (1 + _ALIKE))
        return f"at this rate stop.grad_tol is reached with steps={enough}"
    least = int(steps) + _round_down(math.ceil(left))
    return f"at this rate stop.grad_tol needs at least steps={least}, more if the run slows down"


def _steps_left(run: RunEnd) -> float | None:
    wanted, tail = run.found.batch.stop.grad_tol, run.found.evidence.tail
    ratio, drift = float(tail.ratio[run.k]), float(tail.drift[run.k])
    if not 0 < ratio < 1 - _SLOW or wanted <= 0:
        return None
    left = math.log(wanted / run.number("grad_norm")) / math.log(ratio)
    return left if left < _LONG and drift * left < _STEADY else None


def _is_slowest(run: RunEnd) -> bool:
    """Whether the gradient shrinks as slowly as along the least curved direction."""
    found = run.found.evidence
    least = math.nan if found.spectrum is None else float(found.spectrum.least[run.k])
    is_constant = isinstance(run.found.batch.schedule, Constant)
    if not least > 0 or not is_constant or run.lr > _NEAR_LIMIT * run.limit:
        return False
    optimizer = map_numbers(run.found.batch.optimizer, lambda value: of_row(value, run.row))
    component = optimizer.component(run.lr, least)
    slowest = math.nan if component is None else spectral_radius(component)
    if not 0 < slowest < 1:
        return False
    return math.log(float(found.tail.ratio[run.k])) / math.log(slowest) <= 1 + _ALIKE


def _round_up(steps: float) -> int:
    """Round a number of steps up to two significant digits."""
    unit = _unit(steps)
    return math.ceil(steps / unit) * unit


def _round_down(steps: float) -> int:
    """Round a number of steps down to two significant digits."""
    unit = _unit(steps)
    return math.floor(steps / unit) * unit


def _unit(steps: float) -> int:
    """Return the place value of the second digit of a number of steps."""
    return 10 ** max(0, math.floor(math.log10(steps)) - 1)
