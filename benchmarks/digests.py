"""Digests of what 60 commands leave, to show that a change alters no result.

    python benchmarks/digests.py > before.txt
    …
    python benchmarks/digests.py > after.txt; diff before.txt after.txt

Each line is a command with a digest of its `results.parquet`, its histories and the numbers of its
`result.json` or report: the values to the last bit, without times, versions and words. Those
of `digests.txt` cover all losses, optimizers, schedules, transformations, kinds of noise, modes and
executors.
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

LEFT_OUT = {"seconds", "versions", "reason", "mode_reason"}

QUIET = ("record.figures=false", "record.events=false")
COMMANDS = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description="digests of what commands leave")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of commands; all if not given")
    given = parser.parse_args()
    numbers = given.only or range(1, len(COMMANDS) + 1)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.workers) as pool:
        lines = pool.map(lambda number: line_of(number, Path(folder)), numbers)
        for line in lines:
            print(line, flush=True)


def line_of(number: int, folder: Path) -> str:
    """A command run in a directory of its own: exit code, digests, and the command."""
    module, *words = shlex.split(COMMANDS[number - 1])
    directory = folder / f"{number:02}"
    if module == "gdlab":
        named = "hydra.sweep.dir" if "-m" in words else "hydra.run.dir"
        words += [*QUIET, f"{named}={directory}"]
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    tables, histories, numbers = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    files = 0
    if "--json" in words and done.stdout:
        files = 1
        numbers.update("".join(numbers_of(json.loads(done.stdout))).encode())
    for path in sorted(directory.rglob("*"), key=lambda path: str(path.relative_to(directory))):
        files += 1
        if path.name == "results.parquet":
            digest_table(tables, pq.read_table(path))
        elif path.name.endswith("history.parquet"):
            digest_table(histories, pq.read_table(path))
        elif path.name == "result.json":
            numbers.update("".join(numbers_of(json.loads(path.read_text()))).encode())
        else:
            files -= 1
    found = " ".join(digest.hexdigest()[:12] for digest in (tables, histories, numbers))
    said = "" if files else f" !! {done.stderr.strip()[-200:]}"
    return f"{number:02} exit={done.returncode} files={files} {found}  {COMMANDS[number - 1]}{said}"


def digest_table(digest: "hashlib._Hash", table: pa.Table) -> None:
    """Take in the columns of a table by name, but for those that may differ."""
    for name in sorted(set(table.column_names) - LEFT_OUT):
        column = table[name].combine_chunks()
        digest.update(name.encode())
        for value in column.to_pylist():
            digest.update(exact(value).encode())


def numbers_of(node: object, key: str = "") -> Iterator[str]:
    """All numbers of nested JSON, in order, without those that may differ."""
    if key in LEFT_OUT:
        return
    if isinstance(node, dict):
        for name, value in node.items():
            yield from numbers_of(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from numbers_of(value)
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield exact(node)


def exact(value: object) -> str:
    """A value as text, floats to the last bit."""
    if isinstance(value, float):
        return "nan;" if math.isnan(value) else f"{value.hex()};"
    return f"{value};"


if __name__ == "__main__":
    main()
