"""The nearest name to a mistyped one."""

import math

import pytest

from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.config.settings import GROUPS, Settings
from gdlab.engine.batch import Stop
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields
from gdlab.fields.suggestions import choices_of, did_you_mean, unknown_setting
from gdlab.fields.unknown_choices import unknown_choice
from gdlab.paths import CONF

KNOWN = [
    *("lr", "steps", "seed", "start", "noise", "dtype", "device", "loss", "optimizer", "schedule"),
    *("stop", "stop.grad_tol", "stop.loss", "stop.max_loss", "record", "record.every"),
    *("loss.dim", "loss.condition", "optimizer.momentum", "optimizer.weight_decay"),
]

# given, suggested; None if no name is near
NEAREST = [
    ("learning_rate", "lr"),
    ("Learning_Rate", "lr"),
    ("eta", "lr"),
    ("learning-rate", "lr"),
    ("record_every", "record.every"),
    ("Stop-Max-Loss", "stop.max_loss"),
    ("loss__dim", "loss.dim"),
    ("epochs", "steps"),
    ("max_iter", "steps"),
    ("step", "steps"),
    ("sead", "seed"),
    ("optimiser", "optimizer"),
    ("opt", "optimizer"),
    ("los", "loss"),
    ("x0", "start"),
    ("tol", "stop.grad_tol"),
    ("stop.tol", "stop.grad_tol"),
    ("stop.gradtol", "stop.grad_tol"),
    ("stop.maxloss", "stop.max_loss"),
    ("grad_tol", "stop.grad_tol"),
    ("conditon", "loss.condition"),
    ("kappa", "loss.condition"),
    ("loss.kappa", "loss.condition"),
    ("momentum", "optimizer.momentum"),
    ("optimizer.momentun", "optimizer.momentum"),
    ("optimizer.weightdecay", "optimizer.weight_decay"),
    ("beta", "optimizer.momentum"),
    ("beta1", "optimizer.momentum"),
    ("optimizer.betas", "optimizer.momentum"),
    ("wd", "optimizer.weight_decay"),
    ("epsilon", None),  # optimizer.eps, which this optimizer does not have
    ("zzz", None),
    ("", None),
]


@pytest.mark.parametrize(("given", "meant"), NEAREST)
def test_the_nearest_setting(given, meant):
    expected = f", did you mean {meant}?" if meant else ""
    assert did_you_mean(given, KNOWN) == expected
    assert did_you_mean(given, reversed(KNOWN)) == expected


def test_no_names_give_no_suggestion():
    assert did_you_mean("lr", []) == ""


def test_few_choices_are_all_listed():
    error = unknown_choice("schedule", "stp", ["step", "cosine"])
    assert str(error) == "schedule=stp: no such choice, did you mean step? (choices: cosine, step)"


# group, what was given, what is said
CHOICES = [
    ("loss", "rosenbrok", "did you mean rosenbrock or mgh/rosenbrock? (all: python -m "),
    ("loss", "banana", "did you mean rosenbrock? (all: python -m gdlab --losses)"),
    ("loss", "MSELoss", "did you mean mse? (all: "),
    ("loss", "xyzzy", "(choices: ackley, beale, bohachevsky, booth, …; all: python -m "),
    ("optimizer", "torch.optim.adam", "did you mean adam? (all: python -m gdlab --optimizers)"),
    ("optimizer", "gradient_descent", "did you mean sgd? (all: "),
    ("optimizer", "all", "all of them make a sweep: --multirun 'optimizer=glob(*)'"),
    ("schedule", "none", "did you mean constant? (choices: constant, "),
    ("loss", "x^2", "a formula is loss=expression 'loss.formula=x^2'"),
    (
        "loss",
        "a b.csv",
        "loss=mse 'loss.data=a b.csv', of classes loss=softmax 'loss.data=a b.csv'",
    ),
    ("loss", "iris", "loss=iris: this is data; a model of it is loss=mse loss.data=iris"),
    ("loss", "./sub/my.py", "name the class in the file, as loss=sub.my.MyLoss for class MyLoss"),
    ("optimizer", "my.py", "as optimizer=my.MyOptimizer for class MyOptimizer"),
    (
        "optimizer",
        "adam(lr=0.1)",
        "must be a name; settings are words of their own, as optimizer=a",
    ),
    ("hydra/launcher", "all", "no such choice (choices: "),
]


@pytest.mark.parametrize(("group", "given", "said"), CHOICES)
def test_what_was_meant_in_place_of_a_choice(group: str, given: str, said: str) -> None:
    assert said in str(unknown_choice(group, given, choices_of(group)))


def test_an_unknown_setting_lists_its_siblings():
    error = unknown_setting("stop.los", "3", KNOWN)
    expected = "stop.los=3: no such setting, did you mean stop.loss? (settings: stop.grad_tol"
    assert str(error) == f"{expected}, stop.loss, stop.max_loss)"


@pytest.mark.parametrize("group", GROUPS)
def test_the_choices_of_a_group_are_its_files(group):
    folder = CONF / group
    paths = [path.relative_to(folder) for path in folder.glob("**/*.yaml")]
    names = [str(path).removesuffix(".yaml") for path in paths]
    assert choices_of(group) == sorted(names)
    assert "custom" in names or group == "schedule"


