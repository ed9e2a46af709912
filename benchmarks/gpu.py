"""A GPU against the processor of the same machine, and against JAX on that GPU.

    python benchmarks/gpu.py [--runs 1000000]

Adam on Rosenbrock's function in float64:

    ends     only how each run ended: gdlab on the GPU, on two cores, jit(vmap(scan)) of JAX
    records  every record brought to the host, beside the speed of a copy from pinned memory
    waits    how often the host waits while a chunk is launched (none, by torch's profiler)

Needs no network, and less than eight minutes with `make test-gpu`. JAX is left out where it is not
installed for a GPU.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from gdlab.engine.batch import Batch, Stop
from gdlab.engine.history import split_by_run
from gdlab.engine.loop import advance, compile_steps
from gdlab.engine.outcome import Outcomes
from gdlab.engine.rows import Rows
from gdlab.losses import Rosenbrock
from gdlab.optimizers import Adam
from gdlab.schedules import Constant

STEPS, ROUNDS, LR = 1000, 3, 1e-3
RECORDED_RUNS, RECORDED_STEPS, CPU_RUNS = 4_000, 25_000, 100_000
GIB = 2**30


def batch_of(runs: int, device: str, *, steps: int = STEPS, threads: int = 1) -> Batch:
    """Runs from starts on a square, none of which ends early."""
    side = torch.linspace(-2, 2, runs, dtype=torch.float64, device=device)
    return Batch(
        loss=Rosenbrock().to(torch.float64, torch.device(device)),
        optimizer=Adam(),
        schedule=Constant(),
        lr=torch.full_like(side, LR),
        seed=torch.arange(runs, device=device),
        start=torch.stack((side, side.flip(0)), 1),
        noise=torch.zeros_like(side),
        steps=steps,
        stop=Stop(grad_tol=0),
        mode="compiled",
        threads=threads,
    )


def take_ends(batch: Batch) -> Outcomes:
    """Run a batch, and keep how its runs ended."""
    ends = Outcomes(batch)
    for chunk in advance(batch, recorded=False):
        if chunk.mode.name != "compiled":
            raise SystemExit(f"not compiled: {chunk.mode.fallback_reason}")
        ends.add(chunk)
    return ends


def take_records(batch: Batch) -> int:
    """Run a batch, bring each record to the host, and return the bytes of all."""
    count = 0
    for chunk in advance(batch):
        for _, piece in split_by_run(chunk):
            count += piece.x.nbytes + piece.loss.nbytes + piece.grad_norm.nbytes
            count += piece.lr.nbytes + (0 if piece.distance is None else piece.distance.nbytes)
            count += 0 if piece.suboptimality is None else piece.suboptimality.nbytes
    return count


def seconds(task: Callable[[], object]) -> float:
    """The median time of a task that ran once before."""
    task()
    times = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        began = time.perf_counter()
        task()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def jax_task(runs: int) -> Callable[[], object] | None:
    """The same by JAX on the GPU: the last losses of all runs."""
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    try:
        import jax  # pyright: ignore[reportMissingImports]  # the extra `bench`, for a GPU
        import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
        import optax  # pyright: ignore[reportMissingImports]

        if jax.devices()[0].platform != "gpu":
            return None
    except (ImportError, RuntimeError):
        return None
    jax.config.update("jax_enable_x64", True)
    optimizer = optax.adam(LR)

    def loss(x: "jax.Array") -> "jax.Array":
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    def run(x: "jax.Array") -> "jax.Array":
        def step(carry: tuple, _: None) -> tuple:
            at, state = carry
            updates, state = optimizer.update(jax.grad(loss)(at), state)
            return (optax.apply_updates(at, updates), state), None

        (end, _), _ = jax.lax.scan(step, (x, optimizer.init(x)), None, STEPS)
        return loss(end)

    side = jnp.linspace(-2, 2, runs)
    starts, every = jnp.stack((side, side[::-1]), 1), jax.jit(jax.vmap(run))
    return lambda: every(starts).block_until_ready()


def copy_speed() -> float:
    """The bytes a second that a copy to pinned memory reaches."""
    on_gpu = torch.empty(GIB, dtype=torch.uint8, device="cuda")
    pinned = torch.empty(GIB, dtype=torch.uint8, pin_memory=True)
    return GIB / seconds(lambda: pinned.copy_(on_gpu, non_blocking=True))


def waits_in_a_chunk() -> list[str]:
    """What the host waited for while it launched a chunk."""
    batch, step = compile_steps(batch_of(10_000, "cuda"))
    rows = Rows.of(batch)
    step(rows, 32, lambda: False)  # loads what the first launch needs
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        step(rows, 256, lambda: False)
    return [event.name for event in seen.events() or () if "ynchronize" in event.name]


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description="a GPU against a processor and JAX")
    parser.add_argument("--runs", type=int, default=1_000_000)
    runs = parser.parse_args().runs
    print(torch.cuda.get_device_name(), f"torch {torch.__version__}", sep=", ")

    ours = seconds(lambda: take_ends(batch_of(runs, "cuda")))
    print(f"ends of {runs:,} runs x {STEPS:,} steps: {ours:.3f} s", end="")
    few = min(runs, CPU_RUNS)
    cores = seconds(lambda: take_ends(batch_of(few, "cpu", threads=2))) * runs / few
    print(f"; two cores {cores:.1f} s ({cores / ours:.0f} times; of {few:,} runs)", end="")
    peer = jax_task(runs)
    theirs = None if peer is None else seconds(peer)
    print("; no JAX" if theirs is None else f"; JAX {theirs:.3f} s ({theirs / ours:.1f} times)")

    batch, speed = batch_of(RECORDED_RUNS, "cuda", steps=RECORDED_STEPS), copy_speed()
    size = take_records(batch)
    reached = size / seconds(lambda: take_records(batch))
    print(
        f"records of {RECORDED_RUNS:,} runs x {RECORDED_STEPS:,} steps: {size / GIB:.1f} GiB at "
        f"{reached / GIB:.1f} GiB/s, {reached / speed:.0%} of the {speed / GIB:.1f} GiB/s of a copy"
    )
    print(f"waits in a chunk: {waits_in_a_chunk() or 'none'}")


if __name__ == "__main__":
    main()
