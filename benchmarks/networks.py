"""Losses over data against peers: microseconds per step of all runs, one core each.

    python benchmarks/networks.py [--rounds 3] [--json FILE] [--quick] [--only NAME]

Contestants take turns in one process on one core, with the same dtype, examples, starts and
records: the point, loss and gradient norm of every step, kept in memory to the end. With
minibatches only the first and the last full loss are computed. gdlab draws each epoch without
replacement; jax draws each minibatch with replacement, which costs less; torch gets its examples.

    eager, compiled   gdlab's two modes, through `advance`
    jax               jit(vmap(scan)) with optax
    vmap              torch.func.vmap of the gradient, with the update of torch.optim written out
    torch             a torch.optim loop of one run, times the number of runs
"""

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

# It sets flags of jax before jax is imported.
from contestants import METHODS, Method, drain  # isort: skip

import jax  # pyright: ignore[reportMissingImports]  # the extra `bench`, as the next two
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import optax  # pyright: ignore[reportMissingImports]
import torch
from torch import Tensor

from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.compiler import library
from gdlab.engine.loop import compile_steps
from gdlab.losses.models.classification import Logistic, Softmax
from gdlab.losses.models.data_loss import DataLoss
from gdlab.losses.models.mlp import MLP
from gdlab.losses.models.regression import MSE
from gdlab.numerics import rng
from gdlab.runs.batching import batch_of
from gdlab.schedules import Constant

RUNS = (1, 16, 64, 1024)
WARM = 3  # compilations with a full cache
SECONDS = 0.2  # of the compiled steps in one round, about
MAX_BYTES = 2**29
DTYPES: dict[Literal["float64", "float32"], torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
}


@dataclass(frozen=True)
class Problem:
    """A loss of gdlab, the scores of one point in jax, and the learning rate."""

    name: str
    loss: DataLoss
    cost: Callable[[Any, Any, Any], Any]
    lr: float


def mlp_scores(layout: Any, x: Any, inputs: Any) -> Any:
    """Return the scores (N, C) of a network with parameters x (D,)."""
    units, first, blocks = inputs, 0, []
    for _, shape in layout:
        size = math.prod(shape)
        blocks.append(x[first : first + size].reshape(shape))
        first += size
    for i in range(0, len(blocks), 2):
        units = units @ blocks[i].T + blocks[i + 1]
        units = jnp.tanh(units) if i + 2 < len(blocks) else units
    return units


def cross_entropy(scores: Any, labels: Any) -> Any:
    log_p = jax.nn.log_softmax(scores)
    return -jnp.take_along_axis(log_p, labels.astype(int)[:, None], 1).mean()


def mlp(name: str, lr: float, **settings: Any) -> Problem:
    loss = MLP(**settings)
    layout = loss.layout
    return Problem(name, loss, lambda x, a, y: cross_entropy(mlp_scores(layout, x, a), y), lr)


def problems() -> tuple[Problem, ...]:
    classes = 3
    return (
        mlp("mlp [16,16], two moons", 1e-3, data="two_moons", widths=(16, 16)),
        mlp("mlp [64,64], two moons", 1e-3, data="two_moons", widths=(64, 64)),
        mlp("mlp [32], digits", 1e-3, data="digits", widths=(32,)),
        Problem(
            "softmax, wine",
            Softmax(data="wine"),
            lambda x, a, y: cross_entropy(a @ x.reshape(classes, -1).T, y),
            1e-3,
        ),
        Problem(
            "logistic, breast cancer, minibatches of 64",
            Logistic(data="breast_cancer", batch_size=64),
            lambda x, a, y: -jax.nn.log_sigmoid((2 * y - 1) * (a @ x)).mean(),
            1e-3,
        ),
        Problem(
            "mse, diabetes",
            MSE(data="diabetes", standardize=True),
            lambda x, a, y: ((a @ x - y) ** 2).mean(),
            1e-3,
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="Adam in float64 only")
    parser.add_argument("--only", default="", help="problems whose name contains this text")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)
    print(f"torch {torch.__version__}, jax {jax.__version__}, medians of {options.rounds}, 1 core")
    rows = []
    for name, dtype in DTYPES.items():
        for problem in problems():
            for method in METHODS:
                is_left_out = options.quick and (method.name, name) != ("adam", "float64")
                if is_left_out or options.only not in problem.name:
                    continue
                rows += [measure(problem, method, dtype, n, options.rounds) for n in RUNS]
    summarize(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), "utf-8")


