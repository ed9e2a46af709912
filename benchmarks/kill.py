"""A sweep that is killed and resumed twenty times, against the same sweep without interruption.

    python benchmarks/kill.py [seed]

2,000 runs in 100 shards, all recorded. SIGKILL comes at random moments while the shards run, at
random moments after the last one, and when each of three files of the sweep is written but not yet
renamed. In the end every file must equal that of the uninterrupted sweep, except for seconds, times
and names of directories. Exits with 1 if one does not.
"""

import hashlib
import io
import json
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

SHARDS, KILLS_IN_SHARDS, KILLS_AFTERWARDS = 100, 14, 3
KILLED_FILES = ("results.parquet", "results.csv", "sweep.json")
SWEEP = [
    *("-m", "loss=rosenbrock", "optimizer=sgd,adam", "lr=tag(log,interval(1e-5,1))"),
    *("hydra.sweeper.points=100", "seed=range(10)", "start=random", "noise=0.1", "steps=300"),
    *(
        "engine.max_rows=20",
        "record.max_run_dirs=2000",
        "record.max_figures=6",
        "hydra.sweep.dir=s",
    ),
]
TIMEOUT = 300.0

# The command line, killed just before it renames a file.
KILLED_PROGRAM = """
import os, signal, sys
rename, name = os.replace, sys.argv.pop(1)
def replace(source, target):
    if os.path.basename(target) == name:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.replace = replace
from gdlab.__main__ import main
main()
"""


Condition = Callable[[Path], Callable[[], bool]]


@dataclass(frozen=True)
class Moment:
    """When to kill: `delay` seconds after the sweep's directory met a condition.

    Without a condition, the sweep is killed before it renames the file `killed_file`.
    """

    name: str
    condition: Condition | None
    delay: float = 0.0
    killed_file: str | None = None


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        for home in (whole, killed):
            home.mkdir()
        with start_sweep(SWEEP, whole) as process:
            first, per_shard, rest = time_sweep(process, whole / "s")
        print(f"uninterrupted: {first + per_shard * SHARDS + rest:.1f} s, of which {first:.1f} s")
        print(f"until the first of {SHARDS} shards and {rest:.1f} s after the last")
        words, shards = SWEEP, {}
        draw = random.Random(seed)
        for number, moment in enumerate(draw_moments(draw, per_shard, rest), 1):
            report = None
            while report is None:
                with start_sweep(words, killed, moment.killed_file) as process:
                    report = kill(process, killed / "s", moment)
                moment = replace(moment, delay=moment.delay / 2)  # in case it was too late
            shards = check_shards(killed / "s", shards)
            print(f"kill {number:2}: {moment.name}: {report}", flush=True)
            words = ["resume=s"]
        with start_sweep(words, killed) as process:
            process.wait(TIMEOUT)
        check_shards(killed / "s", shards)
        differences = list(compare(whole / "s", killed / "s"))
    print("\n".join(differences) or "identical")
    sys.exit(1 if differences or process.returncode != 0 else 0)


