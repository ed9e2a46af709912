"""Digests of the results of 60 commands, to show that a change alters none of them.

    python benchmarks/digests.py > before.txt
    …
    python benchmarks/digests.py > after.txt; diff before.txt after.txt

Each line is a command with digests of its `results.parquet`, of its histories and of the numbers in
its `result.json` or report: the values to the last bit, without times, versions and text. The
commands in `digests.txt` cover all losses, optimizers, schedules, transformations, kinds of noise,
modes and executors.
"""

import argparse
import hashlib
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

IGNORED = {"seconds", "versions", "reason", "mode_reason"}

QUIET = ("record.figures=false", "record.events=false")
COMMANDS = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description="digests of the results of commands")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of commands; default: all")
    options = parser.parse_args()
    numbers = options.only or range(1, len(COMMANDS) + 1)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.workers) as pool:
        lines = pool.map(lambda number: run_command(number, Path(folder)), numbers)
        for line in lines:
            print(line, flush=True)


def run_command(number: int, folder: Path) -> str:
    """Run a command in its own directory, and return its exit code, digests and text."""
    module, *words = shlex.split(COMMANDS[number - 1])
    directory = folder / f"{number:02}"
    if module == "gdlab":
        setting = "hydra.sweep.dir" if "-m" in words else "hydra.run.dir"
        words += [*QUIET, f"{setting}={directory}"]
    command = [sys.executable, "-m", module, *words]
    process = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    tables, histories, numbers = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    files = 0
    if "--json" in words and process.stdout:
        files = 1
        numbers.update("".join(iterate_numbers(json.loads(process.stdout))).encode())
    for path in sorted(directory.rglob("*"), key=lambda path: str(path.relative_to(directory))):
        files += 1
        if path.name == "results.parquet":
            digest_table(tables, pq.read_table(path))
        elif path.name.endswith("history.parquet"):
            digest_table(histories, pq.read_table(path))
        elif path.name == "result.json":
            numbers.update("".join(iterate_numbers(json.loads(path.read_text()))).encode())
        else:
            files -= 1
    digests = " ".join(digest.hexdigest()[:12] for digest in (tables, histories, numbers))
    error = "" if files else f" !! {process.stderr.strip()[-200:]}"
    result = f"{number:02} exit={process.returncode} files={files} {digests}"
    return f"{result}  {COMMANDS[number - 1]}{error}"


def digest_table(digest: "hashlib._Hash", table: pa.Table) -> None:
    """Add the columns of a table in order of their names, except those that may differ."""
    for name in sorted(set(table.column_names) - IGNORED):
        column = table[name].combine_chunks()
        digest.update(name.encode())
        for value in column.to_pylist():
            digest.update(exact_text(value).encode())


def iterate_numbers(node: object, key: str = "") -> Iterator[str]:
    """Yield all numbers of nested JSON in order, except those that may differ."""
    if key in IGNORED:
        return
    if isinstance(node, dict):
        for name, value in node.items():
            yield from iterate_numbers(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from iterate_numbers(value)
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield exact_text(node)


def exact_text(value: object) -> str:
    """Return a value as text, floats to the last bit."""
    if isinstance(value, float):
        return "nan;" if math.isnan(value) else f"{value.hex()};"
    return f"{value};"


if __name__ == "__main__":
    main()
