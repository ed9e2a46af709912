"""A few small recorded runs of every kind that the viewer knows, made once."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import gdlab

QUIET: dict[str, Any] = {"record.figures": False, "record.events": False}
SHARPNESS: dict[str, Any] = {"record.sharpness_every": 3}


class Mine(gdlab.Loss):
    """A loss of a person's own."""

    @property
    def dim(self) -> int:
        return 2

    @property
    def start(self) -> tuple[float, float]:
        return (1.0, -1.0)

    def __call__(self, x: Any) -> Any:
        return (x**2).sum(-1)


@cache
def runs_below(folder: Path) -> Path:
    """The runs, made once for all tests of a process, which only read them."""
    return make_runs(folder / "recorded")


def make_runs(folder: Path) -> Path:
    """Record runs below a folder: nested, of several problems, one damaged, one being written."""
    single = folder / "single"
    run("rosenbrock", single / "adam", optimizer="adam", lr=0.05, steps=60)
    run("rosenbrock", single / "away", optimizer="sgd", lr=0.02, steps=60)
    run("ellipsoid", folder / "deep/er/five", lr=4e-7, steps=40, loss_dim=5, **SHARPNESS)
    run(
        "expression",
        folder / "line",
        lr=0.01,
        steps=30,
        loss_formula="x**4 - 3*x**2 + x",
        start=[2],
    )
    run(Mine(), folder / "mine", lr=0.1, steps=5)
    gdlab.sweep(
        "quadratic",
        ["sgd", "momentum"],
        lr=[0.005, 0.01],
        steps=20,
        directory=folder / "sweep",
        **{"loss.condition": [10.0, 100.0], **QUIET},
    )
    damaged = Path(shutil.copytree(single / "adam", folder / "damaged"))
    history = damaged / "history.parquet"
    history.write_bytes(history.read_bytes()[:200])
    writing = Path(shutil.copytree(single / "adam", folder / "writing"))
    (writing / "history.parquet").rename(writing / ".history.parquet.partial")
    (writing / "result.json").unlink()
    return folder


def run(loss: Any, directory: Path, **settings: Any) -> gdlab.Run:
    """Record a run; in a setting of the loss, an underscore stands for the dot."""
    named = {key.replace("loss_", "loss."): value for key, value in settings.items()}
    return gdlab.run(loss, directory=directory, **named, **QUIET)
