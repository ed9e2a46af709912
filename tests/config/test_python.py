"""What Python may give for a loss, an optimizer and a schedule, and the short names of settings."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sympy
import torch

import gdlab
from gdlab.config.loading import resolve_choice
from gdlab.config.python import FullNames
from gdlab.errors import SettingError
from gdlab.losses import MLP, Quadratic, Rosenbrock
from gdlab.optimizers import SGD, Adam, Torch
from gdlab.schedules import Constant, Step


def test_a_class_stands_for_an_instance_with_its_defaults() -> None:
    assert isinstance(resolve_choice("loss", Rosenbrock), Rosenbrock)
    assert isinstance(resolve_choice("optimizer", Adam), Adam)
    run = gdlab.run(Rosenbrock, torch.optim.Adam, 0.01, steps=20)
    ours = gdlab.run("rosenbrock", "adam", 0.01, steps=20)
    assert isinstance(run.settings.optimizer, Torch)
    np.testing.assert_allclose(run.history.x, ours.history.x, rtol=1e-12)  # observed 2e-16


NET = torch.nn.Linear(2, 1)
SGD_OF_NET = torch.optim.SGD(NET.parameters(), lr=0.02, momentum=0.9)
NOT_CHOICES: list[tuple[str, Any, str]] = [
    (
        "optimizer",
        SGD_OF_NET,
        "it steps its own parameters; give its class, as optimizer=torch.opt",
    ),
    ("optimizer", SGD_OF_NET, "optimizer=torch.optim.SGD, lr=0.02, momentum=0.9"),
    ("optimizer", torch.nn.Linear, "optimizer=Linear: must be a name or an instance of Optimizer"),
    (
        "optimizer",
        Rosenbrock(),
        "optimizer=Rosenbrock: must be a name or an instance of Optimizer; i",
    ),
    ("optimizer", 0.01, "must be a name or an instance of Optimizer; a learning rate is lr=0.01"),
    (
        "optimizer",
        ["sgd", "adam"],
        "optimizer=list: must be a name or an instance of Optimizer; gdla",
    ),
    (
        "optimizer",
        "rosenbrock",
        "optimizer=rosenbrock: rosenbrock is a loss; choose loss=rosenbrock",
    ),
    ("loss", NET, "Loss; a network needs data, as in gdlab.run(net, data=(features, targets))"),
    (
        "loss",
        torch.nn.Linear,
        "loss=Linear: must be a name or an instance of Loss; a network needs",
    ),
    (
        "loss",
        torch.nn.MSELoss(),
        "loss=MSELoss: must be a name or an instance of Loss; it compares s",
    ),
    ("loss", torch.nn.CrossEntropyLoss, "it compares scores with targets; give a network"),
    ("loss", Adam, "loss=Adam: must be a name or an instance of Loss; it is an optimizer"),
    (
        "loss",
        [Rosenbrock, "sphere"],
        "loss=list: must be a name or an instance of Loss; gdlab.sweep ",
    ),
    ("loss", sympy.Symbol("x") ** 2, 'a formula is gdlab.run("expression", formula="x**2")'),
    ("loss", pd.DataFrame({"x": [1.0]}), 'data need a model, as in gdlab.run("mse", data=…)'),
    ("loss", (torch.ones(3, 1), torch.ones(3)), "loss=tuple: must be a name or an instance of Los"),
    ("loss", None, "loss=null: must be a name or an instance of Loss"),
    ("loss", "adam", "loss=adam: adam is an optimizer; choose optimizer=adam"),
    ("schedule", 0.1, "schedule=0.1: must be a name or an instance of Schedule"),
    (
        "schedule",
        torch.optim.lr_scheduler.StepLR,
        "schedulers of torch step its optimizers, did you ",
    ),
    ("schedule", math.exp, "a rule of your own is a subclass of gdlab.Schedule"),
    ("schedule", "StepLR", "schedule=StepLR: no such choice, did you mean step?"),
]


@pytest.mark.parametrize(("group", "given", "says"), NOT_CHOICES)
def test_what_stands_for_nothing_is_refused_with_the_way(group: str, given: Any, says: str) -> None:
    with pytest.raises(SettingError) as refused:
        resolve_choice(group, given)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


X: Any = np.array([[0.0, 1.0], [1.0, 0.5], [2.0, 3.0], [1.0, 1.0]])
PAIR: Any = (X, X[:, 0] + 1)
COLUMN = pd.Series([3.0, 4.0])
BY_NAME = pd.Series({"x1": 4.0, "x0": 3.0})


class Line(torch.nn.Module):
    """A network without a name that another program could import."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x)


