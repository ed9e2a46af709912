"""Make batches of runs, run them, and select rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.history import History, split_by_run
from gdlab.engine.loop import ChunkSizes, CompiledSteps, advance
from gdlab.engine.outcome import Outcome, Outcomes
from gdlab.fields.declared import map_numbers
from gdlab.losses import Loss
from gdlab.optimizers import SGD, Optimizer
from gdlab.schedules import Constant, Schedule


def make_batch(
    loss: Loss,
    optimizer: Optimizer | None = None,
    lr: float | Sequence[float] | np.ndarray = 0.1,
    *,
    schedule: Schedule | None = None,
    start: Any = None,
    seed: Sequence[int] | None = None,
    noise: float | Sequence[float] = 0.0,
    steps: int = 100,
    stop: Stop | None = None,
) -> Batch:
    """A batch with as many rows as there are learning rates."""
    rates = torch.as_tensor(lr, dtype=torch.float64).reshape(-1)
    runs = len(rates)
    point = loss.tensor(loss.start if start is None else start)
    return Batch(
        loss=loss,
        optimizer=optimizer or SGD(),
        schedule=schedule or Constant(),
        lr=rates,
        seed=torch.arange(runs) if seed is None else torch.tensor(seed),
        start=point.expand(runs, loss.dim),
        noise=torch.as_tensor(noise, dtype=torch.float64).expand(runs),
        steps=steps,
        stop=stop or Stop(),
    )


def why_eager(batch: Batch) -> str | None:
    """Why the engine cannot compile a batch; None if it can."""
    chunk = next(advance(replace(batch, mode="compiled")))
    assert (chunk.mode.name == "compiled") == (chunk.mode.fallback_reason is None)
    return chunk.mode.fallback_reason


def rows_of(batch: Batch, rows: Sequence[int]) -> Batch:
    """The batch of some of the rows, in the given order."""
    index = torch.tensor(rows)

    def take(value: Any) -> Any:
        return value[index] if isinstance(value, Tensor) else value

    return replace(
        batch,
        loss=batch.loss.with_columns(take),
        optimizer=map_numbers(batch.optimizer, take),
        schedule=map_numbers(batch.schedule, take),
        lr=batch.lr[index],
        seed=batch.seed[index],
        start=batch.start[index],
        noise=batch.noise[index],
        dof=None if batch.dof is None else batch.dof[index],
    )


@dataclass(frozen=True)
class Finished:
    """The history and outcome of one row."""

    history: History
    outcome: Outcome


def finish(
    batch: Batch,
    interrupted: Callable[[], bool] = lambda: False,
    every: int = 1,
    sizes: ChunkSizes | None = None,
    step: CompiledSteps | None = None,
) -> list[Finished]:
    """Run a batch to its end."""
    ends = Outcomes(batch)
    parts: list[list[History]] = [[] for _ in batch.lr]
    for chunk in advance(batch, interrupted, step, sizes or ChunkSizes()):
        ends.add(chunk)
        for row, piece in split_by_run(chunk, every):
            parts[row].append(piece)
    return [Finished(History.join(part), ends[row]) for row, part in enumerate(parts)]


RECORDED = ("step", "loss", "grad_norm", "lr", "x", "distance", "suboptimality")
ENDED = ("status", "steps", "final_loss", "best_loss", "best_step", "grad_norm", "evaluations")


def assert_same_bits(one: Finished, other: Finished) -> None:
    """Assert that every record and the whole outcome are equal, bit for bit."""
    for name in RECORDED:
        a, b = getattr(one.history, name), getattr(other.history, name)
        assert (a is None) == (b is None), name
        assert a is None or a.tobytes() == b.tobytes(), name
    assert one.outcome.x.tobytes() == other.outcome.x.tobytes()
    for name in (*ENDED, "distance", "suboptimality"):
        np.testing.assert_equal(getattr(one.outcome, name), getattr(other.outcome, name), name)
