"""Custom losses and optimizers: those of the README, and those that are refused."""

import sys

import numpy as np
import pytest
import yaml
from helpers.command import HERE, QUIET, refusal
from helpers.files import listing, result

import gdlab

MY_LOSSES = '''
import gdlab


class Valley(gdlab.PointLoss):
    """x² + steepness · y⁴."""

    steepness: gdlab.Number = gdlab.setting(default=3.0, gt=0)
    dim = 2
    start = (1.0, 1.0)

    def point(self, x):
        return x[0] ** 2 + self.steepness * x[1] ** 4
'''

BATCHED = '''
import gdlab


class Valley(gdlab.Loss):
    """x² + steepness · y⁴, of many points at once."""

    steepness: gdlab.Number = gdlab.setting(default=3.0, gt=0)
    dim = 2
    start = (1.0, 1.0)

    def __call__(self, x):
        return x[..., 0] ** 2 + self.steepness * x[..., 1] ** 4
'''

MY_OPTIMIZERS = '''
import gdlab


class SignDescent(gdlab.Optimizer):
    """Steps of one length along each axis."""

    scale: gdlab.Number = gdlab.setting(default=1.0, gt=0)

    def update(self, x, grad, state, lr):
        return x - lr * self.scale * grad.sign(), state
'''


def test_a_class_is_a_choice_beside_others(gd, here):
    (here / "my_losses.py").write_text(BATCHED)
    (here / "my_optimizers.py").write_text(MY_OPTIMIZERS)
    short = ("loss=my_losses.Valley", "loss.steepness=5", "optimizer=my_optimizers.SignDescent")
    assert gd(*short, "optimizer.scale=2", "lr=0.03", "steps=40", *HERE).code == 0
    assert result(here / "run")["final_loss"] == pytest.approx(0.04**2 + 5 * 0.04**4, rel=1e-9)
    axes = ("loss=quadratic,my_losses.Valley", "optimizer=sgd,my_optimizers.SignDescent")
    assert gd("-m", *axes, "lr=0.01", "steps=3", *QUIET, "hydra.sweep.dir=s").code == 0
    results = gdlab.load("s").results
    assert results[["loss", "optimizer"]].to_numpy().tolist() == [
        [loss, optimizer]
        for loss in ("quadratic", "my_losses.Valley")
        for optimizer in ("sgd", "my_optimizers.SignDescent")
    ]
    (here / "s" / "results.parquet").unlink()
    trusted = ("loss=quadratic,my_losses.Valley", "optimizer=sgd,my_optimizers.SignDescent")
    assert "name it again" in refusal(gd("resume=s", trusted[0]))
    assert gd("resume=s", *trusted).code == 0


NOT_CLASSES = [
    ("loss=my_losses.Valey", "loss=my_losses.Valey: my_losses has no Valey, did you mean Valley?"),
    ("loss=my_loses.Valley", "loss=my_loses.Valley: cannot import my_loses (ModuleNotFoundError"),
    ("loss=my_loses.Valley", "), did you mean my_losses?"),
    ("optimizer=my_losses.Valley", "must be the dotted name of a subclass of gdlab.Optimizer"),
    (
        "loss=my_losses.valley",
        "loss=my_losses.valley: must be a class, with a capital, as my_losses.MyLoss; a function",
    ),
    ("experiment=my_losses.Valley", "experiment=my_losses.Valley: no such choice"),
]


@pytest.mark.parametrize(("word", "says"), NOT_CLASSES)
def test_what_is_no_class_is_no_choice(word, says, gd, here):
    (here / "my_losses.py").write_text(BATCHED)
    assert says in refusal(gd(word, *HERE))
    assert not (here / "run").exists()


@pytest.mark.parametrize("source", [MY_LOSSES, BATCHED], ids=["PointLoss", "Loss"])
def test_a_custom_loss(source, gd, here):
    (here / "my_losses.py").write_text(source)
    own = ("loss=custom", "loss._target_=my_losses.Valley", "loss.steepness=5")
    done = gd(*own, "lr=0.03", "steps=40", "hydra.run.dir=run")
    assert (done.code, done.err) == (0, "")
    point = np.array([1.0, 1.0])
    for _ in range(40):
        point = point - 0.03 * np.array([2 * point[0], 20 * point[1] ** 3])
    kept = result(here / "run")
    np.testing.assert_allclose(kept["x"], point, rtol=1e-13)
    np.testing.assert_allclose(kept["final_loss"], point[0] ** 2 + 5 * point[1] ** 4, rtol=1e-12)
    assert (kept["distance"], kept["suboptimality"]) == (None, None)
    assert (here / "run" / "trajectory.png").is_file()
    config = yaml.safe_load((here / "run" / ".hydra" / "config.yaml").read_text())
    assert config["loss"] == {"_target_": "my_losses.Valley", "steepness": 5}


def test_a_custom_optimizer(gd, here):
    (here / "my_optimizers.py").write_text(MY_OPTIMIZERS)
    own = (
        "optimizer=custom",
        "optimizer._target_=my_optimizers.SignDescent",
        "optimizer.scale=0.5",
    )
    done = gd(*own, "lr=0.25", "steps=4", *HERE)
    assert (done.code, done.err) == (0, "")
    assert result(here / "run")["x"] == [0.5, 0.5]


