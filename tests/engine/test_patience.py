"""Early stopping, against a loop over the recorded validation losses.

Shapes: R runs.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.batches import finish, make_batch, rows_of

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.loop import ChunkSizes
from gdlab.losses import MLP
from gdlab.optimizers import LBFGS, Adam

NOISY = MLP(widths=(4,), count=60, noise=0.6, validation=0.3)
RATES = [0.1, 0.3, 0.5]
SHORT = ChunkSizes(first=3, longest=5)


def noisy(every: int = 1, **settings: Any) -> Batch:
    """Runs whose validation losses rise soon, computed at each of `every` steps."""
    loss = NOISY.replace(batch_size=settings.pop("batch_size", None))
    batch = make_batch(loss, settings.pop("optimizer", Adam()), RATES, steps=25, **settings)
    return dataclasses.replace(batch, full_every=every)


def end_by_hand(values: np.ndarray, patience: int) -> int | None:
    """The value with which patience runs out."""
    best, waited = np.inf, 0
    for number, value in enumerate(values):
        best, waited = (value, 0) if value < best else (best, waited + 1)
        if waited == patience:
            return number
    return None


@pytest.mark.parametrize(
    ("every", "settings"),
    [(1, {}), (4, {}), (3, {"batch_size": 20}), (1, {"optimizer": LBFGS()})],
    ids=["each step", "each fourth", "minibatches", "line search"],
)
def test_patience_ends_a_run_after_values_without_improvement(every: int, settings: Any) -> None:
    free = finish(noisy(every, **settings))
    ended = 0
    for patience, sizes in ((2, ChunkSizes()), (4, SHORT)):
        batch = noisy(every, stop=Stop(patience=patience), **settings)
        for run, whole in zip(finish(batch, sizes=sizes), free, strict=True):
            values = whole.history.metrics["validation_loss"]
            number = end_by_hand(values[::every], patience)
            end, outcome = run.outcome.steps, run.outcome
            assert end == (whole.outcome.steps if number is None else number * every)
            assert (outcome.status.name == "EARLY_STOPPED") == (number is not None)
            np.testing.assert_allclose(outcome.x, whole.history.x[end], rtol=1e-9)
            if number is not None:
                lowest, ended = int(np.nanargmin(values[: end + 1])), ended + 1
                assert f"the validation loss was lowest at step {lowest};" in outcome.reason
    assert ended >= 3


def test_evaluations_end_with_the_run() -> None:
    """Of a line search, which went on to the end of the chunk."""
    (early, *_) = finish(rows_of(noisy(optimizer=LBFGS(), stop=Stop(patience=2)), [2]))
    limited = dataclasses.replace(noisy(optimizer=LBFGS()), steps=early.outcome.steps)
    (run, *_) = finish(rows_of(limited, [2]))
    assert early.outcome.evaluations == run.outcome.evaluations
    assert early.outcome.metrics == run.outcome.metrics


def test_compiled_and_alone_it_ends_at_the_same_step() -> None:
    batch = noisy(stop=Stop(patience=3))
    together = [run.outcome.steps for run in finish(batch)]
    assert [run.outcome.steps for run in finish(dataclasses.replace(batch, mode="compiled"))] == (
        together
    )
    alone = [finish(rows_of(batch, [row]))[0].outcome.steps for row in range(len(RATES))]
    assert alone == together
