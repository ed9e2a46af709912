"""What happened in a run: why it ended as it did, from its records and the loss where it ended.

What is said of a run depends on its own records and its loss only, so that it is the same alone and
in a sweep.

Shapes: R runs of a batch, n of them that are looked at, D dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.outcome import Outcomes
from gdlab.engine.status import Status
from gdlab.engine.words import Words
from gdlab.numerics.rowwise import norm
from gdlab.numerics.threads import one_thread
from gdlab.theory.curvature import UNKNOWN, Spectrum
from gdlab.theory.evidence import Evidence, gather
from gdlab.theory.raw_columns import RawColumns, compare_columns
from gdlab.theory.sentences import sentence

_ENDED = (Status.CONVERGED, Status.STALLED, Status.MAX_STEPS, Status.DIVERGED)
"""The statuses of runs that there is more to say about."""

_MANY_RISES = 0.1
"""The share of the last steps that may raise the loss in a run that descends."""

_ARRIVED = 1e-6
"""The length of Newton's step, relative to the point, from which a stalled run has arrived."""

_LEVEL = 1e-2
"""The share of the first gradient norm below which a stalled run may have arrived."""


class Diagnosis(StrEnum):
    """What happened in a run: what kind of point it ended at, or how it went on."""

    __module__ = "gdlab"

    MINIMUM = "minimum"
    SADDLE = "saddle"
    MAXIMUM = "maximum"
    DEGENERATE = "degenerate"
    KINK = "kink"
    FLAT = "flat"
    UNBOUNDED = "unbounded"
    OUTSIDE = "outside domain"
    RAW = "raw columns"
    UNSTABLE = "unstable"
    NOISY = "noisy"
    GROWING = "growing"
    OSCILLATING = "oscillating"
    STANDSTILL = "standstill"
    DESCENDING = "descending"


_KINDS = (None, *map(str, Diagnosis))
"""No diagnosis, and all kinds of them."""

_BY_RAW_COLUMNS = (
    Diagnosis.UNSTABLE,
    Diagnosis.GROWING,
    Diagnosis.OSCILLATING,
    Diagnosis.DESCENDING,
    Diagnosis.STANDSTILL,
)
"""What columns on different scales may cause."""


@dataclass(frozen=True)
class Diagnoses:
    """What happened in the runs of a batch.

    Attributes:
        batch: the runs.
        outcomes: how they ended.
        evidence: on those that ended by themselves.
        found: the diagnoses (R,) by their places in `_KINDS`.
        raw: what standardizing the columns of a data set would change, if that is the matter.
    """

    batch: Batch
    outcomes: Outcomes
    evidence: Evidence
    found: np.ndarray
    raw: RawColumns | None

    def word(self, row: int) -> str | None:
        """Return the diagnosis of a run; None where there is none."""
        return _KINDS[self.found[row]]

    def all_words(self) -> Words:
        """Return the diagnoses of all runs."""
        return Words(_KINDS, self.found)

    def sentence(self, row: int) -> str | None:
        """Return it as a sentence, with its numbers."""
        return sentence(self, row) if self.found[row] else None


def diagnose(batch: Batch, outcomes: Outcomes, only: Sequence[int] | None = None) -> None:
    """Say in the outcomes what happened in each run of a batch that ended by itself.

    Args:
        batch: the runs.
        outcomes: how they ended.
        only: the rows of the runs to look at, in order; None for all.
    """
    status = torch.from_numpy(outcomes.status)
    rows = torch.arange(len(status)) if only is None else torch.tensor(only)
    rows = rows[torch.isin(status[rows], torch.tensor(_ENDED))]
    records = outcomes.evidence
    has_begun = records.first_loss.isfinite() | records.beyond.isfinite().all(1)
    rows = rows[has_begun.cpu()[rows]]
    if not len(rows):
        return
    with one_thread():
        conclude(batch, outcomes, gather(batch, outcomes, rows.to(batch.start.device)))


def conclude(batch: Batch, outcomes: Outcomes, evidence: Evidence) -> None:
    """Say in the outcomes what happened in the runs of a batch that there is evidence on."""
    rows = evidence.rows.numpy()
    outcomes.numbers["lr_limit"][rows] = evidence.limit.numpy()
    found = np.zeros_like(outcomes.status)
    found[rows] = _decide(outcomes, evidence)
    is_suspect = np.isin(found, [_KINDS.index(kind) for kind in _BY_RAW_COLUMNS])
    raw = compare_columns(batch) if is_suspect.any() else None
    if raw is not None:
        found[is_suspect] = _KINDS.index(Diagnosis.RAW)
    outcomes.diagnoses = Diagnoses(batch, outcomes, evidence, found, raw)