def measure(
    problem: Problem, method: Method, dtype: torch.dtype, runs: int, rounds: int
) -> dict[str, Any]:
    """Measure all contestants in turn, in seconds per step of all runs."""
    batch = batch_for(problem, method, dtype, runs, 20)
    cold, warm = compile_seconds(batch)
    once, compiled = compile_steps(batch)
    drain(once, compiled)
    start = time.perf_counter()
    drain(once, compiled)
    step_seconds = max((time.perf_counter() - start) / 21, 1e-6)
    steps = int(min(2000, max(2, SECONDS / step_seconds)))
    steps = max(2, min(steps, MAX_BYTES // (dtype.itemsize * runs * (batch.loss.dim + 2))))
    batch = replace(batch, steps=steps, full_every=full_every(batch, steps))
    compilable, compiled = compile_steps(batch)
    chosen = minibatches(batch, steps)
    few = replace(batch, steps=max(2, steps // 20))
    program, compile_jax = jax_program(problem, method, batch)
    contestants: dict[str, Callable[[], Any]] = {
        "eager": lambda: drain(few),
        "compiled": lambda: drain(compilable, compiled),
        "jax": lambda: jax.block_until_ready(program()),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round in range(rounds + 1):
        for name, contestant in contestants.items():
            if name == "eager" and round > 1:
                continue
            start = time.perf_counter()
            records = contestant()
            if round:  # the first round is a warm-up
                count = (few if name == "eager" else batch).steps + 1
                times[name].append((time.perf_counter() - start) / count)
            del records
    median = {name: statistics.median(values) for name, values in times.items()}
    one = torch_optim(problem, method, batch)
    result = {
        "problem": problem.name,
        "method": method.name,
        "dtype": str(dtype).removeprefix("torch."),
        "runs": runs,
        "steps": steps,
        **{f"{name}_us": 1e6 * value for name, value in median.items()},
        "vmap_us": 1e6 * torch_vmap(problem, method, batch, chosen),
        "torch_us": 1e6 * one * runs,
        "jax_compile_s": compile_jax,
        "cold_s": cold,
        "warm_s": warm,
        "of_jax": median["jax"] / median["compiled"],
        "of_torch": one * runs / median["compiled"],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    times_text = ", ".join(f"{n} {result[f'{n}_us']:9.1f}" for n in (*contestants, "vmap", "torch"))
    print(
        f"{problem.name}, {method.name}, {result['dtype']}, {runs} x {steps}: {times_text} µs;"
        f" {result['of_jax']:5.2f} x jax; compiled in {cold:.2f} s, {warm:.3f} s",
        flush=True,
    )
    return result


def full_every(batch: Batch, steps: int) -> int:
    return 1 if batch.loss.minibatch is None else steps + 1


def batch_for(problem: Problem, method: Method, dtype: torch.dtype, runs: int, steps: int) -> Batch:
    settings = Settings(
        problem.loss,
        method.optimizer,
        Constant(),
        problem.lr,
        steps=steps,
        dtype=next(name for name, other in DTYPES.items() if other == dtype),
    )
    lr = problem.lr * torch.linspace(0.5, 1, runs, dtype=torch.float64)
    seeds = torch.arange(runs)
    return batch_of(settings, {"lr": lr.numpy(), "seed": seeds.numpy()}, runs)


def minibatches(batch: Batch, steps: int) -> Tensor | None:
    """Return the examples of each run's steps (R, T, B); None without minibatches."""
    loss = batch.loss
    if loss.minibatch is None or loss.examples is None:
        return None
    at = torch.arange(steps + 1)
    return rng.minibatches(batch.seed, at, loss.examples, loss.minibatch).transpose(0, 1)


def compile_seconds(batch: Batch) -> tuple[float, float]:
    """Measure compilation with an empty cache on disk, and with a full one."""
    directory, before = tempfile.mkdtemp(), os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = directory
    seconds = []
    try:
        for _ in range(1 + WARM):
            library.load_library.cache_clear()
            start = time.perf_counter()
            compile_steps(batch)
            seconds.append(time.perf_counter() - start)
    finally:
        os.environ.pop("XDG_CACHE_HOME")
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
        shutil.rmtree(directory)
    return seconds[0], statistics.median(seconds[1:])


def jax_program(problem: Problem, method: Method, batch: Batch) -> tuple[Callable[[], Any], float]:
    """Return the same runs as one compiled program, and its compile time in seconds."""
    loss = batch.loss
    assert isinstance(loss, DataLoss)
    inputs, targets = (jnp.asarray(table.numpy()) for table in (loss.inputs, loss.targets))
    gradient = jax.value_and_grad(problem.cost)

    def run(x: Any, lr: Any, key: Any) -> Any:
        optimizer = method.optax(lr)

        def step(carry: Any, number: Any) -> Any:
            x, state = carry
            examples = inputs, targets
            if size is not None:
                at = jax.random.randint(jax.random.fold_in(key, number), (size,), 0, len(targets))
                examples = inputs[at], targets[at]
            value, grad = gradient(x, *examples)
            update, state = optimizer.update(grad, state, x)
            return (optax.apply_updates(x, update), state), (x, value, jnp.sqrt(jnp.sum(grad**2)))

        return jax.lax.scan(step, (x, optimizer.init(x)), jnp.arange(batch.steps + 1))[1]

    x, lr = jnp.asarray(batch.start.numpy()), jnp.asarray(batch.lr.numpy())
    keys, size = jax.vmap(jax.random.key)(jnp.arange(len(lr))), loss.minibatch
    start = time.perf_counter()
    program = jax.jit(jax.vmap(run)).lower(x, lr, keys).compile()
    return lambda: program(x, lr, keys), time.perf_counter() - start


def torch_vmap(
    problem: Problem, method: Method, batch: Batch, chosen: Tensor | None, most: int = 20
) -> float:
    """Measure the seconds per step of `torch.func.vmap`, with the update of all runs at once."""
    loss = batch.loss

    def value(x: Tensor, at: Tensor | None) -> Tensor:
        return loss(x[None])[0] if at is None else loss.partial(x[None], at[None])[0]

    gradient = torch.func.vmap(torch.func.grad_and_value(value), (0, None if chosen is None else 0))
    x, state = batch.start.clone(), batch.optimizer.init(batch.start, loss.layout)
    lr, kept = batch.lr[:, None], []
    seconds = 0.0
    for step in range(min(most, batch.steps) + 1):
        start = time.perf_counter()
        grad, values = gradient(x, None if chosen is None else chosen[:, step])
        kept.append((x, values, grad.norm(dim=1)))
        x, state = batch.optimizer.update(x, grad, state, lr)
        seconds += time.perf_counter() - start if step else 0.0
    return seconds / min(most, batch.steps)


def torch_optim(problem: Problem, method: Method, batch: Batch, steps: int = 50) -> float:
    """Measure the seconds per step of a hand-written loop of one run with the same records."""
    loss = batch.loss
    assert isinstance(loss, DataLoss)
    x = batch.start[0].clone().requires_grad_()
    optimizer = method.torch([x], problem.lr)
    kept, size = [], loss.minibatch
    start = time.perf_counter()
    for step in range(steps):
        optimizer.zero_grad()
        if size is None:
            value = loss(x[None])[0]
        else:
            first = step * size % (loss.examples - size)
            value = loss.partial(x[None], torch.arange(first, first + size)[None])[0]
        value.backward()
        assert x.grad is not None
        kept.append((x.detach().clone(), value.detach(), x.grad.norm()))
        optimizer.step()
    return (time.perf_counter() - start) / steps


def summarize(rows: list[dict[str, Any]]) -> None:
    """Print the geometric means, and the least ratios."""
    for title, runs in (("R = 1 and 16", (1, 16)), ("R >= 64", (64, 1024))):
        ratios = [row["of_jax"] for row in rows if row["runs"] in runs]
        if ratios:
            mean = math.exp(statistics.mean(map(math.log, ratios)))
            print(f"{title}: {mean:.2f} x jax as a geometric mean, at least {min(ratios):.2f}")
    print(
        f"compiled in at most {max(row['cold_s'] for row in rows):.1f} s with an empty cache, "
        f"{max(row['warm_s'] for row in rows):.3f} s with a full one"
    )


if __name__ == "__main__":
    main()