# What Python gives, the setting that it stands for, and its value.
MEANT: list[tuple[dict[str, Any], str, Any]] = [
    ({"loss": NET, "data": PAIR}, "loss", "Linear"),
    ({"loss": Line, "data": PAIR}, "loss", "Line"),
    ({"loss": Line(), "data": pd.DataFrame(X).assign(y=1.0)}, "loss", "Line"),
    ({"loss": "module", "module": NET, "data": PAIR}, "loss", "module"),
    ({"optimizer": torch.optim.Adam}, "optimizer", "Adam"),
    ({"loss": torch.sum, "start": [1.0]}, "loss", "sum"),
    ({"loss": lambda p: p.sum(), "start": [1.0]}, "loss", "<lambda>"),
    ({"optimizer": "torch.optim.Adam"}, "optimizer.cls", "torch.optim.Adam"),
    ({"optimizer": torch.optim.SGD, "momentum": 0.5}, "optimizer.kwargs.momentum", 0.5),
    ({"optimizer": "gdlab.optimizers.Adam"}, "optimizer", "gdlab.optimizers.Adam"),
    ({"start": COLUMN}, "start", (3.0, 4.0)),
    ({"start": BY_NAME}, "start", (3.0, 4.0)),
    ({"start": torch.tensor([3.0, 4.0])}, "start", (3.0, 4.0)),
    ({"start": torch.nn.Parameter(torch.tensor([3.0, 4.0]))}, "start", (3.0, 4.0)),
    ({"start": np.array([3.0, 4.0])}, "start", (3.0, 4.0)),
    ({"start": {"x1": 4.0, "x0": 3.0}}, "start", (3.0, 4.0)),
    ({"lr": torch.tensor(0.25)}, "lr", 0.25),
    ({"lr": np.float32(0.25)}, "lr", 0.25),
    ({"seed": np.int64(3)}, "seed", 3),
    ({"seed": torch.tensor(3)}, "seed", 3),
    ({"steps": 1.0}, "steps", 1),
    ({"dtype": torch.float32}, "dtype", "float32"),
    ({"dtype": np.float32}, "dtype", "float32"),
    ({"dtype": np.dtype("float64")}, "dtype", "float64"),
    ({"device": torch.device("cpu")}, "device", "cpu"),
]


@pytest.mark.parametrize(("given", "setting", "value"), MEANT)
def test_an_object_that_can_mean_one_thing_works(
    given: dict[str, Any], setting: str, value: Any
) -> None:
    settings: Any = given | {"steps": 1}
    assert gdlab.run(**settings).settings.flat()[setting] == value


def test_objects_mean_the_same_in_a_sweep() -> None:
    nets = gdlab.sweep([Line, Line()], data=PAIR, seed=[0, 1], steps=1)
    assert nets.results["loss"].tolist() == ["Line", "Line", "Line-2", "Line-2"]
    alone = gdlab.run(Line, data=PAIR, seed=1, steps=1)
    assert alone.outcome.final_loss == nets.results["final_loss"][1]
    starts = gdlab.sweep(start=pd.DataFrame([[1.0, 2.0], [3.0, 4.0]]), steps=1)
    assert len(starts.results) == 2
    assert len(gdlab.sweep(start=BY_NAME, lr=pd.Series([0.1, 0.2]), steps=1).results) == 2


