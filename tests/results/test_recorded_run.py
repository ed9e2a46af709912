"""A recorded run read back: it says that it is a run, and answers as one."""

import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import gdlab
from gdlab.config.settings import Settings
from gdlab.errors import GdlabError
from gdlab.results.known_loss import settings_with_loss
from gdlab.results.load import Recorded

RUN_SETTINGS: dict[str, Any] = {"steps": 9, "record.figures": False, "record.events": False}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[gdlab.Run, Recorded]:
    folder = tmp_path_factory.mktemp("ran") / "one"
    run = gdlab.run("rosenbrock", "adam", 0.02, directory=folder, **RUN_SETTINGS)
    (folder / "trajectory.png").write_bytes(b"")
    return run, gdlab.load(folder)


def test_it_says_how_the_run_ended(ran: tuple[gdlab.Run, Recorded]) -> None:
    run, recorded = ran
    shown = "Recorded run(rosenbrock, adam, lr=0.02: max_steps at step 9, loss "
    assert repr(recorded) == f"{shown}{run.outcome.final_loss:.6g}, {recorded.directory})"
    assert recorded.config["optimizer"]["betas"] == [0.9, 0.999]
    ours, theirs = vars(run.outcome), vars(recorded.outcome)
    assert ours.pop("x").tolist() == theirs.pop("x").tolist()
    assert ours == theirs


def test_a_configuration_names_its_loss_and_optimizer(ran: tuple[gdlab.Run, Recorded]) -> None:
    results, directory = ran[1].results, Path("here")
    config = {
        "loss": {"_target_": "no_module.Mine"},
        "optimizer": {"_target_": "o.Adam"},
        "lr": 0.1,
    }
    recorded = Recorded(directory, results, config)
    assert repr(recorded).startswith("Recorded run(mine, adam, lr=0.1: max_steps at step 9, loss ")
    with pytest.raises(gdlab.RecordError, match=r"^here: is damaged"):
        _ = Recorded(directory, results.assign(status="lost"), config).outcome


def test_it_is_drawn_and_compared(ran: tuple[gdlab.Run, Recorded]) -> None:
    run, recorded = ran
    for figure in (recorded.plot(), gdlab.compare(run, recorded, recorded)):
        for curve in figure.axes[0].lines[:3]:
            assert np.asarray(curve.get_ydata()).tolist() == run.history.loss.tolist()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["(1)", "(2)", "(3)"]


def test_its_history_is_that_of_the_run_and_a_table(ran: tuple[gdlab.Run, Recorded]) -> None:
    run, recorded = ran
    history, table = recorded.history, recorded.history()
    assert repr(history) == repr(run.history)
    assert len(history) == len(table) == 10
    for name in ("step", "loss", "grad_norm", "lr", "x"):
        assert getattr(history, name).tobytes() == getattr(run.history, name).tobytes()
    assert table.equals(history.to_frame())
    assert next(iter(history))["x1"] == table["x1"][0]
    with pytest.raises(AttributeError, match="a history has no foo; it has distance, grad_norm"):
        _ = history.foo


def test_its_loss_is_made_again_only_if_it_is_one_of_gdlab() -> None:
    config = {"lr": 0.1, "loss": {"_target_": "gdlab.losses.Rosenbrock", "a": 2.0}}
    made = settings_with_loss(config)
    assert isinstance(made, Settings) and made.loss.settings()["a"] == 2.0
    for loss, why in (
        ({"_target_": "antigravity.Mine"}, "the files hold no function"),
        ({"_target_": "gdlab.losses.MSE", "data": "here.csv"}, "its loss needs data"),
        (
            {"_target_": "gdlab.losses.Rosenbrock", "c": 1},
            "cannot be made again (loss.c=1: no such",
        ),
        ({"_target_": "gdlab.losses.function.Function"}, "(loss.function: required setting is"),
    ):
        assert why in str(settings_with_loss({**config, "loss": loss}))
    assert "antigravity" not in sys.modules


def test_it_shows_itself_in_a_notebook(ran: tuple[gdlab.Run, Recorded]) -> None:
    recorded = Recorded(ran[1].directory, ran[1].results, {"lr": 0.02, "loss": {"_target_": "a.B"}})
    html = recorded._repr_html_()
    assert html is not None
    assert html.startswith("<div>b · ") and "<b>max_steps</b>" in html
    assert html.count("<img alt='loss'") == 1


# what is asked of a recorded run and of a sweep, and what the error says
REFUSED: list[tuple[Any, str]] = [
    (lambda run, _: run.plot("stability"), "kind=stab.*, .* be drawn: loss, .* trajectory.png$"),
    (lambda _, swept: gdlab.compare(swept), "compare: needs runs, .*; got a sweep$"),
    (lambda run, _: gdlab.compare(run, cast(Any, 3)), "compare: needs runs, .*; got an int$"),
    (lambda _, swept: swept.outcome, "outcome: a sweep has one for each run"),
]


@pytest.mark.parametrize(("ask", "message"), REFUSED)
def test_what_it_cannot_do_names_the_way(
    ran: tuple[gdlab.Run, Recorded], ask: Any, message: str
) -> None:
    swept = Recorded(None, ran[1].results, {}, directories={})
    with pytest.raises(GdlabError, match=message):
        ask(ran[1], swept)
