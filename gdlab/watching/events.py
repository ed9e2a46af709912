"""The event file of a watched loop, for TensorBoard while it runs.

Shapes: n rows.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gdlab.engine.metrics import SHARPNESS
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.fields.formatting import format_value
from gdlab.recording.curves import GRAD_NORM, LOG_LOSS, LOSS, LR
from gdlab.recording.event_file import EventWriter
from gdlab.recording.run_text import as_block, summarize, trial_name
from gdlab.recording.thinning import thinned_steps
from gdlab.watching.limits import STABILITY_LIMIT, TWO_OVER_LR

_STEPS = thinned_steps(10**9)
_LIMITS = (SHARPNESS, TWO_OVER_LR, STABILITY_LIMIT)
_TAGS = {"loss": LOSS, "grad_norm": GRAD_NORM, "lr": LR}


class WatchEvents:
    """Writes the numbers of a watched loop as scalars, and at its end how it went.

    Of a loop of 10,000 steps some 400 are shown, the early ones densely, and all those with a
    sharpness.

    Args:
        directory: of the run.
        config: what is trained, for the HParams table.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any]) -> None:
        self.writer = EventWriter(directory)
        self._began, self._name = time.time(), trial_name(directory)
        flat = {"model": config["loss"]["model"], "lr": config["lr"]}
        flat |= {f"optimizer.{name}": value for name, value in config["optimizer"].items()}
        flat["optimizer"] = flat.pop("optimizer._target_").rpartition(".")[2]
        self._texts = {name: format_value(value) for name, value in flat.items()}
        self._cells: dict[str, Any] = {**self._texts, "lr": config["lr"]}
        self.writer.text("settings", as_block(self._texts, "yaml"))
        tags = [_tag(name) for name in _LIMITS]
        self.writer.charts({"sharpness and the limits of stability": tags})

    def write(self, columns: Mapping[str, np.ndarray]) -> None:
        """Write the next rows: steps and columns (n,) by name."""
        step = columns["step"]
        shown = np.isin(step, _STEPS)
        if SHARPNESS in columns:
            shown |= np.isfinite(columns[SHARPNESS])
        together: dict[bytes, dict[str, np.ndarray]] = {}
        for name in columns.keys() - {"step"}:
            known = shown & ~np.isnan(columns[name])
            together.setdefault(known.tobytes(), {})[_tag(name)] = columns[name]
        for mask, tags in together.items():
            known = np.frombuffer(mask, dtype=bool)
            self.writer.scalars(step[known], {tag: tags[tag][known] for tag in sorted(tags)})
        positive = shown & (columns["loss"] > 0)
        logarithm = np.log10(columns["loss"][positive])
        self.writer.scalars(step[positive], {LOG_LOSS: logarithm})

    def close(self, outcome: Outcome) -> None:
        """Write how the loop ended."""
        self.writer.text("outcome", summarize(outcome))
        self._cells |= {"Status": str(outcome.status), "Steps": outcome.steps}
        self._cells |= {"Diagnosis": outcome.diagnosis} if outcome.diagnosis else {}
        self.writer.hparams(self._name, self._cells, began=self._began)
        self.writer.end_session(outcome.status != Status.FAILED)
        self.writer.close()


def _tag(column: str) -> str:
    if column.startswith("lr_"):
        return f"step/{column}"
    return _TAGS.get(column, f"loss/{column}")
