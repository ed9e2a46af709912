"""Read a table of 1,000,000 rows × 20 columns and train on minibatches of 256.

    python benchmarks/data.py

Each part runs in its own process. Its memory is the peak, less that of `import torch`.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

ROWS, COLUMNS, STEPS = 1_000_000, 20, 2_000
MIB = 2**20

PART = """
import json, sys, time
import torch

def peak():
    status = open("/proc/self/status").read()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])

path, standardize, full_every = sys.argv[1], sys.argv[2] == "true", int(sys.argv[3])
baseline = peak()
from gdlab.config.loading import settings_from_flat
from gdlab.losses import MSE
from gdlab.runs.batching import batch_of
from gdlab.runs.run import execute
from gdlab.runs.sinks import MemorySink

start = time.perf_counter()
loss = MSE(data=path, standardize=standardize, batch_size=256)
reading, after_reading = time.perf_counter() - start, peak() - baseline
report = {"reading": reading, "memory of reading": after_reading}
if full_every:
    settings = settings_from_flat({
        "loss": loss, "lr": 0.05, "steps": int(sys.argv[4]), "record.full_loss_every": full_every,
    })
    start = time.perf_counter()
    outcome = execute(settings, batch_of(settings), [MemorySink()], lambda: False)
    report |= {
        "training": time.perf_counter() - start, "memory": peak() - baseline,
        "loss": outcome.final_loss, "minimum": outcome.final_loss - outcome.suboptimality,
    }
print(json.dumps(report))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = make_table()
        for name, write in (("CSV", csv.write_csv), ("Parquet", parquet.write_table)):
            path = Path(folder) / f"data.{name.lower()}"
            write(table, path)
            size = path.stat().st_size / MIB
            reports = [run_part(path, "false", 0) for _ in range(3)]
            seconds = min(report["reading"] for report in reports)
            memory = max(report["memory of reading"] for report in reports) / MIB
            print(
                f"{name} ({size:.0f} MiB): read in {seconds:.2f} s (goal: < 5 s), {memory:.0f} MiB"
            )
        path = Path(folder) / "data.csv"
        for standardize in ("false", "true"):
            for every in (100, STEPS):
                print_report(run_part(path, standardize, every), standardize, every)


def print_report(report: dict[str, float], standardize: str, every: int) -> None:
    print(
        f"standardize={standardize} record.full_loss_every={every}: "
        f"{STEPS} steps in {report['training']:.1f} s, loss {report['loss']:.6f} "
        f"(minimum {report['minimum']:.6f}), {report['memory'] / MIB:.0f} MiB (goal: < 1024 MiB)"
    )


def run_part(path: Path, standardize: str, full_every: int) -> dict[str, float]:
    command = [sys.executable, "-c", PART, str(path), standardize, str(full_every), str(STEPS)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(process.stdout)


def make_table() -> pa.Table:
    """19 features, and a target that is linear in them plus noise."""
    random = np.random.default_rng(0)
    features = random.standard_normal((ROWS, COLUMNS - 1))
    target = features @ np.arange(1.0, COLUMNS) + 0.5 + 0.1 * random.standard_normal(ROWS)
    columns = {f"f{i}": column for i, column in enumerate(features.T)}
    return pa.table(columns | {"y": target})


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"total: {time.perf_counter() - start:.0f} s")