# What cannot be meant, and the way that the error names.
_HEIGHT: dict[str, Any] = {"loss.height": 2}
WAYS: list[tuple[dict[str, Any], str]] = [
    (
        {"lr": pd.Series([0.1, 0.2])},
        "lr=[0.1,0.2]: must be a number; several make a sweep: gdlab.s",
    ),
    (
        {"steps": [10, 20]},
        "steps=[10,20]: must be a whole number; several make a sweep: gdlab.sweep",
    ),
    ({"start": X}, "start[0]=[0.0,1.0]: must be a number; several make a sweep: gdlab.sweep"),
    (
        {"start": pd.Series({"a": 1.0, "b": 2.0})},
        "start.a=1.0: no such coordinate; the coordinates ",
    ),
    ({"start": 1}, "numbers or random or a mapping from names to numbers; a list is [1]"),
    ({"device": "gpu"}, "device=gpu: must be one of cpu, cuda, auto, did you mean cuda?"),
    ({"dtype": "double"}, "dtype=double: must be one of float64, float32, did you mean float64?"),
    ({"dtype": "float"}, "did you mean float32?"),
    (
        {"batch_size": 32},
        "mse, huber, lasso, logistic, mlp, … have it: loss=mse loss.batch_size=32",
    ),
    (
        {"record_every": 2},
        'record_every=2: no such setting, did you mean record.every, as **{"record.every": 2}?',
    ),
    ({"grad_tol": 0.1}, 'did you mean stop.grad_tol, as **{"stop.grad_tol": 0.1}?'),
    ({"momentm": 0.5}, "momentm=0.5: no such setting, did you mean optimizer.momentum?"),
    ({"data": PAIR}, "data=tuple: no such setting here (settings: loss.center"),
    ({"optimizer": "adam", "momentum": 0.9}, "have it: optimizer=momentum optimizer.momentum=0.9"),
    (
        {"epochs": 10},
        "epochs=10: no such setting; steps are counted: an epoch of N examples is N / ",
    ),
    (
        {"output": "here"},
        "output=here: no such setting; the folder of a run is hydra.run.dir=… on a",
    ),
    ({"directory": 5}, "directory=5: must be a string"),
    (
        {"optimizer": "torch.optim.Adamm"},
        "optimizer.cls=torch.optim.Adamm: torch.optim has no Adamm",
    ),
]


@pytest.mark.parametrize(("given", "says"), WAYS)
def test_an_error_names_the_way(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError) as refused:
        gdlab.run(**given)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_class_that_needs_arguments_asks_for_an_instance() -> None:
    class Bowl(gdlab.Loss):
        width: float

        @property
        def dim(self) -> int:
            return 1

        @property
        def start(self) -> tuple[float, ...]:
            return (1.0,)

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return self.width * x[..., 0].square()

    with pytest.raises(SettingError, match=r"^loss=Bowl: cannot be made .*; give an instance of"):
        gdlab.run(Bowl)
    assert gdlab.run(Bowl(2.0), lr=0.25, steps=5).outcome.final_loss == 0


NAMES = FullNames(
    ("lr", "start"), lambda: {"loss": [MLP()], "optimizer": [SGD(), Adam()], "schedule": [Step()]}
)


def test_a_short_name_is_the_setting_of_the_one_that_has_it() -> None:
    given = {"lr": 1, "momentum": 0.9, "betas": [0.9, 0.9], "widths": [3], "stop.loss": 1}
    assert NAMES.spell_out(given) == {
        "lr": 1,
        "optimizer.momentum": 0.9,
        "optimizer.betas": [0.9, 0.9],
        "loss.widths": [3],
        "stop.loss": 1,
    }


def test_a_short_name_with_two_meanings_is_refused() -> None:
    names = FullNames(
        (), lambda: {"optimizer": [SGD()], "loss": [Quadratic()], "schedule": [Constant()]}
    )
    both = FullNames((), lambda: {"optimizer": [Adam()], "schedule": [Adam()]})
    assert names.of("condition") == "loss.condition"
    with pytest.raises(SettingError) as refused:
        both.spell_out({"eps": 0.1})
    assert str(refused.value) == (
        "eps=0.1: can mean optimizer.eps or schedule.eps; "
        'give **{"optimizer.eps": 0.1} or **{"schedule.eps": 0.1}'
    )


