"""Sentences about how a run went on until it ended.

Shapes: D dimensions.
"""

import math

import numpy as np
import torch

from gdlab.engine.status import Status
from gdlab.numerics.partial_functions import Undefined
from gdlab.theory.evidence import optimizer_of
from gdlab.theory.run_end import RunEnd, named, steps_taken
from gdlab.theory.sharpness import round_down

_FAR_BELOW = 0.25
"""The share of the stability limit below which a learning rate could be larger."""

_SLOW = 1e-4
"""How much a gradient norm must shrink in a step for the steps that are left to be counted."""

_LONG = 10**7
"""Steps that nobody waits for."""

_LOST = 16
"""Units in the last place of the loss that a step may change without an effect."""


def unbounded(run: RunEnd) -> str:
    """Say along which direction the loss falls without end."""
    start = run.found.batch.start[run.row].double().cpu().numpy()
    way = run.x - start
    way = way / np.abs(way).max()
    way = way / np.linalg.norm(way)
    spectrum = run.found.evidence.spectrum
    least = math.nan if spectrum is None else float(spectrum.least[run.k])
    curve = f", where the Hessian has the eigenvalue {least:.3g}" if least < 0 else ""
    return (
        f"unbounded below: the loss falls without end along {named(run, way)}{curve}; no learning "
        "rate finds a minimum"
    )


def outside(run: RunEnd) -> str:
    """Say which step left the domain of which function."""
    undefined = run.found.evidence.undefined[run.k]
    next_x = run.outcomes.evidence.beyond[run.row].double().cpu().numpy()
    step = int(run.number("steps")) + 1
    where = _argument(run, undefined, next_x)
    return (
        f"outside the domain: step {step} leads to {where}, where {undefined.name} is not defined; "
        "a smaller lr or another start keeps away from it"
    )


def _argument(run: RunEnd, undefined: Undefined, point: np.ndarray) -> str:
    """Name the coordinate that is the argument, if one is."""
    names = run.found.batch.loss.names
    same = [name for name, value in zip(names, point, strict=False) if value == undefined.argument]
    return f"{same[0] if same else 'the argument'}={undefined.argument:.3g}"


def raw_columns(run: RunEnd) -> str:
    """Say what standardizing the columns changes."""
    raw = run.found.raw
    assert raw is not None  # it decided the diagnosis
    limit = _limit_at(run, raw.standardized)
    allowed = "" if limit is None else f", which allows lr up to {limit:.3g}"
    return (
        f"raw columns: their scales make the loss steep, λ_max is {raw.raw:.3g} at the start and "
        f"{raw.standardized:.3g} with loss.standardize=true{allowed}"
    )


def _limit_at(run: RunEnd, largest: float) -> float | None:
    """The optimizer's stability limit for a largest eigenvalue; None if it has none."""
    limit = optimizer_of(run.found.batch, torch.tensor([run.row])).max_stable_lr(largest)
    return None if limit is None else float(limit)


def unstable(run: RunEnd) -> str:
    """Compare lr with the stability limit."""
    formula = run.found.batch.optimizer.stability_formula()
    above = f"lr={run.lr:.4g} is above {formula} = {run.limit:.3g} {run.where}"
    if run.outcomes.status[run.row] == Status.DIVERGED:
        return f"unstable: {above}"
    best = f"the best loss, {run.number('best_loss'):.4g}, was at step {run.number('best_step')}"
    seen = _rises(run) if run.rises > 0 else best
    return f"unstable: {above}, so that steps overshoot; {seen}"


def noisy(run: RunEnd) -> str:
    """Name the source of the noise."""
    loss = run.found.batch.loss
    noise = float(run.found.batch.noise[run.row])
    parts = [f"noise.scale={noise:g}"] if noise else []
    if loss.minibatch is not None:
        parts.append(f"minibatches of {loss.minibatch} of {loss.examples} examples")
    source = " and ".join(parts)
    return (
        f"kept moving by noise: {source} change each gradient; {_rises(run)}; a schedule that lets "
        "lr fall, such as schedule=cosine, or a smaller lr settles it"
    )


def growing(run: RunEnd) -> str:
    """Say how far the loss rose."""
    first = float(run.outcomes.evidence.first_loss[run.row])
    final = run.number("final_loss")
    return f"growing: the loss rose from {first:.4g} to {final:.4g}; lr={run.lr:.3g} is too large"


def oscillating(run: RunEnd) -> str:
    """Say how often the loss rose, and since when it found nothing better."""
    best, step = run.number("best_loss"), int(run.number("best_step"))
    return (
        f"oscillating: {_rises(run)}, and none was below the best, {best:.4g} at step {step}; a "
        "smaller lr, or one that falls, such as schedule=cosine, settles it"
    )


def standstill(run: RunEnd) -> str:
    """Say why the loss does not change."""
    dtype = str(run.found.batch.start.dtype).removeprefix("torch.")
    norm = run.number("grad_norm")
    wanted = run.found.batch.stop.grad_tol
    loss = abs(run.number("final_loss"))
    eps = torch.finfo(run.found.batch.start.dtype).eps
    of_point = run.lr * norm <= eps * float(np.abs(run.x).max())
    is_rounding = of_point or run.lr * norm * norm <= _LOST * eps * loss
    why = (
        f"steps change it by less than {dtype} resolves"
        if is_rounding
        else "steps of this size do not lower it"
    )
    still = f"standing still: the loss has not changed in the last {steps_taken(run.span)}"
    above = f"the gradient norm {norm:.3g} stays above stop.grad_tol={wanted:g}"
    return f"{still}, since {why}; {above}"


def descending(run: RunEnd) -> str:
    """Say how fast the loss falls, and how long it will."""
    tail = run.found.evidence.tail
    earlier, final = float(tail.earlier[run.k]), run.number("final_loss")
    parts = [
        f"still falling: from {earlier:.6g} to {final:.6g} in the last {steps_taken(run.span)}"
    ]
    limit = f"{run.found.batch.optimizer.stability_formula()} = {run.limit:.3g} there"
    is_noisy = bool(run.found.evidence.is_noisy[run.k])
    if run.lr < _FAR_BELOW * run.limit and not is_noisy:
        parts.append(f"lr={run.lr:.3g} is far below {limit}: try lr={round_down(run.limit / 2):g}")
    elif run.lr > run.limit:
        parts.append(f"lr={run.lr:.3g} is above {limit}, so that steps overshoot")
    left = _steps_left(run, float(tail.ratio[run.k]))
    if left is not None and not is_noisy:
        total = float(f"{run.number('steps') + left:.2g}")
        parts.append(f"at this rate stop.grad_tol is reached with steps={total:.0f}")
    return "; ".join(parts)


def _steps_left(run: RunEnd, ratio: float) -> float | None:
    """Return the steps until the gradient is small enough; None if it hardly shrinks."""
    wanted = run.found.batch.stop.grad_tol
    if not 0 < ratio < 1 - _SLOW or wanted <= 0:
        return None
    left = math.log(wanted / run.number("grad_norm")) / math.log(ratio)
    return left if left < _LONG else None


def _rises(run: RunEnd) -> str:
    """Say how many of the last steps raised the loss."""
    return f"{run.rises:.0%} of the last {steps_taken(run.span)} raised the loss"
