"""A table of 1,000,000 rows × 20 columns: reading it and training on minibatches of 256.

    python benchmarks/data.py

Each part is a process of its own, whose memory is the most that it ever had, less what
`import torch` alone takes.
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
alone = peak()
from gdlab.losses import MSE
from gdlab.configuring import from_flat
from gdlab.experiment import Memory, execute
from gdlab.plan import batch_of

began = time.perf_counter()
loss = MSE(data=path, standardize=standardize, batch_size=256)
reading, after_reading = time.perf_counter() - began, peak() - alone
report = {"reading": reading, "memory of reading": after_reading}
if full_every:
    settings = from_flat({
        "loss": loss, "lr": 0.05, "steps": int(sys.argv[4]), "record.full_loss_every": full_every,
    })
    began = time.perf_counter()
    outcome = execute(settings, batch_of(settings), [Memory()], lambda: False)
    report |= {
        "training": time.perf_counter() - began, "memory": peak() - alone,
        "loss": outcome.final_loss, "minimum": outcome.final_loss - outcome.suboptimality,
    }
print(json.dumps(report))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = made()
        for name, write in (("CSV", csv.write_csv), ("Parquet", parquet.write_table)):
            path = Path(folder) / f"data.{name.lower()}"
            write(table, path)
            size = path.stat().st_size / MIB
            found = [measured(path, "false", 0) for _ in range(3)]
            seconds = min(part["reading"] for part in found)
            memory = max(part["memory of reading"] for part in found) / MIB
            print(
                f"{name} ({size:.0f} MiB): read in {seconds:.2f} s (goal: < 5 s), {memory:.0f} MiB"
            )
        path = Path(folder) / "data.csv"
        for standardize in ("false", "true"):
            for every in (100, STEPS):
                report(measured(path, standardize, every), standardize, every)


def report(found: dict[str, float], standardize: str, every: int) -> None:
    print(
        f"standardize={standardize} record.full_loss_every={every}: "
        f"{STEPS} steps in {found['training']:.1f} s, loss {found['loss']:.6f} "
        f"(least {found['minimum']:.6f}), {found['memory'] / MIB:.0f} MiB (goal: < 1024 MiB)"
    )


def measured(path: Path, standardize: str, full_every: int) -> dict[str, float]:
    command = [sys.executable, "-c", PART, str(path), standardize, str(full_every), str(STEPS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def made() -> pa.Table:
    """19 features, and a target that is linear in them but for noise."""
    random = np.random.default_rng(0)
    features = random.standard_normal((ROWS, COLUMNS - 1))
    target = features @ np.arange(1.0, COLUMNS) + 0.5 + 0.1 * random.standard_normal(ROWS)
    columns = {f"f{i}": column for i, column in enumerate(features.T)}
    return pa.table(columns | {"y": target})


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"all: {time.perf_counter() - began:.0f} s")