def _decide(outcomes: Outcomes, evidence: Evidence) -> np.ndarray:
    """Return the diagnoses (n,) of the runs with evidence, by their places in `_KINDS`."""
    rows, tail = evidence.rows, evidence.tail
    final, best_step, steps = (
        torch.from_numpy(outcomes.numbers[name])[rows]
        for name in ("final_loss", "best_step", "steps")
    )
    first = outcomes.evidence.first_loss.cpu()[rows]
    maximizes = evidence.maximizes
    final, first = (-final, -first) if maximizes else (final, first)
    has_ended_at = {status: evidence.status == status for status in _ENDED}
    is_steep = evidence.lr.double() > evidence.limit
    has_grown = final > first
    often_rises = tail.rises >= _MANY_RISES
    is_past_best = best_step <= steps - (torch.inf if maximizes else tail.span)
    is_stuck = often_rises | has_grown | is_past_best
    has_diverged, went_on = has_ended_at[Status.DIVERGED], has_ended_at[Status.MAX_STEPS]
    is_undefined = torch.zeros_like(went_on)
    is_undefined[list(evidence.undefined)] = True
    moved = has_diverged | went_on
    is_critical = has_ended_at[Status.CONVERGED] | (
        has_ended_at[Status.STALLED] & _has_arrived(outcomes, evidence)
    )
    cases = [
        (evidence.is_kink, Diagnosis.KINK),
        *((is_critical & found, kind) for found, kind in _kinds_of_points(evidence.spectrum)),
        (moved & is_undefined, Diagnosis.OUTSIDE),
        (moved & evidence.endless.isfinite().all(1), Diagnosis.UNBOUNDED),
        (moved & evidence.pole.isfinite().all(1), Diagnosis.UNBOUNDED),
        (went_on & evidence.kink.isfinite().all(1) & ~evidence.is_noisy, Diagnosis.OSCILLATING),
        (went_on & tail.is_still, Diagnosis.STANDSTILL),
        ((has_diverged | (went_on & is_stuck)) & is_steep, Diagnosis.UNSTABLE),
        (went_on & often_rises & evidence.is_noisy, Diagnosis.NOISY),
        (moved & has_grown, Diagnosis.GROWING),
        (went_on & often_rises & is_past_best, Diagnosis.OSCILLATING),
        (went_on & (final < tail.earlier), Diagnosis.DESCENDING),
        (went_on & is_stuck, Diagnosis.OSCILLATING),
    ]
    conditions, kinds = zip(*cases, strict=True)
    return np.select([c.numpy() for c in conditions], [_KINDS.index(kind) for kind in kinds], 0)


def _has_arrived(outcomes: Outcomes, evidence: Evidence) -> Tensor:
    """Whether Newton's step from the last point is lost in its rounding, or nearly: (n,)."""
    if evidence.spectrum is None:
        return torch.zeros(len(evidence.rows), dtype=torch.bool)
    size = norm(torch.from_numpy(outcomes.x)[evidence.rows])[:, 0]
    slope = torch.from_numpy(outcomes.numbers["grad_norm"])[evidence.rows]
    first = outcomes.evidence.first_norm.cpu()[evidence.rows]
    # Where the Hessian is 0, as that of |x| is, Newton's step is too.
    is_level = slope <= _LEVEL * first
    return is_level & (evidence.spectrum.remaining <= _ARRIVED * (1 + size))


def _kinds_of_points(spectrum: Spectrum | None) -> list[tuple[Tensor, Diagnosis]]:
    """Return conditions (n,) on the Hessian at critical points, in order, and their kinds."""
    if spectrum is None:
        return []
    is_known = spectrum.least.isfinite() & spectrum.largest.isfinite()
    has_negative, has_positive = (
        (count != 0) & (count != UNKNOWN) for count in (spectrum.negative, spectrum.positive)
    )
    return [
        (is_known & (spectrum.least == 0) & (spectrum.largest == 0), Diagnosis.FLAT),
        (is_known & has_negative & has_positive, Diagnosis.SADDLE),
        (is_known & has_negative & (spectrum.doubtful == 0), Diagnosis.MAXIMUM),
        (is_known & spectrum.jumps, Diagnosis.KINK),
        (is_known & (spectrum.doubtful > 0), Diagnosis.DEGENERATE),
        (is_known & (spectrum.negative == 0), Diagnosis.MINIMUM),
    ]
