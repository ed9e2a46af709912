"""What the benchmarks of the engine share: optimizers, and runs that keep their records."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import optax  # pyright: ignore[reportMissingImports]  # of the extra `bench`
import torch

from gdlab.engine.batch import Batch
from gdlab.engine.loop import CompiledSteps, advance
from gdlab.optimizers import SGD, Adam, Optimizer


@dataclass(frozen=True)
class Method:
    """An optimizer of gdlab and its equivalents in optax and torch."""

    name: str
    optimizer: Optimizer
    optax: Callable[[Any], Any]
    torch: Callable[[Any, float], torch.optim.Optimizer]


METHODS = (
    Method("sgd", SGD(), optax.sgd, lambda p, lr: torch.optim.SGD(p, lr)),
    Method(
        "momentum",
        SGD(momentum=0.9),
        lambda lr: optax.sgd(lr, momentum=0.9),
        lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    ),
    Method("adam", Adam(), optax.adam, lambda p, lr: torch.optim.Adam(p, lr)),
)


def drain(batch: Batch, compiled: CompiledSteps | None = None) -> list[Any]:
    """Run a batch and keep its chunks; its step is compiled already."""
    chunks = list(advance(batch, step=compiled))
    records = sum(len(chunk.loss) for chunk in chunks) - (len(chunks) - 1)
    if records != batch.steps + 1 or any(chunk.rows.numel() != len(batch.lr) for chunk in chunks):
        raise AssertionError("a run ended early")
    return chunks
