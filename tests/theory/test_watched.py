"""What is said of loops that were watched, from their records alone."""

from typing import Any

import numpy as np
import pytest
import torch

from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.losses.watched import WatchedLoss
from gdlab.optimizers import SGD
from gdlab.runs.batching import batch_of
from gdlab.schedules import Constant
from gdlab.theory.watched import Watched, diagnose_watched

STEPS = np.arange(600)
NOISE = np.random.default_rng(0).normal(size=600)


def batch() -> Batch:
    """A batch as a watch makes it."""
    loss = WatchedLoss("Net", 10, 0.0)
    return batch_of(Settings(loss, SGD(), Constant(), lr=0.1, start=(0.0, 0.0), stop=Stop(0.0)))


# losses, the stability limit, and the diagnosis with a part of its sentence
SAID: list[tuple[np.ndarray, float, str, str]] = [
    (np.exp(-STEPS / 300), np.nan, "descending", "still falling: by 0.0153 to 0.135"),
    (np.exp(-STEPS / 300), 1.0, "descending", "lr=0.1 is far below 2/λ_max = 1 at step 500"),
    (np.exp(-STEPS / 300) + 0.01 * NOISE, np.nan, "descending", "in the last 264 steps"),
    (1 + 0.1 * NOISE, np.nan, "noisy", "or dropout, or by steps that are too large: in the last"),
    (1 + 0.1 * NOISE, 0.05, "unstable", "lr=0.1 is above 2/λ_max = 0.05 at step 500"),
    (np.exp(STEPS / 100), np.nan, "growing", "the loss rose from 1.179 to 341.9"),
    (np.ones(600), np.nan, "standstill", "the loss has not changed in the last 32 steps"),
    (np.ones(1), np.nan, "standstill", "standing still"),
]


@pytest.mark.parametrize(("loss", "limit", "word", "part"), SAID)
def test_what_is_said(loss: np.ndarray, limit: float, word: str, part: str) -> None:
    numbers: Any = {"final_loss": loss[-1], "best_loss": loss.min(), "best_step": loss.argmin()}
    outcome = Outcome(
        status=Status.MAX_STEPS,
        reason="",
        x=np.zeros(2),
        steps=len(loss),
        grad_norm=1.0,
        distance=None,
        suboptimality=None,
        evaluations=0,
        lr_limit=None,
        **numbers,
    )
    watched = Watched(loss, np.ones(len(loss)), 1, 0.1, limit, 500)
    found = diagnose_watched(batch(), outcome, watched)[0]
    assert found.diagnosis == word
    assert part in str(found.explanation)


def test_a_watched_loss_is_unknown_beside_its_path() -> None:
    loss = WatchedLoss("Net", 10, 0.0, (0.9, 0.05), ("accuracy",))
    assert loss(torch.zeros(3, 2)).isnan().all()
    assert loss.names[0] == "principal component 1 (90.0% of variance)"
    assert loss.why_unknown == "the loss of Net was watched: it is known along the path only"