@contextmanager
def start_sweep(
    words: list[str], home: Path, killed_file: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    program = ["-m", "gdlab"] if killed_file is None else ["-c", KILLED_PROGRAM, killed_file]
    command = [sys.executable, *program, *words]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def time_sweep(process: subprocess.Popen[bytes], sweep: Path) -> tuple[float, float, float]:
    """Time a sweep: seconds until its first shard, per shard, and after the last one."""
    times = [time.perf_counter()]
    for count in (1, SHARDS):
        wait_until(process, lambda count=count: count_shards(sweep) >= count)
        times.append(time.perf_counter())
    if process.wait(TIMEOUT) != 0:
        sys.exit("the uninterrupted sweep fails")
    first, last = times[1] - times[0], times[2] - times[1]
    return first, last / (SHARDS - 1), time.perf_counter() - times[2]


def draw_moments(draw: random.Random, per_shard: float, rest: float) -> Iterator[Moment]:
    for count in sorted(draw.sample(range(1, SHARDS - 5), KILLS_IN_SHARDS)):
        yield Moment(f"past shard {count}", shards_done(count), draw.uniform(0, 2 * per_shard))
    for _ in range(KILLS_AFTERWARDS):
        delay = draw.uniform(0, 0.8 * rest)
        yield Moment("past the last shard", file_rewritten(KILLED_FILES[0]), delay)
    for name in KILLED_FILES:
        yield Moment(f"writing {name}", None, killed_file=name)


def shards_done(count: int) -> Condition:
    """At least `count` shards are done, one of them since the condition was created."""

    def condition(sweep: Path) -> Callable[[], bool]:
        minimum = max(count, count_shards(sweep) + 1)
        return lambda: count_shards(sweep) >= minimum

    return condition


def file_rewritten(name: str) -> Condition:
    """The file was written since the condition was created."""

    def condition(sweep: Path) -> Callable[[], bool]:
        path = sweep / name

        def time_written() -> int:
            return path.stat().st_mtime_ns if path.exists() else 0

        before = time_written()
        return lambda: time_written() != before

    return condition


def count_shards(sweep: Path) -> int:
    return len(list(sweep.glob("shards/*.parquet")))


def wait_until(process: subprocess.Popen[bytes], is_met: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + TIMEOUT
    while not is_met():
        if process.poll() is not None or time.perf_counter() > deadline:
            sys.exit("the sweep ended or hung before the moment to kill it")
        time.sleep(1e-5)


def kill(process: subprocess.Popen[bytes], sweep: Path, moment: Moment) -> str | None:
    """Kill a sweep, and describe the files it left; None if it had already ended."""
    for path in sweep.rglob(".*.partial"):
        path.unlink()  # from an earlier kill
    if moment.condition is not None:
        wait_until(process, moment.condition(sweep))
        time.sleep(moment.delay)
        process.send_signal(signal.SIGKILL)
    code = process.wait(TIMEOUT)
    if code == 0 and moment.delay > 0:
        return None
    if code != -signal.SIGKILL:
        sys.exit(f"{moment.name}: the sweep ended with {code}")
    partial = sorted({path.name for path in sweep.rglob(".*.partial")})
    files = [name for name in KILLED_FILES if (sweep / name).exists()]
    return f"{count_shards(sweep)} shards, files {files}, partial {partial}"


def check_shards(sweep: Path, before: dict[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """Return the shards; check that each can be read and that those from before are unchanged."""
    shards = {}
    for path in sorted(sweep.glob("shards/*.parquet")):
        pq.read_table(path, page_checksum_verification=True)
        shards[path.name] = (path.read_bytes(), path.stat().st_mtime_ns)
    if {name: shards.get(name) for name in before} != before:
        sys.exit("a finished shard was written again")
    return shards


def compare(whole: Path, killed: Path) -> Iterator[str]:
    """Yield the differences between the files of two sweeps."""
    expected, actual = read_files(whole), read_files(killed)
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            yield f"{name} differs"
    kinds: dict[str, int] = {}
    for name in expected:
        kinds[Path(name).name] = kinds.get(Path(name).name, 0) + 1
    unnumbered = {name: count for name, count in kinds.items() if "0" not in name}
    print(f"compared {len(expected)} files, among them {unnumbered}")


def read_files(sweep: Path) -> dict[str, Any]:
    """Read the content of each file; the event files of a directory together."""
    contents: dict[str, Any] = {}
    for path in sorted(sweep.rglob("*")):
        name = path.relative_to(sweep).as_posix()
        if "tfevents" in name:
            directory = name.rpartition("/")[0]
            contents.setdefault(f"{directory}/events", set()).update(read_events(path))
        elif path.is_file():
            contents[name] = comparable_content(path, str(sweep.parent))
    return contents


def comparable_content(path: Path, home: str) -> Any:
    """Return the content of a file without seconds and directory; equal means the same bits."""
    if path.suffix == ".parquet" and path.name != "history.parquet":
        table = pq.read_table(path)
        names = [name for name in table.column_names if name != "seconds"]
        content = io.BytesIO()
        pq.write_table(table.select(names).combine_chunks(), content)
        return content.getvalue()
    if path.name == "results.csv":
        return pd.read_csv(path, dtype=str).drop(columns="seconds").to_csv()
    if path.name == "result.json":
        return json.dumps({**json.loads(path.read_text("utf-8")), "seconds": None})
    return path.read_bytes().replace(home.encode(), b"HOME")


def read_events(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the summaries of an event file, without the hyperparameters, which contain times."""
    events = import_module("tensorboard.compat.proto.event_pb2")
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = events.Event.FromString(content[at + 12 : at + 12 + length])
        at += length + 16  # a record: its length, two checksums and the event
        if event.summary.value and not event.summary.value[0].tag.startswith("_hparams_"):
            summary = event.summary.SerializeToString(deterministic=True)
            yield event.step, hashlib.sha256(summary).digest()


if __name__ == "__main__":
    main()
