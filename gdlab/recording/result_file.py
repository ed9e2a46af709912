"""`result.json`: how a run ended, and what produced it."""

import json
import math
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gdlab.engine.outcome import Outcome
from gdlab.recording.files import write_atomically
from gdlab.version import __version__


def write_result(
    directory: Path, outcome: Outcome, seed: int, seconds: float, *, durable: bool = True
) -> None:
    """Write `result.json`: the outcome and what produced it; what is not finite becomes null."""
    values = {**vars(outcome), "status": str(outcome.status), "x": outcome.x.tolist()}
    values |= values.pop("metrics")
    modes = {name: values.pop(name) for name in ("mode", "mode_reason")}
    values |= {"seconds": round(seconds, 6), "seed": seed, **modes, "versions": versions()}
    plain = {key: _plain(value) for key, value in values.items()}
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(directory / "result.json", (text + "\n").encode(), durable=durable)


@cache
def versions() -> Mapping[str, str]:
    """The versions of what computed a result."""
    import numpy
    import torch

    found = {"gdlab": __version__, "torch": torch.__version__, "numpy": numpy.__version__}
    return {**{k: str(v) for k, v in found.items()}, "python": platform.python_version()}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [_plain(item) for item in value] if isinstance(value, list) else value
