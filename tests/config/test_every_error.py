"""All wrong settings at once."""

import numpy as np
import pytest

import gdlab
from gdlab import SettingError

WRONG = {"lr": -1, "steps": 0, "momentum": 3, "learning_rate": 3}
SAID = ["learning_rate=3: no such setting", "momentum=3: must be", "lr=-1: must be", "steps=0: "]


@pytest.mark.parametrize("call", [gdlab.run, gdlab.sweep])
def test_python_says_all_that_is_wrong(call):
    with pytest.raises(SettingError) as error:
        call(**WRONG)
    lines = str(error.value).splitlines()
    assert len(lines) == len(SAID)
    assert all(any(text in line for line in lines) for text in SAID)


def test_what_data_decide_is_not_judged_without_them():
    with pytest.raises(SettingError) as error:
        gdlab.run("mse", data=np.ones(2), target="z", lr=-1)
    no_targets, lr = str(error.value).splitlines()
    assert no_targets.startswith("loss.data=<ndarray (2,)>: has no targets")
    assert lr.startswith("lr=-1: must be")


def test_a_start_is_not_judged_without_its_formula():
    with pytest.raises(SettingError) as error:
        gdlab.run("expression", formula="x^2", start=[1.0])
    (line,) = str(error.value).splitlines()
    assert line.startswith("loss.formula=x^2: ")


# words, how each line begins
LINES = [
    (["lr=-1", "steps=0", "noise=-1"], ["noise.scale=-1: ", "lr=-1: ", "steps=0: "]),
    (["-m", "lr=0.1,-1", "steps=0", "sed=3"], ["sed=3: no such", "steps=0: ", "lr=-1: "]),
    (["loss=rosenbork", "loss.b=2", "start=[1,2,3]", "lr=0"], ["loss=rosenbork: ", "lr=0: "]),
    # the coordinates are those of the formula
    (
        ["loss=expression", "loss.formula=x^2", "start=[1]", "transform.shift=[1]", "lr=0"],
        ["loss.formula=x^2: ", "lr=0: "],
    ),
    (["lr=0.1,0.2", "steps=0"], ["lr=0.1,0.2: has several values", "steps=0: "]),
    (["lr=0", "lr=-1"], ["lr=-1: must be"]),
    (["lr=0", "steps=0", "hydra.run.dir=here"], ["lr=0: ", "steps=0: "]),
    (
        ["-m", "hydra.sweeper.points=0", "hydra.launcher.executor=no", "steps=0"],
        ["hydra.sweeper.points=0: ", "steps=0: ", "hydra.launcher.executor=no: must be one of"],
    ),
]


@pytest.mark.parametrize(("words", "begin"), LINES)
def test_the_command_line_says_all_that_is_wrong(words, begin, gd):
    done = gd(*words)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) == len(begin)
    for line, text in zip(lines, begin, strict=True):
        assert line.startswith(f"error: {text}")