def test_an_unknown_group_has_no_choices():
    assert choices_of("nope") == []


def test_settings_of_the_chosen_optimizer_are_suggested():
    with hydra_ready(), pytest.raises(SettingError) as error:
        compose_config(["optimizer=adam", "beta1=0.8"])
    assert "did you mean optimizer.betas?" in str(error.value)


# A setting, the value given, and what is said where no setting beside it has a name like it.
ELSEWHERE = [
    ("batch_size", "have it: loss=mse loss.batch_size=32"),
    ("loss.batch_size", "have it: loss=mse loss.batch_size=32"),
    ("optimizer.betas", "have it: optimizer=adam optimizer.betas=32"),
    (
        "beta",
        "no such setting here, did you mean optimizer.momentum? (settings: optimizer.momentum,"
        " optimizer.weight_decay); cg has it: optimizer=cg optimizer.beta=32",
    ),
    ("loss.data", "no such setting here (settings: loss.condition, loss.dim); "),
    (
        "optimizer.batch_size",
        "no such setting (settings: optimizer.momentum, optimizer.weight_decay)",
    ),
    (
        "milestones",
        "no such setting here; multistep has it: schedule=multistep schedule.milestones=32",
    ),
    ("epochs", "steps are counted: an epoch of N examples is N / loss.batch_size steps"),
    ("out", "the folder of a run is hydra.run.dir=… on a command line, directory=… in Python"),
    ("nothing.batch_size", "nothing.batch_size=32: no such setting"),
]


@pytest.mark.parametrize(("key", "says"), ELSEWHERE)
def test_a_setting_of_another_choice_is_found(key: str, says: str) -> None:
    assert says in str(unknown_setting(key, "32", KNOWN))


def test_a_choice_of_another_group_and_a_list_are_recognized() -> None:
    said = str(unknown_choice("loss", "adam", choices_of("loss")))
    assert said == "loss=adam: adam is an optimizer; choose optimizer=adam"
    said = str(unknown_choice("loss", "[beale,booth]", choices_of("loss")))
    assert said.endswith("must be one choice; several make a sweep: --multirun loss=beale,booth")


# a value of lr or of steps, and what is said
NUMBERS = [
    ("lr", "auto", "lr=auto: must be a number, as 0.1 or 1e-3"),
    ("lr", "1/3", "; write 0.333333"),
    ("lr", "10^-3", "; write 0.001"),
    ("lr", "5%", "; write 0.05"),
    ("lr", "1/0", "must be a number, as 0.1 or 1e-3"),
    ("lr", "0.1..0.5", "; in a sweep, all of these are interval(0.1,0.5)"),
    ("lr", "logspace", " a sweep of a logarithmic scale is 'lr=tag(log,interval(1e-4,1))', of sin"),
    ("lr", "1e-3:1:10", " is 'lr=tag(log,interval(1e-3,1))', of single values lr=0.1,0.01"),
    ("lr", "0:1:10", " is 'lr=tag(log,interval(1e-4,1))', of single values lr=0.1,0.01"),
    ("steps", "2k", "; write 2000"),
    ("steps", "1/3", "must be a whole number, as 100 or 1e3"),
    ("steps", 1.5, "steps=1.5: must be a whole number, as 1 or 2"),
    ("steps", "1-10", "; in a sweep, all of these are range(1,11)"),
    ("start", "1;2", "; a list is [1,2]"),
    ("start", "zeros", "; a list is [1,2]"),
    ("steps", 0.5, "must be a whole number, as 1"),
    ("start", 1, "; a list is [1], of two [1,1]"),
]


# settings that may be unset, values of which some mean that, and what is said
UNSET = [
    (Stop, "patience", 0, "patience=0: must be a whole number ≥ 1 and < 9.0072e+15; null leaves"),
    (Stop, "patience", -1, "; null leaves it unset"),
    (Stop, "patience", "None", "must be a whole number; null leaves it unset"),
    (Stop, "patience", False, "must be a whole number; null leaves it unset"),
    (Stop, "patience", math.inf, "; null leaves it unset"),
    (Stop, "patience", -2, "patience=-2: must be a whole number ≥ 1 and < 9.0072e+15"),
    (Stop, "patience", "ten", "must be a whole number, as 100 or 1e3"),
    (Stop, "max_loss", 0, "max_loss=0: must be a finite number > 0; null leaves it unset"),
    (Settings, "start", "none", "; null leaves it unset"),
    (Settings, "start", 0, "; a list is [0], of two [0,0]"),
    (Settings, "steps", 0, "steps=0: must be a whole number ≥ 1 and < 9.0072e+15"),
]


@pytest.mark.parametrize(("owner", "key", "given", "said"), UNSET)
def test_how_a_setting_is_left_unset(owner: type, key: str, given: object, said: str) -> None:
    with pytest.raises(SettingError) as error:
        declared_fields(owner)[key].check(key, given)
    assert said in str(error.value)
    assert ("null" in str(error.value)) == ("null" in said)


@pytest.mark.parametrize(("key", "given", "said"), NUMBERS)
def test_how_a_number_is_typed(key: str, given: object, said: str) -> None:
    with pytest.raises(SettingError) as error:
        declared_fields(Settings)[key].check(key, given)
    assert said in str(error.value)
