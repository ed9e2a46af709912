"""A sweep that is killed twenty times and resumed each time, beside the same one left alone.

    python benchmarks/kill.py [seed]

2,000 runs in 100 shards, all recorded. SIGKILL falls at random moments of the shards, at random
moments of what follows the last one, and when three files of the sweep are written but have not
their names yet. In the end every file must be the uninterrupted sweep's, but for seconds, times and
names of folders. Exits with 1 where one is not.
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

SHARDS, AMONG_SHARDS, AFTERWARDS = 100, 14, 3
AIMED = ("results.parquet", "results.csv", "sweep.json")
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
PATIENCE = 300.0

# The command line, killed when it is about to give a file its name.
DIES = """
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
    """When to kill: `delay` seconds after a condition came true of the sweep's directory.

    Without a condition, the sweep is killed before it gives the file `aim` its name.
    """

    name: str
    condition: Condition | None
    delay: float = 0.0
    aim: str | None = None


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        for home in (whole, killed):
            home.mkdir()
        with started(SWEEP, whole) as process:
            began, a_shard, afterwards = timed(process, whole / "s")
        print(f"left alone: {began + a_shard * SHARDS + afterwards:.1f} s, of which {began:.1f} s")
        print(f"until the first of {SHARDS} shards and {afterwards:.1f} s after the last")
        words, kept = SWEEP, {}
        draw = random.Random(seed)
        for number, moment in enumerate(moments(draw, a_shard, afterwards), 1):
            said = None
            while said is None:
                with started(words, killed, moment.aim) as process:
                    said = kill(process, killed / "s", moment)
                moment = replace(moment, delay=moment.delay / 2)  # if it was too late
            kept = untouched(killed / "s", kept)
            print(f"kill {number:2}: {moment.name}: {said}", flush=True)
            words = ["resume=s"]
        with started(words, killed) as process:
            process.wait(PATIENCE)
        untouched(killed / "s", kept)
        differences = list(compared(whole / "s", killed / "s"))
    print("\n".join(differences) or "identical")
    sys.exit(1 if differences or process.returncode != 0 else 0)