def test_short_names_in_runs_and_sweeps() -> None:
    short = gdlab.run("expression", "sgd", 0.1, formula="x**2 + y**2", momentum=0.5, steps=9)
    full: dict[str, Any] = {"loss.formula": "x**2 + y**2", "optimizer.momentum": 0.5}
    assert (
        short.history.x.tobytes()
        == gdlab.run("expression", lr=0.1, steps=9, **full).history.x.tobytes()
    )
    swept = gdlab.sweep(
        condition=[2, 3], momentum=[0.1, 0.2], zip=["condition", "momentum"], steps=2
    )
    assert swept.results["loss.condition"].tolist() == [2, 3]
    assert swept.results["optimizer.momentum"].tolist() == [0.1, 0.2]
    classes = gdlab.sweep(optimizer=[torch.optim.SGD, SGD], lr=[0.1, 0.2], steps=3).results
    losses = classes["final_loss"].tolist()
    np.testing.assert_allclose(losses[:2], losses[2:], rtol=1e-12)  # observed 0


class Undeclared(gdlab.PointLoss):
    dim, start, height = 2, (1.0, 1.0), 1.0  # type: ignore[assignment]

    def point(self, x: torch.Tensor) -> torch.Tensor:
        return self.height * x @ x


WRITTEN: list[tuple[Callable[[], Any], str]] = [
    (lambda: gdlab.run(Undeclared, height=2), "write `height: float = 1.0` in class Undeclared"),
    (lambda: gdlab.run(Undeclared(), **_HEIGHT), "loss.height=2: no such setting; to make it"),
    (lambda: gdlab.sweep("beale", lr="0.1,0.2"), "a list, lr=[0.1, 0.2], of gdlab.sweep"),
    (
        lambda: gdlab.run("expression", formula="x**2 + a*y", start={"x": 1, "y": 2}),
        "for each of a, x, y; a constant is given as loss.parameters.a=1",
    ),
]


@pytest.mark.parametrize(("call", "says"), WRITTEN)
def test_an_error_says_how_it_is_written(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(SettingError) as refused:
        call()
    assert says in str(refused.value)


ZIPS: list[tuple[dict[str, Any], str]] = [
    ({"lr": [1, 2], "seed": [1, 2, 3], "zip": ["lr", "seed"]}, "zip=[lr,seed]: must have the same"),
    ({"lr": [1, 2], "zip": ["steps"]}, "zip=[steps]: steps must be one of lr"),
    ({"lr": [1, 2], "zip": ["nope"]}, "nope=…: no such setting"),
]


@pytest.mark.parametrize(("given", "says"), ZIPS)
def test_settings_that_cannot_vary_together_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError) as refused:
        gdlab.sweep(**given)
    assert says in str(refused.value)


FUNCTIONS: list[Callable[..., Any]] = [
    lambda p: math.sin(p[0]),
    lambda p: np.sin(p[0]),
    lambda p: p[0] if p[0] > 0 else -p[0],
    lambda p: float(p[0]),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_computes_with_numbers_is_told_to_use_tensors(function: Any) -> None:
    with pytest.raises(SettingError, match=r"must compute with tensors: torch.sin\(p\[0\]\), not"):
        gdlab.run(function, start=[1.0], steps=3)


def test_a_directory_holds_what_the_command_line_would_leave(tmp_path) -> None:
    run = gdlab.run("rosenbrock", lr=1e-3, steps=20, directory=tmp_path / "run")
    recorded = gdlab.load(tmp_path / "run")
    assert recorded.history()["loss"].tolist() == run.history.loss.tolist()
    assert recorded.results["final_loss"].tolist() == [run.outcome.final_loss]
    assert (tmp_path / "run" / "trajectory.png").is_file()
    with pytest.raises(
        SettingError,
        match=r"^directory=.*: is not empty, .*; give .* delete it, or read it with gdlab.load\(",
    ):
        gdlab.run("rosenbrock", directory=tmp_path / "run")


def test_a_picture_that_cannot_be_drawn_is_a_warning(tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> tuple[dict[str, bytes], list[str]]:
        return {}, ["trajectory: not drawn (no ink)"]

    monkeypatch.setattr("gdlab.recording.recorder.draw_pictures", refuse)
    with pytest.warns(UserWarning, match=r"^trajectory: not drawn \(no ink\)$"):
        gdlab.run("rosenbrock", steps=3, directory=tmp_path / "run")
