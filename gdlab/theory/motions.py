"""Sentences about how a run went on until it ended.

Shapes: D dimensions.
"""

import math

import numpy as np
import torch

from gdlab.engine.status import Status
from gdlab.schedules import Constant
from gdlab.theory.evidence import FAR_BELOW, optimizer_of
from gdlab.theory.forecast import steps_needed
from gdlab.theory.run_end import INVISIBLE, RunEnd, edge_of, named, steps_taken

_AT_LIMIT = 1e-6
"""How near to the stability limit, relative to it, steps only change sides."""

_SMALL = 1e-3
"""The share of the first gradient norm below which the gradient is said to vanish."""

_LOST = 16
"""Units in the last place of the loss that a step may change without an effect."""


def unbounded(run: RunEnd) -> str:
    """Say along which direction or towards what the loss falls without end, and what held it up."""
    direction = run.found.evidence.endless[run.k].double().numpy()
    if np.isnan(direction).any():
        pole = named(run, run.found.evidence.pole[run.k].double().numpy())
        moves, kind = ("rises", "maximum") if run.maximizes else ("falls", "minimum")
        side = "above" if run.maximizes else "below"
        return (
            f"unbounded {side}: the loss {moves} without end towards a pole at {pole}, beside "
            f"which steps lead far away; no learning rate finds a {kind}"
        )
    way = named(run, direction)
    if run.maximizes:
        rises = f"the loss rises without end along {way}"
        return f"unbounded above: {rises}; no learning rate finds a maximum"
    spectrum = run.found.evidence.spectrum
    least = math.nan if spectrum is None else float(spectrum.least[run.k])
    curve = f", where the Hessian has the eigenvalue {least:.3g}" if least < 0 else ""
    return (
        f"unbounded below: the loss falls without end along {way}{curve}; no learning rate finds "
        f"a minimum{_held_up(run)}"
    )


def _held_up(run: RunEnd) -> str:
    """Say that a run slows down where the gradient vanishes without a minimum; else nothing."""
    norm = run.number("grad_norm")
    first = float(run.outcomes.evidence.first_norm[run.row])
    if run.outcomes.status[run.row] != Status.MAX_STEPS or norm > _SMALL * first:
        return ""
    where = named(run, run.x)
    return f"; the run slows down near {where}, where the gradient vanishes though it is no minimum"


def outside(run: RunEnd) -> str:
    """Say which step left the domain of which function."""
    undefined = run.found.evidence.undefined[run.k]
    next_x = run.outcomes.evidence.beyond[run.row].double().cpu().numpy()
    where = undefined.words(run.found.batch.loss.names, next_x.tolist())
    if not bool(run.outcomes.evidence.first_loss[run.row].isfinite()):
        return f"outside the domain: the start has {where}; start elsewhere"
    step = int(run.number("steps")) + 1
    left = f"outside the domain: step {step} leads to {where}"
    edge = edge_of(run)
    if not edge.is_lower:
        return f"{left}; the loss rises towards this edge, so that shorter steps stay inside"
    point = named(run, _rounded(run, edge.point))
    falls = f"the loss falls towards the edge of the domain at {point}"
    return f"{left}; {falls}, so that no lr helps"


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
    above = f"lr={run.lr:g} is above {formula} = {run.limit:.3g} {run.where}"
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
        parts.append(f"a minibatch of {loss.minibatch} of {loss.examples} examples")
    if not parts:  # of a loop that was watched, which need not tell
        return (
            "kept moving by noise, as of minibatches or dropout, or by steps that are too large: "
            f"in the last {steps_taken(run.span)} the mean loss has not fallen steadily"
        )
    source = "each gradient has " + " and ".join(parts)
    return f"kept moving by noise: {source}; {_rises(run)}"


def growing(run: RunEnd) -> str:
    """Say how far the loss rose."""
    first = float(run.outcomes.evidence.first_loss[run.row])
    final = run.number("final_loss")
    word = "falling: the loss fell" if run.maximizes else "growing: the loss rose"
    return f"{word} from {first:.4g} to {final:.4g}; lr={run.lr:g} is too large"


