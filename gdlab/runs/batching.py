"""Runs to batches: what the engine is given for the settings of a run."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, Number, nest_changes, split_key
from gdlab.fields.formatting import format_value
from gdlab.losses.base import Loss
from gdlab.numerics import rng
from gdlab.numerics.threads import cores

Kind = TypeVar("Kind", bound=Configured)


def batch_of(
    settings: Settings, columns: Mapping[str, np.ndarray] | None = None, runs: int = 1
) -> Batch:
    """The batch of runs that differ in columns alone.

    Args:
        settings: what they share; of one run in full where there are no columns.
        columns: what differs, by dotted name (lr, start.0, loss.condition …): (R,) or (R, k).
        runs: how many, R.

    Raises:
        SettingError: the device is not there, or the start does not fit the loss.
    """
    columns = columns or {}
    dtype, device = getattr(torch, settings.dtype), resolved_device(settings.device)

    def column(key: str, given: Number) -> Tensor:
        values = columns.get(key, np.full(runs, given))
        return torch.as_tensor(values, dtype=dtype, device=device)

    transform = _with_columns("transform", settings.transform, columns)
    loss = transform.of(_with_columns("loss", settings.loss, columns)).to(dtype, device)
    noise = settings.noise
    seed = torch.as_tensor(columns.get("seed", np.full(runs, settings.seed)), device=device)
    return Batch(
        loss=loss,
        optimizer=_with_columns("optimizer", settings.optimizer, columns),
        schedule=_with_columns("schedule", settings.schedule, columns),
        lr=column("lr", settings.lr),
        seed=seed,
        start=_starts(loss, settings, columns, seed),
        noise=column("noise.scale", noise.scale),
        dof=column("noise.dof", noise.dof) if noise.kind == "student_t" else None,
        steps=settings.steps,
        stop=settings.stop,
        mode=resolve_mode(settings, runs),
        threads=settings.engine.threads or cores(),
        full_every=settings.record.full_loss_every,
        intervals=settings.record.intervals,
    )


def resolve_mode(settings: Settings, runs: int) -> str:
    """Eager or compiled: what the settings say, or what fits the size of the batch."""
    if settings.engine.mode != "auto":
        return settings.engine.mode
    is_worth_it = is_worth_compiling(runs * settings.loss.dim, settings.steps)
    return "compiled" if is_worth_it and settings.loss.is_traceable else "eager"


def is_worth_compiling(numbers: int, steps: int) -> bool:
    """Whether a compiled step is likely to repay its compilation.

    An eager step takes about as long as 5,000 coordinates of it do, and a compilation as long as
    1,000 eager steps the first time, 100 from then on: measured once, and not measured again.

    Args:
        numbers: how many coordinates all runs have together, R · D.
        steps: how many steps they may take.
    """
    return steps * (1 + numbers / 5000) >= 1000


def _with_columns(group: str, owner: Kind, columns: Mapping[str, np.ndarray]) -> Kind:
    """A loss, an optimizer or the like with columns in the place of some of its numbers."""
    changes: dict[str, Any] = {}
    for key, values in columns.items():
        node, name = split_key(key)
        if node == group:
            column = torch.from_numpy(values)
            changes[name] = column if column.ndim == 1 else column.unbind(1)
    return owner.unchecked(**nest_changes(owner, changes)) if changes else owner


def _starts(
    loss: Loss, settings: Settings, columns: Mapping[str, np.ndarray], seed: Tensor
) -> Tensor:
    """Starting points (R, D), whole ones or some of their coordinates being columns."""
    if "start" in columns:
        points = loss.tensor(columns["start"])
    else:
        points = starting_points(loss, settings.start, seed)
    for key, values in columns.items():
        node, place = split_key(key)
        if node == "start":
            points = points.clone()
            points[:, int(place)] = loss.tensor(values)
    return points


def resolved_device(name: str) -> torch.device:
    """The device behind cpu, cuda or auto.

    Raises:
        SettingError: cuda is asked for where there is none.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise SettingError("device=cuda: no CUDA device is available here; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and has_cuda else "cpu")


def starting_points(loss: Loss, start: object, seed: Tensor) -> Tensor:
    """Starting points (R, D) for seeds (R,).

    Args:
        loss: of the dtype and on the device wanted.
        start: None for the loss's own starts, "random" for points drawn from each seed (uniform
            in the loss's window, standard normal where it has none), or D numbers.
        seed: int64 (R,).

    Raises:
        SettingError: not D numbers, or D is not known.
    """
    if loss.dim == 0:
        raise SettingError(
            f"start={format_value(start)}: a function needs the numbers of its start"
        )
    if start == "random":
        return _random_points(loss, seed)
    point = loss.starts(seed) if start is None else loss.tensor(start)
    if point.shape[-1:] != (loss.dim,):
        given = format_value(start if start is not None else point.tolist())
        names = ", ".join(loss.names[:8]) + (", …" if loss.dim > 8 else "")
        raise SettingError(f"start={given}: must be {loss.dim} numbers ({names}), or random")
    return point.expand(len(seed), -1)


def _random_points(loss: Loss, seed: Tensor) -> Tensor:
    coordinate = torch.arange(loss.dim, device=seed.device)
    zero = torch.zeros_like(coordinate)
    if loss.window is None:
        return loss.tensor(rng.normal(seed[:, None], rng.Stream.START, zero, coordinate))
    low, high = loss.tensor(loss.window).unbind(-1)
    unit = rng.uniform(seed[:, None], rng.Stream.START, zero, coordinate)
    return low + loss.tensor(unit) * (high - low)
