"""`result.json`: how a run ended, and what produced it."""

import dataclasses
import json
import math
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.recording.digests import write_with_digest
from gdlab.recording.names import RESULT
from gdlab.version import __version__


def write_result(
    directory: Path,
    outcome: Outcome,
    seed: int,
    seconds: float,
    *,
    durable: bool = True,
    present: Iterable[str] = (),
) -> None:
    """Write `result.json`: the outcome and what produced it, non-finite numbers as null.

    Args:
        directory: the run's directory.
        outcome: how the run ended.
        seed: the run's seed.
        seconds: the time that the run took.
        durable: whether to fsync.
        present: as in `write_with_digest`.
    """
    values = {field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)}
    metrics = values.pop("metrics")
    modes = {name: values.pop(name) for name in ("mode", "mode_reason")}
    values |= {**metrics, "seconds": round(seconds, 6), "seed": seed, **modes}
    values["versions"] = versions()
    encodable = {key: _to_json(value) for key, value in values.items()}
    text = json.dumps(encodable, indent=2, ensure_ascii=False, allow_nan=False)
    content = (text + "\n").encode()
    write_with_digest(directory, RESULT, content, durable=durable, present=present)


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of the software that computed a result."""
    import torch

    packages = {"gdlab": __version__, "torch": torch.__version__, "numpy": np.__version__}
    return {**{k: str(v) for k, v in packages.items()}, "python": platform.python_version()}


def _to_json(value: Any) -> Any:
    """Convert a value to what strict JSON can hold."""
    if isinstance(value, Status):
        return str(value)
    if isinstance(value, np.ndarray):
        return [_to_json(item) for item in value.tolist()]
    return None if isinstance(value, float) and not math.isfinite(value) else value
