"""Diagnoses as sentences: what happened, the numbers that show it, and what to try."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from gdlab.theory import motions, points
from gdlab.theory.run_end import RunEnd

if TYPE_CHECKING:
    from gdlab.theory.diagnosis import Diagnoses

_SENTENCES: Mapping[str, Callable[[RunEnd], str]] = {
    "minimum": points.minimum,
    "saddle": points.saddle,
    "maximum": points.maximum,
    "degenerate": points.degenerate,
    "kink": points.kink,
    "flat": points.flat,
    "unbounded": motions.unbounded,
    "outside domain": motions.outside,
    "raw columns": motions.raw_columns,
    "unstable": motions.unstable,
    "noisy": motions.noisy,
    "growing": motions.growing,
    "oscillating": motions.oscillating,
    "standstill": motions.standstill,
    "descending": motions.descending,
}


def sentence(found: "Diagnoses", row: int) -> str:
    """Return the diagnosis of a run as a sentence."""
    k = int(torch.searchsorted(found.evidence.rows, row))
    return _SENTENCES[str(found.word(row))](RunEnd(found, row, k))
