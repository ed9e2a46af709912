"""`checkpoint.pt`: the parameters of a network at the best or the last record of a run.

Shapes: n records, D parameters.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.losses.models.data_loss import VALIDATION_LOSS
from gdlab.losses.models.trained import trained_network
from gdlab.recording.digests import write_with_digest
from gdlab.recording.names import CHECKPOINT


def best_record(metrics: Mapping[str, np.ndarray], loss: np.ndarray) -> int | None:
    """Return which of n records has the lowest loss on held-out examples, or else the lowest loss.

    The first of equal ones; None if no record has a loss.

    Args:
        metrics: (n,) by name.
        loss: (n,).
    """
    values = metrics.get(VALIDATION_LOSS, loss)
    known = np.where(np.isnan(values), np.inf, values)
    return int(known.argmin()) if len(known) and known.min() < np.inf else None


def find_record(
    step: np.ndarray, metrics: Mapping[str, np.ndarray], loss: np.ndarray, which: int | str
) -> int:
    """Return the place of a record among n.

    Args:
        step: (n,).
        metrics: (n,) by name.
        loss: (n,).
        which: "best", "last" or a step.

    Raises:
        SettingError: there is none.
    """
    if which == "last":
        return len(step) - 1
    best = best_record(metrics, loss)
    if which == "best" and best is not None:
        return best
    found = np.flatnonzero(step == which) if isinstance(which, int) else []
    if len(found) == 0:
        steps = f"a step that was recorded, from {step[0]} to {step[-1]}"
        raise SettingError(f"which={format_value(which)}: must be best, last or {steps}")
    return int(found[0])


class BestRecord:
    """A sink that keeps the best record.

    Attributes:
        history: that record alone; None before there is one.
    """

    def __init__(self) -> None:
        self.history: History | None = None

    def write(self, piece: History) -> None:
        """Take in records."""
        known = piece if self.history is None else History.join([self.history, piece])
        place = best_record(known.metrics, known.loss)
        if place is not None:
            self.history = known.take(np.array([place]))


def write_checkpoint(
    directory: Path, settings: Settings, x: np.ndarray, *, durable: bool = True
) -> None:
    """Write the `state_dict` of the network with parameters x (D,), as torch.load reads it.

    It holds all that the module has: buffers and fixed parameters too.

    Args:
        directory: of the run.
        settings: of the run, whose loss is a network.
        x: the point.
        durable: whether to fsync.
    """
    loss = settings.objective.to(getattr(torch, settings.dtype), torch.device("cpu"))
    network = trained_network(loss, loss.tensor(x))
    assert network is not None  # others were refused
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    write_with_digest(directory, CHECKPOINT, content.getvalue(), durable=durable)
