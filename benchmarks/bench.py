"""Comparisons: seconds of `python -m gdlab.bench`, and what one evaluation costs.

python benchmarks/bench.py [quick|classic …]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

QUICK = ("sgd", "momentum", "nesterov", "adam", "rmsprop", "adagrad", "bfgs", "lbfgs")
CLASSIC = (*QUICK, "heavy_ball", "adamw", "nadam", "radam", "adamax", "adabelief", "adadelta")
CLASSIC = (*CLASSIC, "lion", "signsgd", "rprop", "bb1", "adgd")
GOALS = {"quick": (QUICK, 60.0), "classic": (CLASSIC, 600.0)}


def measure(suite: str, folder: Path) -> None:
    """Run a comparison, print its seconds beside the goal."""
    optimizers, goal = GOALS[suite]
    directory = folder / suite
    command = [sys.executable, "-m", "gdlab.bench", f"optimizers={','.join(optimizers)}"]
    command += [f"suite={suite}", f"hydra.run.dir={directory}"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - began
    parts = [*directory.glob("tuning/*.parquet"), *directory.glob("scoring/*.parquet")]
    counts = [pd.read_parquet(part, columns=["evaluations"]).to_numpy() for part in parts]
    runs, spent = sum(map(len, counts)), sum(int(count.sum()) for count in counts)
    print(f"suite={suite}, {len(optimizers)} optimizers: {seconds:.0f} s (goal {goal:.0f} s)")
    print(f"  {runs:,} runs, {spent:,} evaluations: {1e6 * seconds / spent:.2f} µs each")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[1:] or GOALS:
            measure(name, Path(scratch))