def test_a_sweep_over_a_custom_loss(gd, here):
    (here / "my_losses.py").write_text(MY_LOSSES)
    own = ("loss=custom", "loss._target_=my_losses.Valley", "steps=0")
    done = gd("-m", *own, "loss.steepness=5,6", "hydra.sweep.dir=sweep")
    assert done.code == 2
    assert "steps=0: must be a whole number" in done.err
    own = ("loss=custom", "loss._target_=my_losses.Valley", "steps=1")
    done = gd("-m", *own, "loss.steepness=5,6", "hydra.sweep.dir=other", *QUIET)
    assert (done.code, done.err) == (0, "")
    losses = {result(path.parent)["best_loss"] for path in here.glob("other/*/result.json")}
    assert len(losses) == 2


REFUSED_CLASSES = """
import torch
import gdlab


class Fine(gdlab.Loss):
    k: float = gdlab.setting(default=3.0, gt=0)
    dim = 2
    start = (1.0, 1.0)

    def __call__(self, x):
        return x.square().sum(-1)


class NoDim(gdlab.Loss):
    start = (1.0, 1.0)


class NoStart(gdlab.Loss):
    dim = 2


class Breaks(Fine):
    def __post_init__(self):
        raise RuntimeError("no luck\\nat all")


class BadHint(Fine):
    m: "Nothing" = 3.0


class WrongDim(Fine):
    dim = 2.0


class WrongStart(Fine):
    start = "abc"


class StartBreaks(Fine):
    @property
    def start(self):
        raise RuntimeError("no start")


class WrongNames(Fine):
    names = ("a",)


class WrongWindow(Fine):
    window = ((0.0, 1.0),)


class WrongDomain(Fine):
    domain = ((0.0, 1.0),)


class WrongMinimizers(Fine):
    minimizers = (1.0, 2.0, 3.0)


class WrongMinimum(Fine):
    minimum = "zero"


class CurvatureBreaks(Fine):
    @property
    def curvature(self):
        raise RuntimeError("no curvature")


class Stepless(gdlab.Optimizer):
    pass


class Optimizer(gdlab.Optimizer):
    def init(self, x, layout):
        raise RuntimeError("no init")

    def update(self, x, grad, state, lr):
        return x, state


class Limit(gdlab.Optimizer):
    def max_stable_lr(self, largest):
        raise RuntimeError("no limit")

    def update(self, x, grad, state, lr):
        return x, state


class Net(torch.nn.Module):
    pass


def function(x):
    return x.square().sum()
"""

BAD_CLASSES = [
    ("loss", "Fine loss.k=-3", "loss.k=-3: must be a finite number > 0"),
    ("loss", "Fine loss.kk=3", "loss.kk=3: no such setting", "loss.k"),
    ("loss", "Fine loss.dim=3", "loss.dim=3: no such setting"),
    ("loss", "function", "must be the dotted name of a subclass of gdlab.Loss"),
    ("loss", "Net", "a network is loss=module loss.module._target_=mine.Net"),
    ("loss", "Optimizer", "must be the dotted name of a subclass of gdlab.Loss"),
    ("loss", "NoDim", "loss=NoDim: has no dim; write `dim = 2` in the class"),
    ("loss", "NoStart", "loss=NoStart: has no start; write `start = (1.0, 1.0)`"),
    ("loss", "Breaks", "mine.Breaks: cannot be instantiated (RuntimeError: no luck at all)"),
    ("loss", "BadHint", "mine.BadHint: cannot be instantiated (NameError", "Nothing"),
    ("loss", "WrongDim", "loss=WrongDim: its dim is 2.0, but must be a whole number"),
    ("loss", "WrongStart", "loss=WrongStart: cannot be used"),
    ("loss", "StartBreaks", "loss=StartBreaks: cannot be used (RuntimeError: no start)"),
    ("loss", "WrongNames", "loss=WrongNames: has 1 names, but must have 2"),
    ("loss", "WrongWindow", "loss=WrongWindow: its window must be 2 pairs"),
    ("loss", "WrongDomain", "loss=WrongDomain: its domain must be 2 pairs"),
    ("loss", "WrongMinimizers", "loss=WrongMinimizers: cannot be used"),
    ("loss", "WrongMinimum", "loss=WrongMinimum: cannot be used"),
    ("loss", "CurvatureBreaks", "loss=CurvatureBreaks: cannot be used (RuntimeError: no curv"),
    ("optimizer", "Fine", "must be the dotted name of a subclass of gdlab.Optimizer"),
    ("optimizer", "Stepless", "Stepless: cannot be instantiated (TypeError: Can't instantiate"),
    ("optimizer", "Optimizer", "optimizer=Optimizer: cannot be used (RuntimeError: no init)"),
    ("optimizer", "Limit", "optimizer=Limit: cannot be used (RuntimeError: no limit)"),
]


@pytest.mark.parametrize(("group", "typed", "said"), [(r[0], r[1], r[2:]) for r in BAD_CLASSES])
def test_an_unusable_class_is_refused_in_one_line(group, typed, said, gd, here, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (here / "mine.py").write_text(REFUSED_CLASSES)
    done = gd(f"{group}=custom", *f"{group}._target_=mine.{typed}".split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert [text for text in said if text not in done.err] == []
    assert listing(here) == ["mine.py"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "raise OSError('broken\\nindeed')",
            "cannot import mine (OSError: broken indeed",
        ),
        ("def (", "cannot import mine (SyntaxError: "),
        ("import sys; sys.exit(3)", "cannot import mine (SystemExit: 3)"),
        ("", "mine has no Loss"),
    ],
)
def test_a_broken_module_is_refused_in_one_line(source, said, gd, here, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (here / "mine.py").write_text(source)
    done = gd("loss=custom", "loss._target_=mine.Loss")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: loss._target_=mine.Loss: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert listing(here) == ["mine.py"]
