"""One run: the cost of recording, the engine's step against torch.optim's, and whole commands.

    python benchmarks/single.py [repetitions]

Measurements alternate, A B A B …, in one run of this script. A ratio is the median of the ratios of
neighboring measurements, which a slow phase of the machine affects alike.
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
    """(a) Measure a run with history, result and events, over the bare engine loop."""
    settings = make_settings(Rosenbrock(), SGD())
    recorded, bare = alternate(lambda: record(settings), lambda: drain(settings), repetitions)
    print_ratio("(a) recording all but pictures / bare engine loop", recorded, bare, "at most 1.15")


def steps(repetitions: int) -> None:
    """(b) Measure the engine's step at R = 1, over a bare torch.optim loop without records."""
    optimizers = (("SGD", SGD(), torch.optim.SGD), ("Adam", Adam(), torch.optim.Adam))
    for loss in (Rosenbrock(), Quadratic()):
        for name, optimizer, peer in optimizers:
            settings = make_settings(loss, optimizer)
            ours, theirs = alternate(
                lambda settings=settings: drain(settings),
                lambda loss=loss, peer=peer: torch_optim(loss, peer),
                repetitions,
            )
            label = f"(b) engine / torch.optim.{name}, {type(loss).__name__}"
            print_ratio(label, ours, theirs, "at most 1.0", per=STEPS)


def commands(repetitions: int) -> None:
    """(c) Measure whole commands, less `python -c "import torch"`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gdlab", "optimizer=sgd", "lr=0.1"]
        plain = [*command, "record.figures=false"]
        torch_alone = [sys.executable, "-c", "import torch"]
        for label, words, goal in (
            ("(c) command without pictures - import torch", plain, 0.7),
            ("(c) command with pictures - import torch", command, 1.6),
        ):
            ours, theirs = alternate(
                lambda words=words: call(words, folder),
                lambda: call(torch_alone, folder),
                repetitions,
            )
            extra = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
            medians = f"{statistics.median(ours):.2f} - {statistics.median(theirs):.2f} s"
            print(f"{label:<58} {extra:6.2f} s   ({medians}; at most {goal} s)")
        times = [
            call([sys.executable, "-m", "gdlab", "--help"], folder) for _ in range(repetitions)
        ]
        print(f"{'(c) --help':<58} {statistics.median(times):6.2f} s   (under 1 s)")


def make_settings(loss: Loss, optimizer: Optimizer) -> Settings:
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
    for _ in advance(batch_of(settings)):
        pass


def record(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = RunRecorder(Path(folder), settings)
        execute(settings, batch_of(settings), [recorder], lambda: False)


def torch_optim(loss: Loss, optimizer: type[torch.optim.Optimizer]) -> None:
    x = loss.tensor(loss.start).clone().requires_grad_()
    stepper = optimizer([x], lr=NEVER_CONVERGES, foreach=False)  # type: ignore[call-arg]
    for _ in range(STEPS):
        stepper.zero_grad()
        loss(x).backward()
        stepper.step()


def call(words: list[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def alternate(
    first: Callable[[], float | None], second: Callable[[], float | None], repetitions: int
) -> tuple[list[float], list[float]]:
    """Time two functions in alternation, after one warm-up call each."""
    first()
    second()
    pairs = [(seconds_of(first), seconds_of(second)) for _ in range(repetitions)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def seconds_of(function: Callable[[], float | None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def print_ratio(
    label: str, ours: list[float], theirs: list[float], goal: str, per: int = 1
) -> None:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    unit, scale = ("µs/step", 1e6 / per) if per > 1 else ("s", 1.0)
    times = (
        f"{statistics.median(ours) * scale:.3g} / {statistics.median(theirs) * scale:.3g} {unit}"
    )
    print(f"{label:<58} {ratio:6.3f}     ({times}; {goal})")


if __name__ == "__main__":
    main()
