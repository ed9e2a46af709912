"""The checks before a run: the same on the command line, in `gdlab.run` and in `gdlab.sweep`."""

import re
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

import gdlab
from gdlab import Loss, SettingError

SOURCE = Path(__file__)


class Named(Loss):
    """A bowl with a metric; a setting gives its name."""

    name: str = "score"
    scalar: bool = False
    start = (1.0, 2.0)  # type: ignore
    dim = 2  # type: ignore

    def __call__(self, x: Tensor) -> Tensor:
        return x.square().sum(-1)

    @property
    def metrics(self) -> dict[str, Any]:
        """One metric, of the right shape unless `scalar`."""
        return {self.name: lambda x: x[..., 0].sum() if self.scalar else x[..., 0]}


class Boxed(Named):
    """A bowl in two dimensions whose window has one pair."""

    window = ((-1.0, 1.0),)  # type: ignore


class Broken(Named):
    """A bowl whose minimum cannot be computed."""

    @property
    def minimum(self) -> float:
        raise RuntimeError("no minimum")


class Exiting(Named):
    """A bowl whose minimum ends the process."""

    @property
    def minimum(self) -> float:
        raise SystemExit(3)


# the loss, its settings, and the error
REFUSED: list[tuple[type[Loss], dict[str, Any], str]] = [
    (Named, {"name": "status"}, "a metric cannot be called status"),
    (Named, {"name": "mode_reason"}, "a metric cannot be called mode_reason"),
    (Named, {"name": "seconds"}, "a metric cannot be called seconds"),
    (Named, {"name": "sharpness"}, "a metric cannot be called sharpness"),
    (Named, {"name": "x0"}, "a metric cannot be called x0"),
    (
        Named,
        {"scalar": True},
        "its metric score has shape () for points of shape (1, 2)",
    ),
    (Boxed, {}, "its window must be 2 pairs"),
    (Broken, {}, "(RuntimeError: no minimum); raised by its property Broken.minimum"),
    (Exiting, {}, "cannot be used (SystemExit: 3)"),
]


_LINE = r" \(\w+.py, line \d+\)"


def error_of_run(loss: type[Loss], settings: dict[str, Any]) -> str:
    with pytest.raises(SettingError) as refused:
        gdlab.run(loss(**settings), steps=2)
    return str(refused.value)


def error_of_sweep(loss: type[Loss], settings: dict[str, Any]) -> str:
    with pytest.raises(SettingError) as refused:
        gdlab.sweep(loss(**settings), lr=[0.1, 0.2], steps=2, directory="left")
    return str(refused.value)


@pytest.mark.parametrize(("loss", "settings", "message"), REFUSED)
def test_python_and_the_command_line_give_the_same_error(here, gd, loss, settings, message) -> None:
    (here / "custom_losses.py").write_text(SOURCE.read_text("utf-8").partition("# the loss,")[0])
    words = [f"loss.{key}={str(value).lower()}" for key, value in settings.items()]
    target = f"loss._target_=custom_losses.{loss.__name__}"
    done = gd("loss=custom", target, *words, "steps=2", "hydra.run.dir=left")
    assert done.code == 2 and done.err.count("\n") == 1
    error = done.err.removeprefix("error: ").strip()
    assert message in error
    for other in (error_of_run(loss, settings), error_of_sweep(loss, settings)):
        assert re.sub(_LINE, "", other) == re.sub(_LINE, "", error)
    assert not (here / "left").exists()


def test_a_metric_with_a_unique_name_passes() -> None:
    run = gdlab.run(Named(), steps=2)
    assert run.outcome.metrics == {"score": pytest.approx(0.64)}  # 1 · 0.8²


class Single(gdlab.PointLoss):
    """A bowl whose minimizer is computed for one height only."""

    height: gdlab.Number = 1.0
    start = (2.0, 1.5)  # type: ignore
    dim = 2  # type: ignore

    @property
    def minimizers(self) -> tuple[tuple[float, ...]]:
        return ((0.0, float(self.height)),)

    def point(self, x: Tensor) -> Tensor:
        return self.height * (x**2).sum()


def test_a_property_that_fails_for_several_runs_is_named_before_they_start() -> None:
    with pytest.raises(SettingError, match=r"\); raised by its property Single.minimizers \(test"):
        gdlab.sweep(Single(), height=[1.0, 2.0], steps=2)
