"""Sweeps, measured against the loop that is written without gdlab.

    python benchmarks/sweep.py

(a) 1,000 learning rates × 1,000 steps of Rosenbrock with everything recorded, on the command line,
over Hydra's basic launcher with `torch.optim.SGD` and `SummaryWriter`, measured on 10 jobs and
scaled. (b) 10,000 and 100,000 runs × 1,000 steps, tables only, on the command line and from Python.
"""

import json
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
swept = gdlab.sweep(loss="rosenbrock", lr=torch.logspace(-5, -3, lrs, dtype=torch.float64),
                    seed=range(seeds), start="random", steps=1000)
assert len(swept.results) == lrs * seeds
"""


def main() -> None:
    torch_alone = min(seconds([sys.executable, "-c", "import torch"]) for _ in range(3))
    print(f"import torch: {torch_alone:.2f} s, taken off every time below")
    recorded(torch_alone)
    for lrs, seeds in ((1_000, 10), (1_000, 100)):
        tables(lrs, seeds, torch_alone)


def recorded(torch_alone: float) -> None:
    """(a) Everything recorded."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder) / "peer.py"
        peer.write_text(PEER)
        one = seconds([sys.executable, str(peer), "-m", "lr=0.001"], folder)
        values = ",".join(str(1e-5 * 1.6**i) for i in range(PEER_JOBS))
        ten = seconds([sys.executable, str(peer), "-m", f"lr={values}"], folder)
        a_job = (ten - one) / (PEER_JOBS - 1)
        sweep = [*LOSS, "lr=tag(log,interval(1e-5,1e-3))", f"hydra.sweeper.points={RUNS}"]
        for label, more in (("with pictures", []), ("without", ["record.figures=false"])):
            ours = seconds(gdlab("-m", *sweep, *more), folder) - torch_alone
            print(
                f"(a) {RUNS:,} runs x {STEPS:,} steps, {label}: {ours:.1f} s; the loop "
                f"{a_job:.2f} s a job, {a_job * RUNS:,.0f} s: {a_job * RUNS / ours:.0f} times"
            )


def tables(lrs: int, seeds: int, torch_alone: float) -> None:
    """(b) Tables only."""
    runs = lrs * seeds
    axes = ["lr=tag(log,interval(1e-5,1e-3))", f"hydra.sweeper.points={lrs}"]
    words = ["-m", *LOSS, *axes, f"seed=range({seeds})", "start=random", *TABLES_ONLY]
    python = [sys.executable, "-c", FROM_PYTHON, str(lrs), str(seeds)]
    with tempfile.TemporaryDirectory() as folder:
        for label, command in (("command line", gdlab(*words)), ("gdlab.sweep", python)):
            taken, peak = measured(command, folder)
            a_step = (taken - torch_alone) / runs / STEPS
            print(
                f"(b) {runs:,} runs x {STEPS:,} steps, {label}: {taken - torch_alone:.1f} s, "
                f"{a_step * 1e9:.1f} ns a run-step, {peak:.2f} GiB"
            )


def gdlab(*words: str) -> list[str]:
    return [sys.executable, "-m", "gdlab", *words]


def seconds(command: list[str], folder: str | None = None) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def measured(command: list[str], folder: str) -> tuple[float, float]:
    """Seconds and the peak memory in GiB of a command."""
    watch = (
        "import json, resource, subprocess, sys, time; began = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
        "print(json.dumps([time.perf_counter() - began, used / 2**20]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch, *command], cwd=folder, check=True, capture_output=True
    )
    taken, peak = json.loads(done.stdout.splitlines()[-1])
    return taken, peak


if __name__ == "__main__":
    main()
