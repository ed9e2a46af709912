"""The engine against its peers: run-steps per second on the same problems, one core each.

    python benchmarks/engine.py [--rounds 3] [--json FILE] [--quick]

Contestants take turns in one process on one core, with the same dtype (float64), problem and
records: the point, loss and gradient norm of every step, kept in memory to the end.

    eager, compiled   gdlab's two modes, through `advance`
    jax               jit(vmap(scan)) with optax
    torch             a torch.optim loop of one run, times the number of runs
"""

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# It sets flags of jax before jax is imported.
from contestants import METHODS, Method, drain  # isort: skip

import jax  # pyright: ignore[reportMissingImports]  # the extra `bench`, as the next two
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import optax  # pyright: ignore[reportMissingImports]
import torch
from torch import Tensor

import gdlab
from gdlab.config.sections import Engine
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch, Stop
from gdlab.engine.compiled import Compiled, ways
from gdlab.engine.compiled_by_row import CompiledByRow
from gdlab.engine.compiler import library
from gdlab.engine.rows import Rows
from gdlab.losses import Loss, Quadratic, Rastrigin, Rosenbrock
from gdlab.runs.batching import batch_of, is_worth_compiling
from gdlab.schedules import Constant

MAX_BYTES = 2**30
MAX_STEPS = {1: 20_000, 100: 10_000}
"""The steps of few runs; of more, 1,000."""
RUNS = (1, 100, 1_000, 10_000, 100_000)
MODES = ("eager", "compiled", "jax")


@dataclass(frozen=True)
class Problem:
    """A loss for gdlab and for jax, and a learning rate with which no run ends early."""

    name: str
    loss: Loss
    peer: Callable[[Any], Any]
    lr: float


def rosenbrock(x: Any) -> Any:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rastrigin(x: Any) -> Any:
    return jnp.sum(10.0 + x**2 - 10.0 * jnp.cos(2 * jnp.pi * x))


def bowl(x: Any) -> Any:
    return 0.5 * jnp.sum(jnp.linspace(1.0, 15.0, x.shape[0]) * x**2)


PROBLEMS = (
    Problem("Rosenbrock 2-D", Rosenbrock(), rosenbrock, 1e-5),
    Problem("Rosenbrock 10-D", Rosenbrock(dim=10), rosenbrock, 1e-5),
    Problem("quadratic 100-D", Quadratic(dim=100), bowl, 1e-4),
    Problem("Rastrigin 2-D", Rastrigin(), rastrigin, 1e-6),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="only 1,000 and 10,000 runs")
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)
    print(f"torch {torch.__version__}, jax {jax.__version__}, medians of {options.rounds}, 1 core")
    rows = []
    for problem in PROBLEMS:
        for method in METHODS:
            serial, compiling = torch_optim(problem, method), compile_times(problem, method)
            print(
                f"\n{problem.name}, {method.name}: compiled in {compiling['cold']:.2f} s cold, "
                f"{compiling['warm']:.2f} s warm; torch.optim {1e6 * serial:.0f} µs a step"
            )
            sizes = (1_000, 10_000) if options.quick else RUNS
            rows += [
                measure(problem, method, runs, options.rounds, serial, compiling) for runs in sizes
            ]
    summarize(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), "utf-8")
    os.sched_setaffinity(0, cores)
    scale()


