"""Convert the settings of runs to a batch for the engine."""

import dataclasses
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
from gdlab.losses.checks import check_declared
from gdlab.numerics import rng
from gdlab.numerics.threads import cores

Kind = TypeVar("Kind", bound=Configured)


def batch_of(
    settings: Settings, columns: Mapping[str, np.ndarray] | None = None, runs: int = 1
) -> Batch:
    """Make the batch of runs that differ only in columns of numbers.

    Args:
        settings: the settings they share; without columns, all settings of one run.
        columns: values that differ, by dotted name (lr, start.0, loss.condition …): (R,) or (R, k).
        runs: the number of runs, R.

    Raises:
        SettingError: the device is not available, the start does not fit the loss, or the dtype
            cannot hold a learning rate or a noise.
    """
    columns = columns or {}
    is_given = settings.start is not None or any(key.split(".")[0] == "start" for key in columns)
    check_declared(settings.loss, needs_start=not is_given)
    dtype, device = getattr(torch, settings.dtype), resolve_device(settings.device)

    def column(key: str, default: Number) -> Tensor:
        values = torch.as_tensor(columns.get(key, np.full(runs, default)), device=device)
        return _cast(key, values, dtype)

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
        start=_start_points(loss, settings, columns, seed),
        noise=column("noise.scale", noise.scale),
        dof=column("noise.dof", noise.dof) if noise.kind == "student_t" else None,
        steps=settings.steps,
        stop=settings.stop,
        mode=resolve_mode(settings, runs),
        threads=settings.engine.threads or cores(),
        full_every=settings.record.full_loss_every,
        intervals=settings.record.intervals,
    )


def with_optimizer(batch: Batch, settings: Settings) -> Batch:
    """Return the batch with another optimizer and learning rate, those of settings.

    Raises:
        SettingError: the dtype cannot hold the learning rate.
    """
    lr = torch.full(batch.lr.shape, float(settings.lr), dtype=torch.float64)
    lr = _cast("lr", lr.to(batch.lr.device), batch.lr.dtype)
    return dataclasses.replace(batch, optimizer=settings.optimizer, lr=lr)


