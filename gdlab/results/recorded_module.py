"""The network of a recorded run, as a module of torch.

Shapes: D parameters.
"""

import copy
import io
import json
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gdlab.config.settings import make_section
from gdlab.errors import RecordError, SettingError, first_line
from gdlab.fields.custom_classes import instantiate
from gdlab.fields.formatting import describe_type
from gdlab.losses import MLP, Sphere
from gdlab.losses.models.mlp import sequential
from gdlab.losses.models.module import set_parameters
from gdlab.losses.transform import Transformed
from gdlab.recording.checkpoint import find_record
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.history_file import LAYOUT
from gdlab.recording.names import CHECKPOINT, HISTORY, SNAPSHOTS
from gdlab.recording.parquet import read_parquet

if TYPE_CHECKING:
    from gdlab.results.load import Recorded

_OWN = "gdlab.losses."


def module_of(
    run: "Recorded", which: int | str, model: nn.Module | type[nn.Module] | None, *, trust: bool
) -> nn.Module:
    """Return the network of a recorded run; see `Recorded.module`."""
    if run.directory is None or not run.is_run:
        way = "load the folder of one, as gdlab.load('runs/sweep/lr=0.1')"
        raise SettingError(f"module: a sweep has one for each run; {way}")
    layout = _layout(run.directory)
    if layout is None:
        raise SettingError(f"module: the loss of {run.directory} is no network")
    dtype = getattr(torch, str(run.config.get("dtype", "float64")))
    x = _inward(torch.tensor(_point(run, which)), run.config.get("transform")).to(dtype)
    parts = x.split([math.prod(shape) for shape in layout.values()])
    pairs = zip(layout.items(), parts, strict=True)
    blocks = {name: part.reshape(shape) for (name, shape), part in pairs}
    node = run.config.get("loss")
    loss = node if isinstance(node, dict) else {}
    if model is None and _is_mlp(loss):
        return sequential(blocks, str(loss.get("activation")))
    module = _untrained(loss.get("module"), model, trust=trust).to(dtype)
    found = {name: tuple(p.shape) for name, p in module.named_parameters() if p.requires_grad}
    if found != layout:
        what = "its parameters have other names or shapes than those of the run"
        raise SettingError(f"model={type(module).__name__}: {what}")
    _set_fixed(module, run.directory)
    set_parameters(module, blocks)
    return module


def _set_fixed(module: nn.Module, directory: Path) -> None:
    """Give a module the buffers and the fixed parameters of the run, where a checkpoint has them.

    Raises:
        RecordError: the checkpoint is damaged, or holds other things than tensors.
        SettingError: the module has others.
    """
    files = VerifiedFiles(directory)
    if CHECKPOINT not in files:
        return
    with files.open(CHECKPOINT) as file:
        content = io.BytesIO(file.read())
    try:
        state = torch.load(content, weights_only=True)  # tensors by their names, nothing else
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        what = f"missing or damaged ({first_line(error)})"
        raise RecordError(f"{files.path(CHECKPOINT)}: {what}") from error
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        what = f"its buffers or fixed parameters are not those of {CHECKPOINT}"
        raise SettingError(f"model={type(module).__name__}: {what}") from error


def _layout(directory: Path) -> dict[str, tuple[int, ...]] | None:
    """Return the names and shapes of the parameters, from the footer of the history."""
    files = VerifiedFiles(directory)
    notes = read_parquet(files, HISTORY).schema.metadata or {}
    text = notes.get(LAYOUT.encode())
    if text is None:
        return None
    try:
        return {str(name): tuple(map(int, shape)) for name, shape in json.loads(text)}
    except (ValueError, TypeError) as error:
        raise RecordError(f"{files.path(HISTORY)}: damaged (no layout in its footer)") from error


def _point(run: "Recorded", which: int | str) -> np.ndarray:
    """Return the point (D,) of a record, from the history, the snapshots or the result.

    Raises:
        SettingError: there is no such record, or its point was not kept whole.
    """
    last = run.outcome.x
    if which == "last":
        return last
    assert run.directory is not None
    history = run.history
    at = find_record(history.step, history.metrics, history.loss, which)
    if history.x.shape[1] == len(last):
        return history.x[at]
    step, files = int(history.step[at]), VerifiedFiles(run.directory)
    kept = read_parquet(files, SNAPSHOTS)
    steps = kept["step"].to_pylist()
    if step not in steps:
        way = f"of {len(last):,} parameters those at steps {', '.join(map(str, steps))} were kept"
        way += "; record.checkpoint=best keeps the best" if which == "best" else ""
        raise SettingError(f"which={which}: {way}")
    return kept["x"][steps.index(step)].values.to_numpy()


def _inward(x: Tensor, transform: Any) -> Tensor:
    """Return the parameters y (D,) of the network where the loss was transformed."""
    moved = make_section("transform", transform or {}).of(Sphere(dim=len(x)))
    return moved.inward(x) if isinstance(moved, Transformed) else x


def _is_mlp(loss: Mapping[str, Any]) -> bool:
    target = str(loss.get("_target_"))
    return target.startswith(_OWN) and target.rpartition(".")[2] == MLP.__name__


def _untrained(
    recorded: Any, model: nn.Module | type[nn.Module] | None, *, trust: bool
) -> nn.Module:
    """Return a module of the class of a run, with any parameters.

    Args:
        recorded: its class's name and arguments, from a file: nothing is imported unasked.
        model: the class, or an instance; None if the file shall be trusted.
        trust: whether it shall.

    Raises:
        SettingError: it cannot be made.
    """
    if isinstance(model, nn.Module):
        return copy.deepcopy(model)
    if model is not None and not (isinstance(model, type) and issubclass(model, nn.Module)):
        what = "must be a class of torch.nn.Module or an instance of one"
        raise SettingError(f"model: {what}, was {describe_type(model)}")
    values = recorded if isinstance(recorded, dict) else {}
    if model is None and not trust:
        name = values.get("_target_", "its class")
        way = "give it, as module(model=…), or module(trust=True) to import what the files name"
        raise SettingError(f"model=None: {name} is not imported unasked; {way}")
    given = values if model is None else {**values, "_target_": model}
    return instantiate("module", given, nn.Module, "torch.nn.Module")
