"""The numbers behind the diagnoses of runs: from their last records, and the loss near their ends.

Shapes: R runs of a batch, n of them that are looked at, D dimensions, W = `TAIL` + 1 last records.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.fields.declared import Number, map_numbers
from gdlab.losses.base import Loss
from gdlab.numerics.partial_functions import Undefined, find_undefined
from gdlab.numerics.rowwise import as_slice
from gdlab.optimizers.base import Optimizer
from gdlab.theory.curvature import Spectrum, has_curvature, is_affordable, spectrum
from gdlab.theory.kinks import has_kink, kinks_ahead
from gdlab.theory.poles import poles_ahead
from gdlab.theory.unbounded import endless_descents

_AT_END = (Status.CONVERGED, Status.STALLED, Status.MAX_STEPS)
_CRITICAL = (Status.CONVERGED, Status.STALLED)

_MOVED = (Status.MAX_STEPS, Status.DIVERGED)

FAR_BELOW = 0.25
"""The share of the stability limit below which a learning rate could be larger."""

_ROUNDING = 4
"""Units in the last place by which a loss that stands still may change."""


@dataclass(frozen=True)
class Tail:
    """The last records of n runs, of which those count that have a loss.

    Attributes:
        span: the steps between the first and the last of them (n,); 0 where there are fewer than 2.
        earlier: the first of the losses (n,).
        rises: the share of their changes that are rises beyond rounding (n,).
        is_still: whether the loss changes by rounding only (n,).
        ratio: the factor of the gradient norm per step (n,).
        drift: how much its logarithm changes in a step, relative to it (n,).
    """

    span: Tensor
    earlier: Tensor
    rises: Tensor
    is_still: Tensor
    ratio: Tensor
    drift: Tensor

    @classmethod
    def of(cls, loss: Tensor, norm: Tensor) -> "Tail":
        """Read losses and gradient norms (W, n); NaN where there are none."""
        rounding = _ROUNDING * torch.finfo(loss.dtype).eps
        earlier, first_norm = torch.full_like(loss[:2], torch.nan)
        first = torch.zeros(loss.shape[1], dtype=torch.int64)
        before, low, high = (torch.full_like(earlier, torch.nan) for _ in range(3))
        rises, changes = torch.zeros_like(first), torch.zeros_like(first)
        have_begun = False
        for step, (value, size) in enumerate(zip(loss, norm, strict=True)):
            has = ~value.isnan()
            have_all = bool(has.all())
            rises += value - before > rounding * before.abs()  # false where either is NaN
            if have_all and have_begun:  # nearly always
                changes += 1
            else:
                begins = has & before.isnan()
                earlier = torch.where(begins, value, earlier)
                first_norm = torch.where(begins, size, first_norm)
                first = torch.where(begins, step, first)
                changes += has & ~begins
            low, high = torch.fmin(low, value), torch.fmax(high, value)
            before = value if have_all else torch.where(has, value, before)
            have_begun = have_begun or have_all
        span = torch.where(changes > 0, len(loss) - 1 - first, 0)
        return cls(
            span=span,
            earlier=earlier,
            rises=rises / changes,
            is_still=high - low <= rounding * torch.maximum(low.abs(), high.abs()),
            ratio=(norm[-1] / first_norm) ** (1 / span),
            drift=_drift(norm, first_norm, span),
        )


def _drift(norm: Tensor, first_norm: Tensor, span: Tensor) -> Tensor:
    """Compare the rates in the two halves of the last steps: (n,); NaN of fewer than 2 steps."""
    late = span // 2
    middle = norm.gather(0, (len(norm) - 1 - late)[None])[0]
    first_rate = (middle / first_norm).log() / (span - late)
    return ((norm[-1] / middle).log() / late / first_rate - 1).abs() / (span / 2)


@dataclass(frozen=True)
class Evidence:
    """What is known of n runs that ended by themselves.

    Attributes:
        rows: the row of the batch that each is (n,).
        status: how they ended (n,).
        lr: the learning rate of their last step (n,).
        tail: their last records.
        spectrum: of the Hessian at the last point, or at the best point of a run that diverged;
            None where it would cost too much.
        limit: the learning rate above which steps grow along the steepest direction there (n,).
        first_limit: the same at the start of runs that went on below a share of `limit` (n,); NaN
            of others.
        is_kink: whether a run that found its last point could not leave a kink there (n,).
        kink: the kink (n, D) that a run went around until its last step; NaN where none is known.
        endless: a unit vector (n, D) along which the loss falls without end; where it is
            maximized, along which it rises so; NaN where none is known.
        pole: the pole (n, D), downhill of a run's best point, that threw it away; NaN where none is
            known.
        undefined: the operation of the loss that the next step of a run made undefined, by k < n.
        is_noisy: whether gradients are noisy or of minibatches (n,).
        maximizes: whether the optimizer climbs; the tail is then that of the negative loss.
        limit_step: the step at which `limit` was measured; None for where runs ended.
    """

    rows: Tensor
    status: Tensor
    lr: Tensor
    tail: Tail
    spectrum: Spectrum | None
    limit: Tensor
    first_limit: Tensor
    is_kink: Tensor
    kink: Tensor
    endless: Tensor
    pole: Tensor
    undefined: dict[int, Undefined]
    is_noisy: Tensor
    maximizes: bool
    limit_step: int | None = None


def gather(batch: Batch, outcomes: Outcomes, rows: Tensor) -> Evidence:
    """Gather the evidence on some rows (n,) of a batch, each as if it were alone."""
    records, status = outcomes.evidence, torch.from_numpy(outcomes.status)[rows.cpu()]
    loss, home = loss_of(batch, rows), batch.start.device
    sign = -1 if batch.optimizer.maximizes else 1
    last = torch.from_numpy(outcomes.x).to(batch.start)[rows]
    is_at_end = _is_in(status, _AT_END).to(home)
    point = torch.where(is_at_end[:, None], last, records.best[rows])
    is_critical = _is_in(status, _CRITICAL)
    curvature, is_kink = None, torch.zeros_like(is_critical)
    if is_affordable(loss, batch.steps):
        curvature = _spectra(loss, point, is_critical)
    if is_critical.any():
        is_kink = is_critical & has_kink(loss, last).cpu()
    columns = as_slice(rows)
    tail = Tail.of(sign * records.loss[:, columns].cpu(), records.norm[:, columns].cpu())
    is_restless = (tail.rises > 0) | tail.is_still
    is_asked = is_restless & (status == Status.MAX_STEPS) & (curvature is not None)
    rate, limit = records.rate[rows].cpu(), _limits(batch, rows, curvature)
    may_be_larger = (status == Status.MAX_STEPS) & (rate.double() < FAR_BELOW * limit)
    return Evidence(
        rows=rows.cpu(),
        status=status,
        lr=rate,
        tail=tail,
        spectrum=curvature,
        limit=limit,
        first_limit=_first_limits(batch, rows, may_be_larger),
        is_kink=is_kink,
        kink=_kinks(batch, rows, last, is_asked),
        endless=_endless(batch, rows, last, curvature, _is_in(status, _MOVED)),
        pole=_poles(batch, rows, outcomes, _is_in(status, _MOVED), tail),
        undefined=_undefined(loss, records.beyond[rows]),
        is_noisy=(batch.noise[rows] != 0).cpu() | (loss.minibatch is not None),
        maximizes=batch.optimizer.maximizes,
    )


def loss_of(batch: Batch, rows: Tensor) -> Loss:
    """Return the loss of some rows (n,): each of its numbers is a column (n,)."""
    return batch.loss.with_columns(lambda value: _take(batch, value, rows))


def optimizer_of(batch: Batch, rows: Tensor) -> Optimizer:
    """Return the optimizer of some rows (n,): each of its numbers is a column (n,) on the CPU."""
    return map_numbers(batch.optimizer, lambda value: _take(batch, value, rows).cpu())


def _take(batch: Batch, value: Number, rows: Tensor) -> Tensor:
    column = torch.as_tensor(value, dtype=batch.start.dtype, device=batch.start.device)
    return column.expand(len(batch.lr))[rows]


def _is_in(status: Tensor, statuses: tuple[Status, ...]) -> Tensor:
    return torch.isin(status, torch.tensor(statuses))


def _spectra(loss: Loss, x: Tensor, is_critical: Tensor) -> Spectrum | None:
    """Compute the spectra at points (n, D); what critical points need only where runs ended so.

    None if the loss cannot be differentiated twice.
    """
    if not has_curvature(loss.with_columns(lambda column: column[:1]), x[:1]):
        return None
    parts, indices = [], []
    for critical in (False, True):
        index = torch.nonzero(is_critical == critical)[:, 0]
        if len(index):
            part = loss.with_columns(lambda column, index=index: column[index])
            parts.append(vars(spectrum(part, x[index], critical)).values())
            indices.append(index)
    order = torch.cat(indices).argsort()
    return Spectrum(*(torch.cat(values)[order].cpu() for values in zip(*parts, strict=True)))


def _limits(batch: Batch, rows: Tensor, curvature: Spectrum | None) -> Tensor:
    """The stability limits (n,) of the optimizers; NaN where unknown or nothing curves up."""
    unknown = torch.full((len(rows),), torch.nan, dtype=torch.float64)
    if curvature is None:
        return unknown
    optimizer = optimizer_of(batch, rows)
    largest = torch.where(curvature.largest > 0, curvature.largest, torch.nan)
    limit = optimizer.max_stable_lr(largest)
    return unknown if limit is None else torch.as_tensor(limit).double()


def _first_limits(batch: Batch, rows: Tensor, is_asked: Tensor) -> Tensor:
    """The stability limits (n,) at the starts of those runs that are asked for (n,), else NaN."""
    found = torch.full((len(rows),), torch.nan, dtype=torch.float64)
    if is_asked.any():
        some = rows[is_asked.to(rows.device)]
        start = batch.start[some]
        found[is_asked] = _limits(
            batch, some, _spectra(loss_of(batch, some), start, torch.zeros(len(some)).bool())
        )
    return found


def _kinks(batch: Batch, rows: Tensor, last: Tensor, is_asked: Tensor) -> Tensor:
    """Kinks (n, D) just ahead of those runs that are asked for (n,), else NaN."""
    found = torch.full_like(last, torch.nan)
    # Of a loss that is maximized nothing lies downhill.
    if is_asked.any() and not batch.optimizer.maximizes:
        there = is_asked.to(last.device)
        found[there] = kinks_ahead(loss_of(batch, rows[there]), last[there])
    return found.cpu()


def _endless(
    batch: Batch, rows: Tensor, last: Tensor, curvature: Spectrum | None, has_moved: Tensor
) -> Tensor:
    """Directions (n, D) without end of those runs that went on (n,), else NaN."""
    found = torch.full_like(last, torch.nan)
    if has_moved.any():
        there = has_moved.to(last.device)
        sign = -1 if batch.optimizer.maximizes else 1
        downward = None if curvature is None else curvature.downward[has_moved]
        loss, start = loss_of(batch, rows[there]), batch.start[rows[there]]
        found[there] = endless_descents(loss, start, last[there], downward, sign)
    return found.cpu()


def _poles(batch: Batch, rows: Tensor, outcomes: Outcomes, has_moved: Tensor, tail: Tail) -> Tensor:
    """Poles (n, D) ahead of the best points of those runs that went on long past them, else NaN."""
    best = outcomes.evidence.best[rows]
    found = torch.full_like(best, torch.nan)
    best_step, steps = (
        torch.from_numpy(outcomes.numbers[name])[rows.cpu()] for name in ("best_step", "steps")
    )
    is_asked = has_moved & (best_step < steps - tail.span) & (batch.loss.examples is None)
    if is_asked.any():
        there = is_asked.to(best.device)
        sign = -1 if batch.optimizer.maximizes else 1
        asked = rows[there]
        found[there] = poles_ahead(lambda some: loss_of(batch, asked[some]), best[there], sign)
    return found.cpu()


def _undefined(loss: Loss, beyond: Tensor) -> dict[int, Undefined]:
    """Find the operations that are undefined at points (n, D), which may be NaN; by row."""
    index = torch.nonzero(beyond.isfinite().all(1))[:, 0]
    if not len(index):
        return {}
    part = loss.with_columns(lambda column: column[index])
    found = zip(index.tolist(), find_undefined(part, beyond[index]), strict=True)
    return {k: undefined for k, undefined in found if undefined is not None}
