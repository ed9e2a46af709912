"""Hydra's errors about a command line, in one line each."""

import pytest
from hydra.errors import ConfigCompositionException

from gdlab.cli.commas import refuse_bare_lists
from gdlab.cli.composition import CONFIG_NAME, CommandLine, compose_config, hydra_ready
from gdlab.cli.explanations import explain
from gdlab.config.overrides import to_hydra_overrides
from gdlab.errors import SettingError

# the overrides of a sweep, the key that Hydra could not set, what is said
KEYS = [
    (
        "loss=quadratic,cube loss.condition=5",
        "loss=cube has no such setting (settings: loss.b)",
    ),
    ("loss=glob([q*,ros*]) loss.condition=5", "loss=qing has no such setting"),
    ("loss=quadratic,rosenbrock +loss.condition=5", "loss=rosenbrock has no such setting"),
    ("loss=quadratic,rosenbrock loss.conditon=5", "no such setting, did you mean loss.condition?"),
    (
        "optimizer=lookahead optimizer.inner=sgd,adam optimizer.inner.eps=1",
        "optimizer.inner=sgd has no such setting",
    ),
    (
        "optimizer=sgd lr=0.1,0.2 loss.nope=5",
        "no such setting, did you mean noise? (settings: loss.",
    ),
]


@pytest.mark.parametrize(("line", "said"), KEYS)
def test_a_setting_that_one_of_several_choices_lacks(line, said):
    words = line.split()
    key, _, value = words[-1].lstrip("+").partition("=")
    error = ConfigCompositionException(f"Could not override '{key}'.")
    with hydra_ready():
        explained = explain(error, words, to_hydra_overrides(words), CONFIG_NAME)
    assert str(explained).startswith(f"{key}={value}: {said}")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("hydra.run.dri=~/x", "hydra.run.dri=~/x: no such setting, did you mean hydra.run.dir?"),
        ("loss=~/x", "loss=~/x: no such choice (choices: ackley, "),
        (
            "hydra/launcher=joblib",
            "launcher=joblib: needs a plugin; pip install hydra-joblib-launcher",
        ),
        ("loss=[mgh/beale]", "loss=[mgh/beale]: no such choice, did you mean mgh/beale?"),
        ("loss=x**2+y**2", "a formula is loss=expression 'loss.formula=x**2+y**2'"),
        ("loss=x**2", "a formula is loss=expression 'loss.formula=x**2'"),
        ("optimizer=SGD", "optimizer=SGD: no such choice, did you mean sgd?"),
        ("start=(1,1)", "start=(1,1): a list has square brackets and commas: 'start=[1,1]'"),
        ("lr=np.logspace(-3,0,9)", "there is no function np.logspace; write tag(log,interval("),
        ("loss=1-x", "a formula is loss=expression loss.formula=1-x"),
        ("loss=sin(x)", "a formula is loss=expression 'loss.formula=sin(x)'"),
        ("sgd", "such as lr=0.1, without blanks around =, did you mean optimizer=sgd?"),
        ("mgh/beale", "did you mean loss=mgh/beale?"),
        ("cosine", "did you mean schedule=cosine?"),
        ("zigzag", "did you mean experiment=zigzag?"),
        ("help", "did you mean --help?"),
        ("sdg", "sdg: must have the form setting=value, such as lr=0.1, without blanks around ="),
        (
            "start=[1,",
            "start=[1,: the bracket [ is not closed; a value with blanks needs quotes: 'st",
        ),
        (
            "lr=logspace(1e-4,1)",
            "there is no function logspace; write tag(log,interval(1e-4,1)), and",
        ),
        (
            "lr=linspace(0,1)",
            "there is no function linspace; write interval(0.1,1), and hydra.sweep",
        ),
        ("+lr=3", "+lr=3: the setting exists; it is set without +"),
        ("lr=1,2", "lr=1,2: has several values; add --multirun to sweep over them"),
        ("start=1,2", "start=1,2: a list has square brackets: 'start=[1,2]'"),
        ("lr=0.1;0.2", "several values have commas between: lr=0.1,0.2; add --multirun to sweep"),
        ("seed=(1,2)", "several values have commas between: seed=1,2; add --multirun to sweep"),
        ("stop.loss=1;2", "several values have commas between: stop.loss=1,2; add --multirun to"),
        ("start=[1;2]", "a list has square brackets and commas: 'start=[1,2]'"),
        ("start={x=1,y=2}", "values by name have braces and colons: 'start={x:1,y:2}'"),
        ("lr=1e-3,", "a comma has nothing beside it; without it: lr=1e-3"),
        ("lr=0.1,,0.2", "a comma has nothing beside it; without it: lr=0.1,0.2"),
        ("lr=10^-3", "as a number it is written lr=0.001"),
        ("lr=0,01", "as one number it is lr=0.01"),
        ("steps=10,000", "as one number it is steps=10000"),
        ("lr:0.1", "did you mean lr=0.1?"),
        ("2]", "a value with blanks needs quotes, as 'start=[1, 2]'"),
        ("x*y", "a formula is loss=expression 'loss.formula=x*y'"),
        ("start=x:1,y:2", "start=x:1,y:2: values by name have braces: 'start={x:1,y:2}'"),
        (
            "loss.center=1,2",
            "has several values; add --multirun to sweep over them; a list is 'loss.center=[1,2]'",
        ),
        ("betas=0.9,0.99", "betas=0.9,0.99: no such setting here"),
        ("start=range(1,3)", "start=range(1,3): has several values; add --multirun to sweep"),
    ],
)
def test_one_override(override, said):
    with hydra_ready(), pytest.raises(SettingError) as error:
        compose_config([override])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("at=1,2", "at=1,2: a list has square brackets: 'at=[1,2]'"),
        ("window=-1,1,-2,2", "'window=[[-1,1],[-2,2]]'"),
        ("loss=rosenbrock,beale", "must be one value; a report is on one point of one loss"),
        ("loss.a=1,2", "loss.a=1,2: must be one value"),
        ("optimizer=sgd", "optimizer=sgd: no such setting"),
    ],
)
def test_a_report_has_no_sweeps(override: str, said: str) -> None:
    with hydra_ready(), pytest.raises(SettingError) as error:
        compose_config([override], "derivatives", can_sweep=False)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "axis",
    [
        "loss.center=1,2",  # a number or a list
        "start=[1,2],[2,3]",
        "start=random,random",
        "loss.parameters.a=1,2",  # in an open node
        "optimizer.momentum=0.1,0.2",
        "dtype=float32,float64",
    ],
)
def test_several_values_are_an_axis(axis: str) -> None:
    with hydra_ready():
        line = CommandLine([axis])
        refuse_bare_lists(line.several_values, line.compose_sweep())


def test_a_list_without_brackets_is_no_axis() -> None:
    with hydra_ready(), pytest.raises(SettingError, match=r"brackets: 'start=\[1,2\]'"):
        CommandLine(["start=1,2", "lr=0.1,0.2"]).run_sweep()
