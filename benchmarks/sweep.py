"""Sweeps, measured against a loop written without gdlab.

    python benchmarks/sweep.py

(a) 1,000 learning rates × 1,000 steps of Rosenbrock with everything recorded, on the command line,
against Hydra's basic launcher with `torch.optim.SGD` and `SummaryWriter`, measured on 10 jobs and
scaled. (b) 10,000 and 100,000 runs × 1,000 steps, tables only, on the command line and from Python.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS, STEPS, PEER_JOBS = 1_000, 1_000, 10
LOSS = ["loss=rosenbrock", f"steps={STEPS}"]
TABLES_ONLY = ["record.max_run_dirs=0", "record.figures=false"]

PEER = """
import hydra, torch
from hydra.core.hydra_config import HydraConfig
from torch.utils.tensorboard import SummaryWriter

@hydra.main(version_base="1.3", config_path=None, config_name="peer")
def main(config):
    torch.set_default_dtype(torch.float64)
    x = torch.tensor([-1.2, 1.0], requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=config.lr)
    writer = SummaryWriter(HydraConfig.get().runtime.output_dir)
    for step in range(config.steps):
        optimizer.zero_grad()
        loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        loss.backward()
        writer.add_scalar("loss", loss.item(), step)
        writer.add_scalar("grad_norm", x.grad.norm().item(), step)
        writer.add_scalar("x/x0", x[0].item(), step)
        writer.add_scalar("x/x1", x[1].item(), step)
        optimizer.step()
    writer.close()

from hydra.core.config_store import ConfigStore
ConfigStore.instance().store("peer", {"lr": 0.001, "steps": 1000})
main()
"""

FROM_PYTHON = """
import sys, torch, gdlab
lrs, seeds = int(sys.argv[1]), int(sys.argv[2])
sweep = gdlab.sweep(loss="rosenbrock", lr=torch.logspace(-5, -3, lrs, dtype=torch.float64),
                    seed=range(seeds), start="random", steps=1000)
assert len(sweep.results) == lrs * seeds
"""


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each command compiles gdlab: 0.3 s
    torch_seconds = min(run_command([sys.executable, "-c", "import torch"]) for _ in range(3))
    print(f"import torch: {torch_seconds:.2f} s, subtracted from every time below")
    measure_recorded(torch_seconds)
    for lrs, seeds in ((1_000, 10), (1_000, 100)):
        measure_tables(lrs, seeds, torch_seconds)


def measure_recorded(torch_seconds: float) -> None:
    """(a) Measure a sweep with everything recorded."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder) / "peer.py"
        peer.write_text(PEER)
        one = run_command([sys.executable, str(peer), "-m", "lr=0.001"], folder)
        values = ",".join(str(1e-5 * 1.6**i) for i in range(PEER_JOBS))
        ten = run_command([sys.executable, str(peer), "-m", f"lr={values}"], folder)
        per_job = (ten - one) / (PEER_JOBS - 1)
        sweep = [*LOSS, "lr=tag(log,interval(1e-5,1e-3))", f"hydra.sweeper.points={RUNS}"]
        for label, more in (("with pictures", []), ("without", ["record.figures=false"])):
            ours = run_command(gdlab("-m", *sweep, *more), folder) - torch_seconds
            print(
                f"(a) {RUNS:,} runs x {STEPS:,} steps, {label}: {ours:.1f} s; the loop "
                f"{per_job:.2f} s a job, {per_job * RUNS:,.0f} s: {per_job * RUNS / ours:.0f} times"
            )


def measure_tables(lrs: int, seeds: int, torch_seconds: float) -> None:
    """(b) Measure a sweep with tables only."""
    runs = lrs * seeds
    axes = ["lr=tag(log,interval(1e-5,1e-3))", f"hydra.sweeper.points={lrs}"]
    words = ["-m", *LOSS, *axes, f"seed=range({seeds})", "start=random", *TABLES_ONLY]
    python = [sys.executable, "-c", FROM_PYTHON, str(lrs), str(seeds)]
    with tempfile.TemporaryDirectory() as folder:
        for label, command in (("command line", gdlab(*words)), ("gdlab.sweep", python)):
            seconds, peak = measure_command(command, folder)
            per_step = (seconds - torch_seconds) / runs / STEPS
            print(
                f"(b) {runs:,} runs x {STEPS:,} steps, {label}: {seconds - torch_seconds:.1f} s, "
                f"{per_step * 1e9:.1f} ns a run-step, {peak:.2f} GiB"
            )


def gdlab(*words: str) -> list[str]:
    return [sys.executable, "-m", "gdlab", *words]


def run_command(command: list[str], folder: str | None = None) -> float:
    """Run a command, and return its seconds."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def measure_command(command: list[str], folder: str) -> tuple[float, float]:
    """Run a command, and return its seconds and peak memory in GiB."""
    watch = (
        "import json, resource, subprocess, sys, time; start = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
        "print(json.dumps([time.perf_counter() - start, used / 2**20]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", watch, *command], cwd=folder, check=True, capture_output=True
    )
    seconds, peak = json.loads(process.stdout.splitlines()[-1])
    return seconds, peak


if __name__ == "__main__":
    main()