def oscillating(run: RunEnd) -> str:
    """Say how often the loss rose, and when it was lowest."""
    best, step = run.number("best_loss"), int(run.number("best_step"))
    lowest = "" if run.maximizes else f"; the best, {best:.4g}, was at step {step}"
    kink = run.found.evidence.kink[run.k].double().numpy()
    if not np.isfinite(kink).all():
        return f"oscillating: {_rises(run)}{lowest}"
    point = named(run, _rounded(run, kink))
    wanted = run.found.batch.stop.grad_tol
    return (
        f"oscillating around a kink near {point}, where the gradient does not go to 0, so that its "
        f"norm cannot fall to stop.grad_tol={wanted:g}{lowest}"
    )


def _rounded(run: RunEnd, point: np.ndarray) -> np.ndarray:
    """Return a point (D,) with 0 in place of coordinates that are small for the run."""
    scale = INVISIBLE * max(1.0, float(np.abs(run.x).max()))
    return np.where(np.abs(point) < scale, 0.0, point)


def standstill(run: RunEnd) -> str:
    """Say why the loss does not change."""
    dtype = str(run.found.batch.start.dtype).removeprefix("torch.")
    norm = run.number("grad_norm")
    wanted = run.found.batch.stop.grad_tol
    loss = abs(run.number("final_loss"))
    eps = torch.finfo(run.found.batch.start.dtype).eps
    of_point = run.lr * norm <= eps * float(np.abs(run.x).max())
    is_rounding = of_point or run.lr * norm * norm <= _LOST * eps * loss
    formula = run.found.batch.optimizer.stability_formula()
    if run.lr == 0:
        why = "lr is 0"
    elif is_rounding:
        why = f"steps change it by less than {dtype} resolves"
    elif run.decay:
        why = f"weight_decay={run.decay:g} balances its gradient"
    elif abs(run.lr - run.limit) <= _AT_LIMIT * run.limit:
        why = f"lr={run.lr:g} is {formula}, where steps only change sides"
    else:
        why = "steps of this size do not lower it"
    still = f"standing still: the loss has not changed in the last {steps_taken(run.span)}"
    if norm == 0:  # of a loop that was watched, which nothing stops there
        return f"{still}, since the gradient is 0"
    above = f" stays above stop.grad_tol={wanted:g}" if wanted else " does not vanish"
    return f"{still}, since {why}; the gradient norm {norm:.3g}{above}"


def descending(run: RunEnd) -> str:
    """Say how fast the loss falls, and how long it will."""
    tail = run.found.evidence.tail
    earlier, final = float(tail.earlier[run.k]), run.number("final_loss")
    earlier, falling = (-earlier, "rising") if run.maximizes else (earlier, "falling")
    change = f"by {abs(earlier - final):.3g} to {final:.6g}"
    parts = [f"still {falling}: {change} in the last {steps_taken(run.span)}"]
    where = "there" if run.found.evidence.limit_step is None else run.where
    limit = f"{run.found.batch.optimizer.stability_formula()} = {run.limit:.3g} {where}"
    is_noisy = bool(run.found.evidence.is_noisy[run.k])
    is_constant = isinstance(run.found.batch.schedule, Constant)
    if run.lr < FAR_BELOW * run.limit and is_constant and not is_noisy:
        first = float(run.found.evidence.first_limit[run.k])
        is_less = run.lr >= FAR_BELOW * first
        then = f", which was {first:.3g} at the start" if is_less else ""
        parts.append(f"lr={run.lr:g} is far below {limit}{then}")
    elif run.lr > run.limit:
        parts.append(f"lr={run.lr:g} is above {limit}, so that steps overshoot")
    if run.decay:
        parts.append(f"weight_decay={run.decay:g} keeps the gradient from 0")
        return "; ".join(parts)
    needed = None if is_noisy else steps_needed(run)
    if needed is not None:
        parts.append(needed)
    return "; ".join(parts)


def _rises(run: RunEnd) -> str:
    """Say how many of the last steps raised the loss."""
    raised = "lowered" if run.maximizes else "raised"
    return f"{run.rises:.0%} of the last {steps_taken(run.span)} {raised} the loss"
