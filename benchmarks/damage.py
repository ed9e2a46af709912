"""Files of a run, a sweep and the cache of compiled steps, damaged at random and used again.

    python benchmarks/damage.py [count] [seed]

Each kind of file is damaged `count` times (default 2,000): flipped bits, a shorter or longer file,
overwritten bytes, a block of zeros, the content of another file, a folder, a pipe or a link in its
place, nothing at all. After each, a process of its own loads the run or the sweep, resumes the
sweep, reads the events or runs a compiled batch. It must give the result of the undamaged files, or
refuse in one line that names a file. A signal, a traceback, no end within 30 s or another result is
a failure. Prints a line for each kind and exits with 1 if there is a failure.
"""

import contextlib
import io
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any

import gdlab
from gdlab.__main__ import main

TIMEOUT = 30.0
QUIET = ("record.figures=false", "engine.threads=1")
RUN = ("lr=0.1", "steps=20", "hydra.run.dir=run", *QUIET)
SWEEP = ("-m", "lr=0.1,0.2", "seed=0,1", "steps=5", "hydra.sweep.dir=sweep", "engine.max_rows=2")

Change = Callable[[Path, random.Random], None]


def flip_bits(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def lengthen(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes() + draw.randbytes(draw.randrange(1, 100)))


def overwrite(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start, length = draw.randrange(len(content)), draw.randrange(1, 64)
    content[start : start + length] = draw.randbytes(length)
    path.write_bytes(content)


def change_digit(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    if digits:
        content[draw.choice(digits)] = ord(draw.choice("0123456789"))
    path.write_bytes(content)


def zero_block(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start = draw.randrange(len(content))
    content[start : start + 512] = bytes(len(content[start : start + 512]))
    path.write_bytes(content)


def exchange(path: Path, draw: random.Random) -> None:
    others = [p for p in sorted(path.parent.iterdir()) if p.is_file() and p != path]
    if others:
        path.write_bytes(draw.choice(others).read_bytes())


def delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def make_folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path, draw: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def make_link(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(draw.choice(("/dev/zero", "/dev/null", "nowhere")))


EDITS: list[Change] = [flip_bits, truncate, lengthen, overwrite, change_digit, zero_block, exchange]
CHANGES: list[Change] = [*EDITS * 4, delete, make_folder, make_pipe, make_link]


def load(directory: Path) -> list[Any]:
    """Everything that `gdlab.load` gives of a run or a sweep, times apart, to the last bit."""
    loaded = gdlab.load(directory)
    table = loaded.results.drop(columns=["seconds"]).to_csv()
    histories = [
        loaded.history(run).to_csv() for run in (sorted(loaded.directories or {}) or [None])
    ]
    return [table, loaded.config, loaded.varied, loaded.metrics, histories]


def resume(directory: Path) -> list[Any]:
    """Finish a sweep whose tables are gone, then load it."""
    with contextlib.suppress(FileNotFoundError):
        (directory / "results.parquet").unlink()
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main([f"resume={directory}"])
        except SystemExit as ended:
            if ended.code in (1, 2) and said.getvalue().count("\n") == 1:
                raise gdlab.GdlabError(said.getvalue()) from None
            if ended.code != 0:
                raise RuntimeError(f"code {ended.code}: {said.getvalue()}") from None
    return load(directory)


def view(directory: Path) -> list[Any]:
    """Read the losses as TensorBoard does; it shows those before the first damaged record."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    pipes = [path for path in directory.glob("events*") if not path.is_file()]
    if pipes:
        raise gdlab.GdlabError(f"{pipes[0]}: TensorBoard reads files only")
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0}).Reload()
    if "loss" not in events.Tags()["scalars"]:
        raise gdlab.GdlabError("no losses")
    return [(point.step, point.value) for point in events.Scalars("loss")]


def compile_and_run(folder: Path) -> list[Any]:
    """Run a compiled batch with the cache in a folder."""
    os.environ["XDG_CACHE_HOME"] = str(folder)
    tempfile.tempdir = str(folder)  # a step that is not trusted is compiled in a private folder
    engine = gdlab.Engine(mode="compiled", threads=1)
    run = gdlab.run(loss="rosenbrock", lr=0.001, steps=5, engine=engine)
    return [run.history.x.tobytes(), run.history.loss.tobytes()]


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it is, what uses it, and how its results compare."""

    directory: str
    pattern: str
    use: Callable[[Path], list[Any]]

    def damage(self, directory: Path, draw: random.Random) -> str:
        """Damage one of the files of this kind and return what happened to it."""
        path = draw.choice(sorted(directory.glob(self.pattern)))
        change = draw.choice(CHANGES)
        change(path, draw)
        return f"{change.__name__} {path.relative_to(directory)}"

    def is_true(self, result: list[Any], truth: list[Any]) -> bool:
        """Tell whether a result is that of the undamaged files; of events, the first ones."""
        return result == (truth[: len(result)] if self.use is view else truth)


KINDS = [
    Kind("run", "history.parquet", load),
    Kind("run", "result.json", load),
    Kind("run", ".hydra/config.yaml", load),
    Kind("run", "SHA256SUMS", load),
    Kind("run", "events*", view),
    Kind("sweep", "results.parquet", load),
    Kind("sweep", "sweep.json", load),
    Kind("sweep", "multirun.yaml", load),
    Kind("sweep", "*/history.parquet", load),
    Kind("sweep", "SHA256SUMS", load),
    Kind("sweep", "plan.json", resume),
    Kind("sweep", "plan.parquet", resume),
    Kind("sweep", "shards/*.parquet", resume),
    Kind("sweep", "*/history.parquet", resume),
    Kind("sweep", "*/result.json", resume),
    Kind("sweep", "*/SHA256SUMS", resume),
    Kind("sweep", "SHA256SUMS", resume),
    Kind("cache", "gdlab/*", compile_and_run),
]


@contextlib.contextmanager
def prepared() -> Iterator[Path]:
    """Yield a folder with a run, a sweep and a cache."""
    with tempfile.TemporaryDirectory() as name:
        folder, before = Path(name).resolve(), Path.cwd()
        os.chdir(folder)
        try:
            for words in (RUN, (*SWEEP, *QUIET, "record.events=false")):
                with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
                    main(list(words))
            in_child(compile_and_run, folder / "cache")
            yield folder
        finally:
            os.chdir(before)


def in_child(use: Callable[[Path], list[Any]], directory: Path) -> tuple[str, Any]:
    """Use a directory in a process of its own.

    Returns:
        "result" and what it gives, "refused" and the line, or "failed" and why.
    """
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer: tuple[str, Any] = ("result", use(directory))
        except gdlab.GdlabError as error:
            answer = ("refused", str(error).rstrip("\n"))
        except BaseException as error:
            answer = ("failed", f"{type(error).__name__}: {error}")
        with os.fdopen(sending, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        is_ready = bool(select([pipe], [], [], TIMEOUT)[0])
        if not is_ready:
            os.kill(child, signal.SIGKILL)
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if not is_ready:
        return "failed", f"no end within {TIMEOUT} s"
    if not content:
        return "failed", f"signal {os.WTERMSIG(status)}"
    return pickle.loads(content)


def try_damage(kind: Kind, folder: Path, truth: list[Any], draw: random.Random) -> tuple[str, str]:
    """Damage a copy of a directory and use it.

    Returns:
        "true", "refused" or "failed", and what happened.
    """
    copy = folder / "copy"
    shutil.copytree(folder / kind.directory, copy)
    what = kind.damage(copy, draw)
    outcome, answer = in_child(kind.use, copy)
    shutil.rmtree(copy)
    if outcome == "result":
        is_true = kind.is_true(answer, truth)
        return ("true", what) if is_true else ("failed", f"{what}: another result")
    if outcome == "refused" and "\n" in answer:
        outcome = "failed"
    return outcome, f"{what}: {answer}"


def main_of_benchmark(count: int, seed: int) -> int:
    """Damage each kind of file `count` times; return the exit code."""
    failures = 0
    with prepared() as folder:
        for kind in KINDS:
            outcome, truth = in_child(kind.use, folder / kind.directory)
            assert outcome == "result", truth
            draw, counts = random.Random(seed), Counter[str]()
            for _ in range(count):
                outcome, what = try_damage(kind, folder, truth, draw)
                counts[outcome] += 1
                if outcome == "failed":
                    print(f"    {what}", flush=True)
            failures += counts["failed"]
            label = f"{kind.directory}/{kind.pattern}"
            print(f"{label:28} {kind.use.__name__:16} {dict(counts)}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main_of_benchmark(*numbers, *(2000, 0)[len(numbers) :]))
