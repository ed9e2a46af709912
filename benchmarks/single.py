"""One run, measured: what recording costs, the engine's step beside torch.optim's, whole commands.

    python benchmarks/single.py [repetitions]

Everything is measured in turn, A B A B …, in one run of this script; ratios are medians over the
repetitions of the ratio of neighbours, which a slow spell of the machine hits alike.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gdlab.config.sections import Record
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.engine.loop import advance
from gdlab.losses import Loss, Quadratic, Rosenbrock
from gdlab.optimizers import SGD, Adam, Optimizer
from gdlab.recording.recorder import RunRecorder
from gdlab.runs.batching import batch_of
from gdlab.runs.run import execute
from gdlab.schedules import Constant

STEPS = 10_000
NEVER_CONVERGES = 1e-6  # a learning rate so small that no run ends early


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {STEPS:,} steps, medians of {repetitions}")
    recording(repetitions)
    steps(repetitions)
    commands(repetitions)


def recording(repetitions: int) -> None:
    """(a) The run with history, result and events, over the engine's bare loop."""
    settings = run_of(Rosenbrock(), SGD())
    recorded, bare = in_turn(lambda: record(settings), lambda: drain(settings), repetitions)
    show("(a) recording all but pictures / bare engine loop", recorded, bare, "at most 1.15")


def steps(repetitions: int) -> None:
    """(b) The engine's step at R = 1, over a bare torch.optim loop that records nothing."""
    optimizers = (("SGD", SGD(), torch.optim.SGD), ("Adam", Adam(), torch.optim.Adam))
    for loss in (Rosenbrock(), Quadratic()):
        for name, optimizer, peer in optimizers:
            settings = run_of(loss, optimizer)
            ours, theirs = in_turn(
                lambda settings=settings: drain(settings),
                lambda loss=loss, peer=peer: torch_optim(loss, peer),
                repetitions,
            )
            label = f"(b) engine / torch.optim.{name}, {type(loss).__name__}"
            show(label, ours, theirs, "at most 1.0", per=STEPS)


def commands(repetitions: int) -> None:
    """(c) Whole commands, less `python -c "import torch"`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gdlab", "optimizer=sgd", "lr=0.1"]
        plain = [*command, "record.figures=false"]
        torch_alone = [sys.executable, "-c", "import torch"]
        for label, words, goal in (
            ("(c) command without pictures - import torch", plain, 0.7),
            ("(c) command with pictures - import torch", command, 1.6),
        ):
            ours, theirs = in_turn(
                lambda words=words: call(words, folder),
                lambda: call(torch_alone, folder),
                repetitions,
            )
            extra = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
            medians = f"{statistics.median(ours):.2f} - {statistics.median(theirs):.2f} s"
            print(f"{label:<58} {extra:6.2f} s   ({medians}; at most {goal} s)")
        asked = [
            call([sys.executable, "-m", "gdlab", "--help"], folder) for _ in range(repetitions)
        ]
        print(f"{'(c) --help':<58} {statistics.median(asked):6.2f} s   (under 1 s)")


def run_of(loss: Loss, optimizer: Optimizer) -> Settings:
    record = Record(figures=False)
    return Settings(
        loss=loss,
        optimizer=optimizer,
        schedule=Constant(),
        lr=NEVER_CONVERGES,
        steps=STEPS,
        record=record,
    )


def drain(settings: Settings) -> None:
    batch: Batch = batch_of(settings)
    for _ in advance(batch):
        pass


def record(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = RunRecorder(Path(folder), settings)
        execute(settings, batch_of(settings), [recorder], lambda: False)


def torch_optim(loss: Loss, optimizer: type[torch.optim.Optimizer]) -> None:
    x = loss.tensor(loss.start).clone().requires_grad_()
    made = optimizer([x], lr=NEVER_CONVERGES, foreach=False)  # type: ignore[call-arg]
    for _ in range(STEPS):
        made.zero_grad()
        loss(x).backward()
        made.step()


def call(words: list[str], folder: str) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def in_turn(
    first: Callable[[], float | None], second: Callable[[], float | None], repetitions: int
) -> tuple[list[float], list[float]]:
    """Seconds of both, called in turn after one call each that does not count."""
    first()
    second()
    pairs = [(timed(first), timed(second)) for _ in range(repetitions)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def timed(function: Callable[[], float | None]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def show(label: str, ours: list[float], theirs: list[float], goal: str, per: int = 1) -> None:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    unit, scale = ("µs/step", 1e6 / per) if per > 1 else ("s", 1.0)
    times = (
        f"{statistics.median(ours) * scale:.3g} / {statistics.median(theirs) * scale:.3g} {unit}"
    )
    print(f"{label:<58} {ratio:6.3f}     ({times}; {goal})")


if __name__ == "__main__":
    main()