def _cast(key: str, values: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert numbers (R,) of a setting to the dtype of the runs.

    Raises:
        SettingError: one is too small or too large for it.
    """
    cast = values.to(dtype)
    is_lost = cast.isinf() | ((cast == 0) & (values != 0))
    if bool(is_lost.any()):
        value = float(values[is_lost][0])
        limits = torch.finfo(dtype)
        must = f"must be 0 or between {limits.smallest_normal:.2g} and {limits.max:.2g} in {dtype}"
        raise SettingError(f"{key}={value:g}: {must}".replace("torch.", "dtype="))
    return cast


def resolve_mode(settings: Settings, runs: int) -> str:
    """Return eager or compiled: as set, or by the size of the batch in auto mode.

    Optimizers that evaluate the loss themselves are eager in auto mode: most of their runs end
    after a few steps, which would not repay a compilation.
    """
    if settings.engine.mode != "auto":
        return settings.engine.mode
    loss = settings.loss
    is_worth_it = is_worth_compiling(runs * _coordinates(loss), settings.most_steps)
    can_compile = loss.is_traceable and not settings.optimizer.needs
    return "compiled" if is_worth_it and can_compile else "eager"


def shortest_run(settings: Settings) -> float:
    """Return what a run takes of a core if its loss takes no longer than plain functions do.

    This is in seconds, for runs of many in a batch that go on to their last step.
    """
    return settings.most_steps * _coordinates(settings.loss) * _SECONDS_PER_COORDINATE


def _coordinates(loss: Loss) -> int:
    """Return the coordinates of a run, and what takes as long as so many more."""
    examples = loss.minibatch or loss.examples or 0
    return loss.dim * (1 + examples // _EXAMPLES_PER_COORDINATE)


_SECONDS_PER_COORDINATE = 1e-8
"""What a step takes for each coordinate, measured once, with all that is done for it."""

_EXAMPLES_PER_COORDINATE = 100
"""Products of a coordinate with so many examples, in a matrix product, cost about as much as what
an eager step of a function does with it."""


def is_worth_compiling(coordinates: int, steps: int) -> bool:
    """Whether a compiled step is likely to repay its compilation.

    The overhead of an eager step is about the cost of 5,000 coordinates, and a compilation costs
    1,000 eager steps the first time, 100 from then on. These constants were measured once: the
    choice never depends on a clock.

    Args:
        coordinates: the number of coordinates of all runs, R · D.
        steps: the maximum number of steps.
    """
    return steps * (1 + coordinates / 5000) >= 1000


def _with_columns(group: str, owner: Kind, columns: Mapping[str, np.ndarray]) -> Kind:
    """Replace numbers of a loss, an optimizer, a schedule or a transform by columns."""
    changes: dict[str, Any] = {}
    for key, values in columns.items():
        node, name = split_key(key)
        if node == group:
            column = torch.from_numpy(values)
            changes[name] = column if column.ndim == 1 else column.unbind(1)
    return owner.unchecked(**nest_changes(owner, changes)) if changes else owner


def _start_points(
    loss: Loss, settings: Settings, columns: Mapping[str, np.ndarray], seed: Tensor
) -> Tensor:
    """Starting points (R, D); columns may set whole points or some coordinates."""
    if "start" in columns:
        points = loss.tensor(columns["start"])
    else:
        points = starting_points(loss, settings.start, seed)
    for key, values in columns.items():
        node, coordinate = split_key(key)
        if node == "start":
            points = points.clone()
            points[:, int(coordinate)] = loss.tensor(values)
    return _scatter(points, settings.start_spread, seed) if settings.start_spread else points


def _scatter(points: Tensor, spread: float, seed: Tensor) -> Tensor:
    """Add normal numbers, drawn with seeds (R,), to points (R, D), in proportion to max(1, |x|)."""
    coordinate = torch.arange(points.shape[1], device=seed.device)
    drawn = rng.normal(seed[:, None], rng.Stream.SPREAD, torch.zeros_like(coordinate), coordinate)
    return points + spread * points.abs().clamp(min=1) * drawn.to(points.dtype)


def resolve_device(name: str) -> torch.device:
    """Return the device for cpu, cuda or auto.

    Raises:
        SettingError: cuda is not available.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise SettingError("device=cuda: no CUDA device is available here; use cpu or auto")
    return torch.device("cuda" if name != "cpu" and has_cuda else "cpu")


def starting_points(loss: Loss, start: object, seed: Tensor) -> Tensor:
    """Return the starting points (R, D) for seeds (R,).

    Args:
        loss: the loss, with the dtype and device of the computation.
        start: None for the loss's default starts, "random" for points drawn with each seed
            (uniform in the loss's window, standard normal if it has none), or D numbers.
        seed: the seeds, int64 (R,).

    Raises:
        SettingError: the start does not have D numbers, or D is unknown.
    """
    if loss.dim == 0:
        raise SettingError(f"start={format_value(start)}: a function needs a start of D numbers")
    if start == "random":
        return _draw_points(loss, seed)
    point = loss.starts(seed) if start is None else loss.tensor(start)
    if point.shape[-1:] != (loss.dim,):
        given = format_value(start if start is not None else point.tolist())
        names = ", ".join(loss.names[:8]) + (", …" if loss.dim > 8 else "")
        raise SettingError(f"start={given}: must be {loss.dim} numbers ({names}), or random")
    return point.expand(len(seed), -1)


def _draw_points(loss: Loss, seed: Tensor) -> Tensor:
    coordinate = torch.arange(loss.dim, device=seed.device)
    zero = torch.zeros_like(coordinate)
    if loss.window is None:
        return loss.tensor(rng.normal(seed[:, None], rng.Stream.START, zero, coordinate))
    low, high = loss.tensor(loss.window).unbind(-1)
    unit = rng.uniform(seed[:, None], rng.Stream.START, zero, coordinate)
    return low + loss.tensor(unit) * (high - low)
