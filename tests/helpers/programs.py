"""Every loss and optimizer that can be chosen by name, and their kernels for a GPU."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gdlab.config.loading import settings_from_flat
from gdlab.engine.batch import Batch
from gdlab.engine.compiled import first_row, ways
from gdlab.engine.compiler.arrays.program import OneRun, trace_program
from gdlab.engine.compiler.cuda import source
from gdlab.engine.compiler.cuda.launch import THREADS
from gdlab.engine.compiler.step import trace_step
from gdlab.engine.rows import Rows
from gdlab.numerics.autodiff import value_and_gradient
from gdlab.paths import CONF
from gdlab.runs.batching import batch_of

NAMELESS = {"custom", "module", "torch"}
"""Choices that name a class of one's own."""

SEARCHES = {
    *("armijo", "bfgs", "cg", "damped_newton", "exact", "gauss_newton", "lbfgs"),
    *("levenberg_marquardt", "modified_newton", "natural_gradient", "newton", "polyak", "wolfe"),
}
"""Optimizers that ask for more than gradients; torch computes their steps on a GPU."""


def names_of(group: str) -> list[str]:
    """The choices of a group of the configuration, such as loss: rosenbrock, mgh/bard, …"""
    folder: Path = CONF / group
    paths = (path.relative_to(folder).with_suffix("") for path in sorted(folder.rglob("*.yaml")))
    return [str(path) for path in paths if path.name not in NAMELESS]


def batch_of_names(loss: str, optimizer: str, **more: Any) -> Batch:
    """A batch of one run of a loss and an optimizer, to be compiled."""
    settings = settings_from_flat({"loss": loss, "optimizer": optimizer, "lr": 0.01, **more})
    return replace(batch_of(settings), mode="compiled")


def cuda_source(batch: Batch, *, recorded: bool = True) -> str:
    """The CUDA C of a batch's step, a thread for each row or a block of them."""
    dtype = batch.start.dtype
    if ways(batch)[0]:
        run = OneRun(*first_row(Rows.of(batch)), batch.schedule, {}, batch.steps)
        kernel = trace_program(run, THREADS).source
    else:
        step = trace_step(*first_row(Rows.of(batch)), value_and_gradient)
        kernel = source.kernel(step, dtype, recorded=recorded)
    return f"{source.definitions(kernel, dtype)}\n{kernel}"
