"""What a shard costs on a Ray cluster, measured here, and how far many machines go with it.

    python benchmarks/machines.py

It needs Ray: pip install 'gdlab[ray]'. (a) Shards of one run of one step: the time of the driver's
processor and the wall clock, for each. (b) The memory of the driver for a hundred thousand runs and
for a million. (c) 400 shards of Adam on Rosenbrock by `ray` and by `processes`, alternately, from
the first table to the last, so that starting is left out; short ones, and those of a sweep's own
size. (d) A model of the efficiency of more cores and runs than there are here, and of the size of
shards.
"""

import resource
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from gdlab.config.loading import settings_from_flat
from gdlab.numerics.threads import cores
from gdlab.sweeps.executors.choice import with_executor
from gdlab.sweeps.executors.driver import run_shards
from gdlab.sweeps.executors.sizes import ShardCost, shard_size, sweep_seconds
from gdlab.sweeps.grid import Axis, product
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.plan import Plan

SHARDS, REPEATS = 400, 3
SHORT, OWN = (1024, 2000), (8192, 500)  # runs, steps
MANY = [10, 100, 1_000, 10_000]
RUNS = [10**6, 10**7, 10**8, 10**9]
SIZES = [256, 1_024, 4_096, 8_192, 65_536]
MOST = 8192  # engine.max_rows


def main() -> None:
    driver, wall = measure_cost()
    measure_memory()
    run = measure_throughput(*SHORT)
    measure_throughput(*OWN)
    model(ShardCost(driver, wall * cores()), run)


def plan_of(flat: Mapping[str, Any], runs: int, rows: int) -> Plan:
    """Return the plan of a sweep of seeds on Rosenbrock, in shards of so many rows."""
    axes = [Axis.of_numbers("seed", range(runs))]
    grid, first = product(axes), {"loss": "rosenbrock", "lr": 1e-3, **flat}
    groups = group_runs(grid, lambda _: settings_from_flat(first))
    return Plan(grid, tuple(groups), (None,), rows=rows)


def run_plan(plan: Plan, executor: str) -> list[float]:
    """Run all shards of a plan, drop their tables, and return when they came: seconds."""
    chosen = with_executor(plan, executor)
    shards = dict(enumerate(chosen.shards()))
    return [time.perf_counter() for _ in run_shards(chosen, shards)]


def measure_cost() -> tuple[float, float]:
    """Return what an empty shard takes of the driver's processor and of the clock, in seconds."""
    plan = plan_of({"steps": 1, "engine.mode": "eager"}, SHARDS, 1)
    run_plan(plan, "ray")  # starts Ray
    used, passed = [], []
    for _ in range(REPEATS):
        busy, begun = time.process_time(), time.perf_counter()
        run_plan(plan, "ray")
        used.append((time.process_time() - busy) / SHARDS)
        passed.append((time.perf_counter() - begun) / SHARDS)
    driver, wall = statistics.median(used), statistics.median(passed)
    print(f"a shard of one run of one step: {1e3 * driver:.2f} ms of the driver's processor,")
    print(f"  {1e3 * wall:.2f} ms of the wall clock on {cores()} cores", flush=True)
    return driver, wall


def measure_memory() -> None:
    """Print the driver's peak of memory; the tables are dropped as they come."""
    for runs in (10**5, 10**6):
        run_plan(plan_of({"steps": 1}, runs, 8192), "ray")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(f"{runs:,} runs: the driver's memory is at most {peak:.0f} MiB")


def measure_throughput(rows: int, steps: int) -> float:
    """Print how fast `ray` runs shards beside `processes`; return the seconds of a run."""
    flat = {"optimizer": "adam", "steps": steps, "engine.mode": "compiled", "start": "random"}
    plan = plan_of(flat, SHARDS * rows, rows)
    seconds: dict[str, list[float]] = {"ray": [], "processes": []}
    for _ in range(REPEATS):
        for executor, found in seconds.items():
            times = run_plan(plan, executor)
            found.append(times[-1] - times[0])
    ratios = [a / b for a, b in zip(seconds["processes"], seconds["ray"], strict=True)]
    told = ", ".join(f"{name} {statistics.median(t):.2f} s" for name, t in seconds.items())
    print(f"{SHARDS} shards of {rows:,} runs of {steps:,} steps: {told}")
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    median = statistics.median(ratios)
    print(f"  throughput of ray over processes: {median:.2f} ({spread})", flush=True)
    return statistics.median(seconds["ray"]) * cores() / (SHARDS * rows)


def model(cost: ShardCost, run: float) -> None:
    """Print the efficiency of many cores: the time of perfect cores over that with shards.

    The sizes of shards are some, and the one that a sweep has by itself.

    Args:
        cost: what a shard takes besides its runs.
        run: what a run takes of a core, in seconds.
    """
    print(f"a run takes {1e6 * run:.1f} µs; shards of {SIZES} runs, and of gdlab's choice")
    print(f"{'runs':>14} {'cores':>7}" + "".join(f"{size:>9}" for size in SIZES) + "   chosen")
    for runs in RUNS:
        for many in MANY:
            chosen = shard_size(runs, many, MOST, cost, run)
            found = [
                runs * run / many / sweep_seconds(runs, many, size, cost, run)
                for size in (*SIZES, chosen)
            ]
            cells = "".join(f"{value:9.2f}" for value in found)
            print(f"{runs:14,} {many:7,}{cells} ({chosen:,})")


if __name__ == "__main__":
    sys.exit(main())
