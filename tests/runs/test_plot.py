"""Pictures of runs from Python: which there are, and what is in them."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import gdlab
from gdlab.plots.colors import CATEGORIES
from gdlab.plots.convergence import Curve, draw_loss
from gdlab.runs.compare import member_of, tell_apart

RUN = gdlab.run("rosenbrock", "adam", lr=0.05, steps=30)


def test_a_run_draws_its_path_and_its_loss(tmp_path: Path) -> None:
    path = tmp_path / "new" / "loss.svg"
    figure = RUN.plot("loss", title="Adam", size=(5, 4), path=path)
    assert figure.get_size_inches().tolist() == [5, 4]
    assert "Adam" in [text.get_text() for text in figure.texts]
    (curve,) = figure.axes[0].lines
    assert np.asarray(curve.get_ydata()).tolist() == RUN.history.loss.tolist()
    assert path.read_bytes().startswith(b"<?xml")
    titles = [text.get_text() for text in RUN.plot().findobj(Text)]  # type: ignore[attr-defined]  # texts
    assert "rosenbrock · adam · lr = 0.05" in titles
    assert plt.get_fignums() == []


def test_one_huge_loss_leaves_room_for_the_others_though_some_are_negative() -> None:
    curve = Curve(np.arange(4), np.array([6.0, -1.0, -2.0, 1e148]))
    low, high = draw_loss(curve, title="", ylabel="loss").axes[0].get_ylim()
    assert -10 < low < -2
    assert 6 < high < 10


def test_of_a_run_that_blows_up_its_beginning_is_shown() -> None:
    steps = np.arange(200)
    axes = draw_loss(Curve(steps, 20.0 * 10.0**steps), title="", ylabel="loss").axes[0]
    low, high = axes.get_ylim()
    assert 1 < low < 20
    assert 20e6 < high < 20e7
    assert 6 <= axes.get_xlim()[1] < 10


def test_a_picture_of_losses_says_how_many_records_it_leaves_out() -> None:
    figure = gdlab.run("rosenbrock", lr=0.1, steps=9).plot("loss")
    texts = [text.get_text() for text in figure.texts]
    assert "3 of 5 recorded steps outside the view" in texts


# what is asked, and what the error says
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "los"}, "kind=los: must be one of trajectory, loss, convergence, stability, did you"),
    ({"kind": "stability"}, "kind=stability: cannot be drawn, the sharpness was not recorded"),
    ({"kind": "convergence"}, r"no rate .*; can be drawn: trajectory, loss$"),
    ({"path": "run.jpg"}, "path=run.jpg: must end in one of .png, .svg, .pdf"),
    ({"size": 3}, r"size=3: must be width and height in inches, 3 to 40"),
    ({"title": 3}, r"title=3: must be a text"),
    ({"kind": 3}, r"kind=3: must be one of trajectory, loss"),
    ({"size": (1, 2)}, r"size=\(1, 2\): must be width and height in inches, 3 to 40"),
]


@pytest.mark.parametrize(("asked", "message"), WRONG)
def test_what_cannot_be_drawn_is_said_in_a_line(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(gdlab.SettingError, match=message) as error:
        RUN.plot(**asked)
    assert "\n" not in str(error.value)


def test_a_notebook_gets_one_picture_of_a_figure() -> None:
    figure: Any = RUN.plot("loss")
    assert figure._repr_png_().startswith(b"\x89PNG")


# settings of runs, and their labels
LABELS: list[tuple[list[dict[str, Any]], list[Any]]] = [
    ([{"lr": 0.1}, {"lr": 0.2}], [0.1, 0.2]),
    ([{"optimizer": "sgd"}, {"optimizer": "adam", "lr": 0.1}], ["sgd", "adam"]),
    (
        [{"optimizer": "sgd", "lr": 0.1}, {"optimizer": "adam", "lr": 0.2}],
        ["sgd, lr = 0.1", "adam, lr = 0.2"],
    ),
    (
        [{"optimizer": "momentum", "momentum": 0.95}, {"optimizer": "adam"}, {"optimizer": "sgd"}],
        ["momentum, momentum = 0.95", "adam", "sgd"],
    ),
    (
        [{"optimizer": "adam", "betas": (0.8, 0.99)}, {"optimizer": "momentum", "lr": 0.2}],
        ["adam, betas = [0.8,0.99], lr = 0.1", "momentum, lr = 0.2"],
    ),
    ([{"momentum": 0.5}, {"momentum": 0.9}], [0.5, 0.9]),
    ([{}, {}, {"lr": 0.2}], ["lr = 0.1 (1)", "lr = 0.1 (2)", "lr = 0.2"]),
    ([{}, {}], ["(1)", "(2)"]),
]


@pytest.mark.parametrize(("given", "labels"), LABELS)
def test_runs_are_labeled_by_what_differs(given: list[dict[str, Any]], labels: list[Any]) -> None:
    runs = [gdlab.run("booth", steps=1, **one) for one in given]
    members = [member for run in runs if (member := member_of(run))]
    assert tell_apart(members).labels == labels


def test_runs_on_different_losses_have_a_panel_for_each() -> None:
    runs = [
        gdlab.run(name, optimizer, lr=0.01, steps=5)
        for name in ("booth", "beale")
        for optimizer in ("sgd", "adam")
    ]
    figure = gdlab.compare(*runs)
    assert [axes.get_title() for axes in figure.axes] == ["booth", "beale"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sgd", "adam"]
    for axes in figure.axes:
        assert [line.get_color() for line in axes.lines] == [color for color, _ in CATEGORIES[:2]]
    with pytest.raises(
        gdlab.SettingError, match="compare: needs runs with a finite point, got none"
    ):
        gdlab.compare()


def test_a_history_is_a_table() -> None:
    frame = RUN.history.to_frame()
    pd.testing.assert_frame_equal(pd.DataFrame(RUN.history), frame)
    assert frame.columns.tolist()[:6] == ["step", "loss", "grad_norm", "lr", "x0", "x1"]
    assert frame["x1"].tolist() == RUN.history.x[:, 1].tolist()


# what is shown, and how
REPRS: list[tuple[Any, str]] = [
    (RUN, "Run(rosenbrock, adam, lr=0.05: max_steps at step 30, loss "),
    (RUN.history, "History(31 records, steps 0 to 30, 2 coordinates)"),
    (RUN.outcome, "Outcome(max_steps at step 30, loss "),
    (RUN.settings, "Settings(loss=Rosenbrock(), optimizer=Adam(), "),
    (gdlab.losses.MSE(data="diabetes"), "MSE(data='diabetes')"),
    (gdlab.sweep("booth", lr=[0.1, 0.2], steps=2), "Sweep(lr: 2 runs, 2 max_steps)"),
]


@pytest.mark.parametrize(("value", "text"), REPRS)
def test_a_repr_is_a_short_line(value: Any, text: str) -> None:
    assert repr(value).startswith(text)
    assert len(repr(value)) < 250
    assert "\n" not in repr(value)