def measure(
    problem: Problem, method: Method, runs: int, rounds: int, serial: float, compiling: Any
) -> dict[str, Any]:
    """Measure all contestants in turn on one problem, in seconds per step of the whole batch."""
    steps = min(MAX_STEPS.get(runs, 1000), MAX_BYTES // (8 * runs * (problem.loss.dim + 2)))
    lr = torch.full((runs,), problem.lr, dtype=torch.float64) * torch.linspace(0.5, 1, runs)
    # In shards, as in a sweep.
    shards = [batch_for(problem, method, part, steps) for part in lr.split(Engine().max_rows)]
    eager = [replace(shard, mode="eager") for shard in shards]
    compilable = [replace(shard, mode="compiled") for shard in shards]
    compiled = compiled_step(compilable[0])
    program, compile_jax = jax_program(problem, method, lr, steps)
    contestants = {
        "eager": lambda: [drain(shard) for shard in eager],
        "compiled": lambda: [drain(shard, compiled) for shard in compilable],
        "jax": lambda: jax.block_until_ready(program()),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round in range(rounds + 1):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            records = contestant()
            if round:  # the first round is a warm-up
                times[name].append((time.perf_counter() - start) / steps)
            del records
    median = {name: statistics.median(values) for name, values in times.items()}
    auto = "compiled" if is_worth_compiling(runs * problem.loss.dim, steps) else "eager"
    result = {
        "problem": problem.name,
        "method": method.name,
        "runs": runs,
        "steps": steps,
        **{f"{name}_us": 1e6 * value for name, value in median.items()},
        "torch_us": 1e6 * serial * runs,
        "jax_compile_s": compile_jax,
        "cold_s": compiling["cold"],
        "warm_s": compiling["warm"],
        "of_jax": median["jax"] / median["compiled"],
        "of_torch": serial * runs / median["compiled"],
        "auto": auto,
    }
    print(
        f"{runs:>8,} x {steps:>4}: "
        + ", ".join(f"{n} {1e6 * median[n]:9.2f} µs" for n in MODES)
        + f"; compiled is {result['of_jax']:6.2f} x jax, {result['of_torch']:9,.0f} x torch.optim"
    )
    return result


def batch_for(problem: Problem, method: Method, lr: Tensor, steps: int) -> Batch:
    settings = Settings(
        problem.loss,
        method.optimizer,
        Constant(),
        problem.lr,
        steps=steps,
        stop=Stop(grad_tol=0),
    )
    return batch_of(settings, {"lr": lr.numpy()}, len(lr))


def compiled_step(batch: Batch) -> Compiled:
    """Compile the step of a batch in the way that the engine tries first."""
    by_row = ways(batch)[0]
    return (CompiledByRow if by_row else Compiled)(Rows.of(replace(batch, by_row=by_row)))


def jax_program(
    problem: Problem, method: Method, lr: Tensor, steps: int
) -> tuple[Callable[[], Any], float]:
    """Return the same runs as one compiled program, and its compile time in seconds."""
    gradient = jax.value_and_grad(problem.peer)

    def run(x: Any, lr: Any) -> Any:
        optimizer = method.optax(lr)

        def step(carry: Any, _: Any) -> Any:
            x, state = carry
            value, grad = gradient(x)
            update, state = optimizer.update(grad, state, x)
            return (optax.apply_updates(x, update), state), (x, value, jnp.sqrt(jnp.sum(grad**2)))

        return jax.lax.scan(step, (x, optimizer.init(x)), None, length=steps + 1)[1]

    start = torch.as_tensor(problem.loss.start, dtype=torch.float64)
    x = jnp.asarray(start.expand(len(lr), -1).numpy())
    rates = jnp.asarray(lr.numpy())
    start_time = time.perf_counter()
    program = jax.jit(jax.vmap(run)).lower(x, rates).compile()
    return lambda: program(x, rates), time.perf_counter() - start_time


def torch_optim(problem: Problem, method: Method, steps: int = 300) -> float:
    """Measure the seconds per step of a hand-written loop that keeps the same records."""
    x = torch.as_tensor(problem.loss.start, dtype=torch.float64).clone().requires_grad_()
    optimizer = method.torch([x], problem.lr)
    records = []
    start_time = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = problem.loss(x)
        loss.backward()
        assert x.grad is not None
        records.append((x.detach().clone(), loss.item(), x.grad.norm().item()))
        optimizer.step()
    return (time.perf_counter() - start_time) / steps


def compile_times(problem: Problem, method: Method) -> dict[str, float]:
    """Measure the seconds until the first step, with an empty and with a full cache on disk."""
    batch = batch_for(problem, method, torch.full((32,), problem.lr, dtype=torch.float64), 10)
    cache = tempfile.mkdtemp()
    os.environ["XDG_CACHE_HOME"] = cache
    times = {}
    for name in ("cold", "warm"):
        library.load_library.cache_clear()
        start_time = time.perf_counter()
        compiled_step(replace(batch, mode="compiled"))
        times[name] = time.perf_counter() - start_time
    del os.environ["XDG_CACHE_HOME"]
    shutil.rmtree(cache)
    return times


def scale() -> None:
    """Measure `gdlab.sweep` with Adam on Rosenbrock, final rows only, on all cores."""
    print("\nAdam on Rosenbrock, 1,000 steps, final rows only:")
    seconds = {}
    for runs in (1_000, 10_000, 100_000, 1_000_000):  # the first is a warm-up
        lr = torch.logspace(-4, -1, runs // 1000, dtype=torch.float64)
        start_time = time.perf_counter()
        sweep = gdlab.sweep(loss="rosenbrock", optimizer="adam", lr=lr, seed=range(1000))
        seconds[runs] = time.perf_counter() - start_time
        if len(sweep.results) != runs:
            raise AssertionError("runs are missing from the table")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        nanoseconds = 1e9 * seconds[runs] / runs / 1000
        times = f"{seconds[runs]:6.2f} s, {nanoseconds:6.1f} ns a run-step"
        print(f"{runs:>10,} runs: {times}, peak {peak:.2f} GiB")
    print("goals: 1,000,000 runs under 45 s and 4 GiB; time per run-step within 25% from 10,000 on")


def summarize(rows: list[dict[str, Any]]) -> None:
    """Print the results beside the goals."""
    print()
    for label, selected, goal, minimum in (
        ("R = 1", [r for r in rows if r["runs"] == 1], 1.0, None),
        ("R = 100", [r for r in rows if r["runs"] == 100], 1.0, None),
        ("R = 1,000", [r for r in rows if r["runs"] == 1_000], 1.0, 0.6),
        ("R ≥ 10,000", [r for r in rows if r["runs"] >= 10_000], 3.0, 1.5),
    ):
        ratios = [r["of_jax"] for r in selected]
        if not ratios:
            continue  # with --quick
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        print(
            f"compiled ÷ jax at {label}: geometric mean {mean:.2f} (goal ≥ {goal}), "
            f"minimum {min(ratios):.2f}" + (f" (goal ≥ {minimum})" if minimum else "")
        )
    of_torch = [r["of_torch"] for r in rows if r["runs"] == 10_000]
    mean = math.exp(statistics.mean(map(math.log, of_torch)))
    print(
        f"compiled ÷ torch.optim at R = 10,000: geometric mean {mean:,.0f} (goal ≥ 5,000), "
        f"{min(of_torch):,.0f} to {max(of_torch):,.0f}"
    )
    near = [
        total(r, r["auto"]) <= 1.25 * min(total(r, "eager"), total(r, "compiled")) for r in rows
    ]
    print(f"auto within 25% of the better mode: {sum(near)} of {len(near)} (goal 90%)")
    print(
        f"compile: cold at most {max(r['cold_s'] for r in rows):.2f} s (goal 5), "
        f"warm at most {max(r['warm_s'] for r in rows):.2f} s (goal 1.5)"
    )


def total(row: dict[str, Any], mode: str) -> float:
    """Seconds of all steps, with a warm compilation."""
    return row["steps"] * row[f"{mode}_us"] * 1e-6 + (row["warm_s"] if mode == "compiled" else 0)


if __name__ == "__main__":
    sys.exit(main())
