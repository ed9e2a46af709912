"""Runs of which only the end is wanted, compared with recorded ones."""

import numpy as np
import torch

from gdlab.engine.batch import Batch
from gdlab.engine.loop import ChunkSizes, CompiledSteps, advance
from gdlab.engine.outcome import Outcomes

SHORT = ChunkSizes(cheap=0)
"""The first chunk is short, however few rows there are, so that steps are left to skip."""


def count_records(batch: Batch, step: CompiledSteps, *, recorded: bool) -> tuple[Outcomes, int]:
    """Run a batch; return how its runs ended, and how many points were written."""
    ends, points = Outcomes(batch), 0
    for chunk in advance(batch, step=step, sizes=SHORT, recorded=recorded):
        ends.add(chunk)
        points += chunk.x.shape[0] * chunk.x.shape[1]
    return ends, points


def assert_ends_as_with_records(batch: Batch, step: CompiledSteps) -> Outcomes:
    """Assert that runs end with the same bits without records, and that some were left out."""
    one, most = count_records(batch, step, recorded=True)
    other, points = count_records(batch, step, recorded=False)
    assert points < most
    for ours, theirs in ((one, other), (one.evidence, other.evidence)):
        for name, value in vars(ours).items():
            if isinstance(value, (np.ndarray, torch.Tensor)) and not name.startswith("_"):
                np.testing.assert_array_equal(value, getattr(theirs, name), name)
    for ours, theirs in ((one.numbers, other.numbers), (one.metrics, other.metrics)):
        for name, column in ours.items():
            np.testing.assert_array_equal(column, theirs[name], name)
    return other