@contextmanager
def started(
    words: list[str], home: Path, aim: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    program = ["-m", "gdlab"] if aim is None else ["-c", DIES, aim]
    command = [sys.executable, *program, *words]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def timed(process: subprocess.Popen[bytes], sweep: Path) -> tuple[float, float, float]:
    """Seconds of a sweep until its first shard, per shard, and from the last one to the end."""
    times = [time.perf_counter()]
    for count in (1, SHARDS):
        wait_until(process, lambda count=count: shards(sweep) >= count)
        times.append(time.perf_counter())
    if process.wait(PATIENCE) != 0:
        sys.exit("the sweep fails when it is left alone")
    first, last = times[1] - times[0], times[2] - times[1]
    return first, last / (SHARDS - 1), time.perf_counter() - times[2]


def moments(draw: random.Random, a_shard: float, afterwards: float) -> Iterator[Moment]:
    for count in sorted(draw.sample(range(1, SHARDS - 5), AMONG_SHARDS)):
        yield Moment(f"past shard {count}", reached(count), draw.uniform(0, 2 * a_shard))
    for _ in range(AFTERWARDS):
        yield Moment("past the last shard", rewritten(AIMED[0]), draw.uniform(0, 0.8 * afterwards))
    for name in AIMED:
        yield Moment(f"writing {name}", None, aim=name)


def reached(count: int) -> Condition:
    """So many shards are done, one of them since the condition was made."""

    def made(sweep: Path) -> Callable[[], bool]:
        least = max(count, shards(sweep) + 1)
        return lambda: shards(sweep) >= least

    return made


def rewritten(name: str) -> Condition:
    """The file is another than when the condition was made."""

    def made(sweep: Path) -> Callable[[], bool]:
        path = sweep / name

        def written() -> int:
            return path.stat().st_mtime_ns if path.exists() else 0

        before = written()
        return lambda: written() != before

    return made


def shards(sweep: Path) -> int:
    return len(list(sweep.glob("shards/*.parquet")))


def wait_until(process: subprocess.Popen[bytes], has_come: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + PATIENCE
    while not has_come():
        if process.poll() is not None or time.perf_counter() > deadline:
            sys.exit("the sweep ended, or hangs, before the moment had come")
        time.sleep(1e-5)


def kill(process: subprocess.Popen[bytes], sweep: Path, moment: Moment) -> str | None:
    """Kill a sweep and say what it left; None where it had ended before."""
    for path in sweep.rglob(".*.partial"):
        path.unlink()  # of an earlier kill
    if moment.condition is not None:
        wait_until(process, moment.condition(sweep))
        time.sleep(moment.delay)
        process.send_signal(signal.SIGKILL)
    code = process.wait(PATIENCE)
    if code == 0 and moment.delay > 0:
        return None
    if code != -signal.SIGKILL:
        sys.exit(f"{moment.name}: it ended with {code}")
    half = sorted({path.name for path in sweep.rglob(".*.partial")})
    files = [name for name in AIMED if (sweep / name).exists()]
    return f"{shards(sweep)} shards, files {files}, half-written {half}"


def untouched(sweep: Path, before: dict[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """The shards there are; those there were are as they were, and each can be read."""
    found = {}
    for path in sorted(sweep.glob("shards/*.parquet")):
        pq.read_table(path, page_checksum_verification=True)
        found[path.name] = (path.read_bytes(), path.stat().st_mtime_ns)
    if {name: found.get(name) for name in before} != before:
        sys.exit("a finished shard was written again")
    return found


def compared(whole: Path, killed: Path) -> Iterator[str]:
    """Every difference between the files of two sweeps."""
    one, other = contents(whole), contents(killed)
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield f"{name} differs"
    kinds: dict[str, int] = {}
    for name in one:
        kinds[Path(name).name] = kinds.get(Path(name).name, 0) + 1
    few = {name: count for name, count in kinds.items() if "0" not in name}
    print(f"compared {len(one)} files, among them {few}")


def contents(sweep: Path) -> dict[str, Any]:
    """What each file says; the event files of a folder together."""
    found: dict[str, Any] = {}
    for path in sorted(sweep.rglob("*")):
        name = path.relative_to(sweep).as_posix()
        if "tfevents" in name:
            found.setdefault(f"{name.rpartition('/')[0]}/events", set()).update(shown(path))
        elif path.is_file():
            found[name] = said(path, str(sweep.parent))
    return found


def said(path: Path, home: str) -> Any:
    """What a file says, the seconds and the folder apart, such that equal means the same bits."""
    if path.suffix == ".parquet" and path.name != "history.parquet":
        table = pq.read_table(path)
        rest = [name for name in table.column_names if name != "seconds"]
        content = io.BytesIO()
        pq.write_table(table.select(rest).combine_chunks(), content)
        return content.getvalue()
    if path.name == "results.csv":
        return pd.read_csv(path, dtype=str).drop(columns="seconds").to_csv()
    if path.name == "result.json":
        return json.dumps({**json.loads(path.read_text("utf-8")), "seconds": None})
    return path.read_bytes().replace(home.encode(), b"HOME")


def shown(path: Path) -> Iterator[tuple[int, bytes]]:
    """What an event file shows at each step; its hyperparameters are left out: they hold times."""
    events = import_module("tensorboard.compat.proto.event_pb2")
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = events.Event.FromString(content[at + 12 : at + 12 + length])
        at += length + 16  # a record: its length, two checksums and the event
        if event.summary.value and not event.summary.value[0].tag.startswith("_hparams_"):
            said = event.summary.SerializeToString(deterministic=True)
            yield event.step, hashlib.sha256(said).digest()


if __name__ == "__main__":
    main()
