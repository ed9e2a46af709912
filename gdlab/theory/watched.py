"""What happened in a training loop that was watched, from its records alone.

Shapes: n records, W last ones that are looked at.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.evidence import TAIL
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.numerics.threads import one_thread
from gdlab.theory.diagnosis import conclude
from gdlab.theory.evidence import Evidence, Tail

_RESTLESS = 0.1
"""The share of the last steps that may raise the loss of a loop without noise."""

_BLOCKS = 9
"""Parts of the last half of a noisy loop; their mean losses show where it goes."""


_BEYOND = 3
"""Standard deviations of the noise from which a mean loss that is higher has grown."""


@dataclass(frozen=True)
class Watched:
    """The records of a loop.

    Attributes:
        loss: losses (n,), finite ones in the order of their steps.
        grad_norm: the gradient norms there (n,).
        every: the number of steps from one record to the next.
        lr: the largest learning rate of the last step.
        limit: the learning rate above which steps grow, as last measured; NaN where unknown.
        limit_step: the step at which it was.
    """

    loss: np.ndarray
    grad_norm: np.ndarray
    every: int
    lr: float
    limit: float
    limit_step: int


def diagnose_watched(batch: Batch, outcome: Outcome, watched: Watched) -> Outcomes:
    """Say what happened in a loop that ended, or diverged.

    The losses of a loop with minibatches or dropout go up and down: then the means of nine parts of
    its last half are looked at, in place of its last steps.

    Args:
        batch: a batch of one run, which is not run: its optimizer and its point.
        outcome: how the loop ended.
        watched: its records, at least one.
    """
    loss, norm, every = watched.loss, watched.grad_norm, watched.every
    is_noisy, first = False, float(loss[0])
    if _is_restless(loss[-TAIL - 1 :]):
        size = max(1, len(loss) // (2 * _BLOCKS))
        first, noise = float(loss[:size].mean()), _noise(loss)
        loss, norm = (_means(column, size)[-_BLOCKS:] for column in (loss, norm))
        every *= size
        is_noisy = loss[-1] - first <= _BEYOND * noise
    fields = vars(outcome) | {"final_loss": float(loss[-1]), **outcome.metrics}
    found = Outcomes(batch)
    found.fill([fields])
    tail = Tail.of(_window(loss), _window(norm))
    records = found.evidence
    records.first_loss[0], records.first_norm[0] = first, float(watched.grad_norm[0])
    unknown = torch.full_like(batch.start.cpu(), torch.nan)
    evidence = Evidence(
        rows=torch.tensor([0]),
        status=torch.tensor([int(outcome.status)]),
        lr=torch.tensor([watched.lr], dtype=torch.float64),
        tail=Tail(**{**vars(tail), "span": tail.span * every}),
        spectrum=None,
        limit=torch.tensor([watched.limit], dtype=torch.float64),
        first_limit=torch.tensor([torch.nan], dtype=torch.float64),
        is_kink=torch.tensor([False]),
        kink=unknown,
        endless=unknown,
        pole=unknown,
        undefined={},
        is_noisy=torch.tensor([is_noisy]),
        maximizes=batch.optimizer.maximizes,
        limit_step=watched.limit_step,
    )
    with one_thread():
        conclude(batch, found, evidence)
    return found


def _noise(loss: np.ndarray) -> float:
    """Return the standard deviation of the noise in losses (n,), that of their last differences."""
    changes = np.diff(loss[-TAIL - 1 :])
    size = float(np.abs(changes).max()) or 1.0  # whose square may overflow
    return float(np.std(changes / size)) * size / 2**0.5


def _window(values: np.ndarray) -> Tensor:
    """Return the last values (W, 1), the last one last; NaN where there are fewer."""
    window = torch.full((TAIL + 1, 1), torch.nan, dtype=torch.float64)
    last = torch.from_numpy(values[-TAIL - 1 :].astype(np.float64))
    window[len(window) - len(last) :, 0] = last
    return window


def _is_restless(loss: np.ndarray) -> bool:
    """Tell whether many of the last steps raise the loss."""
    changes = np.diff(loss)
    return len(changes) > 0 and float((changes > 0).mean()) >= _RESTLESS


def _means(values: np.ndarray, size: int) -> np.ndarray:
    """Return the means of parts of so many values, the last part being whole."""
    whole = values[len(values) % size :]
    return whole.reshape(-1, size).mean(1)
