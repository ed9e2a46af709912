"""The summary of a run, and the name of its directory."""

from pathlib import Path
from typing import Any

import pytest

import gdlab
from gdlab.cli.run import _plain_name
from gdlab.display.summary import _loss, outcome_lines
from gdlab.engine.outcome import Outcome

END = gdlab.run("booth", steps=1).outcome

# the final loss, the best loss, and how they are shown
LOSSES = [
    (2.0, 1.0, "2 (best 1 at step 3)"),
    (0.34294218, 0.342942179, "0.34294218"),
    (2.0, 2.0, "2"),
]


@pytest.mark.parametrize(("final", "best", "shown"), LOSSES)
def test_the_best_loss_is_shown_where_it_looks_different(
    final: float, best: float, shown: str
) -> None:
    values = {"final_loss": final, "best_loss": best, "best_step": 3, "suboptimality": None}
    assert _loss(Outcome(**vars(END) | values)) == shown


def test_no_gradient_norm_is_shown_without_a_loss() -> None:
    run = gdlab.run("booth", steps=1)
    values: dict[str, Any] = {**vars(END), "final_loss": float("nan")}
    lines = outcome_lines(run.settings, Outcome(**values))
    assert "loss" in dict(lines)
    assert "gradient norm" not in dict(lines)


# the final loss, what it is above the known minimum, and how it is shown
ABOVE = [
    (8.33, 1.78e-15, "8.33, the known minimum up to rounding"),
    (8.33, -1.78e-15, "8.33, the known minimum up to rounding"),
    (8.33, 0.5, "8.33, 0.5 above the minimum"),
    (8.33, -0.5, "8.33, 0.5 below the known minimum"),
    (1e-17, 1e-17, "1e-17"),
]


@pytest.mark.parametrize(("final", "above", "shown"), ABOVE)
def test_a_difference_that_is_rounding_is_not_shown_as_one(
    final: float, above: float, shown: str
) -> None:
    values: dict[str, Any] = {"final_loss": final, "best_loss": final, "suboptimality": above}
    assert _loss(Outcome(**vars(END) | values)) == shown


# the loss and lr of a run, and the name of its directory
NAMES = [
    ("quadratic", 0.019801980198019802, "lr=0.019802"),
    ("mgh/beale", 1e-5, "lr=1e-05"),
    ("booth", 0.1, "lr=0.1"),
]


@pytest.mark.parametrize(("loss", "lr", "shown"), NAMES)
def test_a_directory_has_a_short_name(loss: str, lr: float, shown: str) -> None:
    settings = gdlab.run(loss, lr=lr, steps=1).settings
    named = _plain_name(Path(f"runs/{loss},lr={lr}"), settings)
    assert str(named) == f"runs/{loss.replace('/', '.')},{shown}"
