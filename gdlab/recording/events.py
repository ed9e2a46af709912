"""A run as TensorBoard shows it: scalars, settings and hyperparameters."""

import time
from pathlib import Path

import numpy as np

from gdlab.fields import shown
from gdlab.history import History
from gdlab.outcome import Outcome
from gdlab.recording.tensorboard import EventWriter, thinned_steps
from gdlab.settings import Settings
from gdlab.status import Status

_MOST_COORDINATES = 4
_SECONDS = 1.0  # between writes, so that a live run is seen and thousands of them are fast
_NO_BEARING = ("record.", "engine.", "summary.")


class EventSink:
    """A sink that writes a run's event file.

    Scalars loss, grad_norm, lr, distance and suboptimality (where known) and up to four
    coordinates, at most 1,000 points of each, always the first and the last; the settings as text
    and as hyperparameters, whose metrics are the scalars' last values.

    Args:
        directory: the run's directory.
        settings: of the run.
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.writer = EventWriter(directory)
        self._steps = thinned_steps(settings.steps)
        names = settings.loss.names
        self._coordinates = names if len(names) <= _MOST_COORDINATES else ()
        self._waiting: list[History] = []
        self._last: History | None = None
        self._written_at = time.monotonic()
        flat = settings.flat()
        lines = "\n".join(f"{key}: {shown(value)}" for key, value in flat.items())
        self.writer.text("settings", f"```yaml\n{lines}\n```")
        self.writer.hparams(directory.name, _hparams(flat))

    def write(self, piece: History) -> None:
        """Write those of the records that are shown; the last one waits."""
        if len(piece) == 0:
            return
        if self._last is not None:
            piece = History.join([self._last, piece])
        shown = np.isin(piece.step[:-1], self._steps)
        self._waiting.append(piece.take(np.flatnonzero(shown)))
        self._last = piece.take(np.array([len(piece) - 1]))
        if time.monotonic() - self._written_at > _SECONDS:
            self._flush()

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Write the last record and how the session ended."""
        if self._last is not None:
            self._waiting.append(self._last)
            self._flush()
        if outcome is not None:
            self.writer.text("outcome", f"**{outcome.status}**: {outcome.reason}")
        self.writer.end_session(outcome is not None and outcome.status != Status.FAILED)
        self.writer.close()

    def _flush(self) -> None:
        """Write what waits; a run's last record leaves no learning rate behind."""
        self._written_at = time.monotonic()
        if self._waiting:
            records = History.join(self._waiting)
            self._waiting = []
            is_last = np.isnan(records.lr)
            self._scalars(records.take(np.flatnonzero(~is_last)), with_lr=True)
            self._scalars(records.take(np.flatnonzero(is_last)), with_lr=False)

    def _scalars(self, records: History, with_lr: bool) -> None:
        values = {"loss": records.loss, "grad_norm": records.grad_norm}
        optional = {"distance": records.distance, "suboptimality": records.suboptimality}
        values |= {tag: column for tag, column in optional.items() if column is not None}
        for i, name in enumerate(self._coordinates):
            values[f"x/{name}"] = records.x[:, i]
        if with_lr:
            values["lr"] = records.lr
        if len(records):
            self.writer.scalars(records.step, values)


def _hparams(flat: dict[str, object]) -> dict[str, bool | int | float | str]:
    """The settings that are set and that bear on the result."""
    chosen = {k: v for k, v in flat.items() if v is not None and not k.startswith(_NO_BEARING)}
    return {k: v if isinstance(v, (bool, int, float)) else shown(v) for k, v in chosen.items()}
