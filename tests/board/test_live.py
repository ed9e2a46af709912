"""The live bench: the numbers of `gdlab.run`, within limits, for what gdlab has itself."""

import dataclasses
import json
import shlex
from itertools import pairwise
from threading import Thread
from typing import Any

import numpy as np
import pytest

import gdlab
from gdlab.board import live
from gdlab.board.asks import MOST_STEPS, Ask, optimizer_named, value_of
from gdlab.board.choices import choices
from gdlab.board.commands import command_of, with_loss_name, words_of
from gdlab.board.live import Bench, Dropped
from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.cli.run import read_config
from gdlab.engine.compiled_oracle import CompiledOracle
from gdlab.engine.compiler.library import load_library
from gdlab.fields.declared import find_field
from gdlab.results.known_loss import settings_with_loss

ROSENBROCK = {"_target_": "gdlab.losses.Rosenbrock", "dim": 2, "a": 1.0, "b": 100.0}
FORMULA = {
    "_target_": "gdlab.losses.Expression",
    "formula": "a*x**2 + y**2",
    "parameters": {"a": 3},
}


def problem(node=ROSENBROCK, name="rosenbrock", **transform):
    made = settings_with_loss({"loss": dict(node), "lr": 1.0, "transform": transform})
    assert not isinstance(made, str)
    return with_loss_name(made, name, node)


# Query, the same for gdlab.run. The steps of newton and bfgs are never compiled.
SAME = {
    "sgd": ("lr=0.001", {"lr": 0.001}),
    "momentum": (
        "lr=0.0005&optimizer.momentum=0.8&loss.b=20",
        {"lr": 0.0005, "momentum": 0.8, "loss.b": 20.0},
    ),
    "adam": ("lr=0.02&optimizer.betas.0=0.8&seed=3", {"lr": 0.02, "betas": (0.8, 0.999)}),
    "newton": ("optimizer.line_search=armijo", {"line_search": "armijo"}),
    "bfgs": ("", {}),
}


def query(text):
    return dict(pair.split("=") for pair in text.split("&") if pair)


@pytest.mark.parametrize("name", SAME)
def test_the_numbers_are_those_of_a_run(name):
    text, settings = SAME[name]
    found = Bench().compute(
        problem(), Ask.of({"optimizer": name, "start": "-1,1.5", **query(text)})
    )
    run = gdlab.run("rosenbrock", name, start=[-1, 1.5], **settings)
    assert found.outcome.status == run.outcome.status
    for each in ("step", "x", "loss", "grad_norm", "lr"):
        ours, theirs = getattr(found.history, each), getattr(run.history, each)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)  # observed: equal bits


def test_short_runs_are_those_of_torch_up_to_rounding():
    """They are compiled here, and in torch's kernels by gdlab.run."""
    found = Bench().compute(problem(), Ask("adam", lr=0.02, steps=200))
    run = gdlab.run("rosenbrock", "adam", lr=0.02, steps=200)
    assert (found.outcome.mode, run.outcome.mode) == ("compiled", "eager")
    np.testing.assert_allclose(found.history.x, run.history.x, rtol=1e-12)  # observed: 4e-15


def test_a_slider_compiles_nothing_anew():
    bench, compiled = Bench(), load_library.cache_info
    bench.compute(problem(), Ask("adam", lr=0.02))
    before = compiled().misses
    fields = {"betas.0": "0.85", "eps": "1e-7"}
    found = bench.compute(problem(), Ask("adam", 0.03, 900, 1, (0.5, 0.5), {"b": "7"}, fields))
    assert (found.outcome.mode, compiled().misses) == ("compiled", before)


def test_steps_are_traced_again_only_where_they_are_others():
    bench, whole, traced = Bench(), problem(), []
    asks = [
        Ask("momentum", lr=1e-3, steps=50),
        Ask("momentum", lr=2e-3, steps=70, start=(0.5, 0.5), fields={"momentum": "0.8"}),
        Ask("momentum", lr=2e-3, steps=70, fields={"momentum": "0"}),
        Ask("momentum", lr=2e-3, steps=70, loss={"b": "7"}),
        Ask("adam", lr=2e-3, steps=70),
        Ask("newton", steps=5),
        Ask("adam", lr=3e-3, steps=70),
    ]
    for ask in asks:
        found, alone = bench.compute(whole, ask), Bench().compute(whole, ask)
        np.testing.assert_array_equal(found.history.x, alone.history.x)
        np.testing.assert_array_equal(found.history.loss, alone.history.loss)
        traced.append(bench._steps.last)
    assert [a is b for a, b in pairwise(traced)] == [True, False, False, False, False, False]
    assert isinstance(traced[5], CompiledOracle)


def test_a_brief_run_is_not_diagnosed_and_else_the_same():
    bench, ask = Bench(), Ask("sgd", lr=1e-3, steps=50)
    whole, brief = bench.compute(problem(), ask), bench.compute(problem(), ask, diagnosed=False)
    np.testing.assert_array_equal(whole.history.x, brief.history.x)
    assert (whole.outcome.lr_limit is None, brief.outcome.lr_limit) == (False, None)
    assert (whole.outcome.diagnosis, brief.outcome.diagnosis) == ("descending", None)


def test_a_transform_and_a_start_of_the_loss_are_kept():
    found = Bench().compute(problem(shift=2.0), Ask("newton"))
    np.testing.assert_allclose(found.outcome.x, [3.0, 3.0], atol=1e-7)  # observed: 3e-12


TYPED = [
    (ROSENBROCK, Ask(lr=0.001), ["loss=rosenbrock", "lr=0.001"]),
    (
        ROSENBROCK,
        Ask("adam", 1 / 3, 2000, 7, (1.0, 1e-300), {"b": "5"}, {"betas.1": "0.9", "eps": "1e-9"}),
        [
            *("loss=rosenbrock", "loss.b=5.0", "optimizer=adam", "optimizer.betas=[0.9,0.9]"),
            *("optimizer.eps=1e-09", "lr=0.3333333333333333", "start=[1.0,1e-300]"),
            *("steps=2000", "seed=7"),
        ],
    ),
    (
        FORMULA,
        Ask("newton", start=(1.0, 2.0), loss={"formula": "x**2 + a*exp(y)", "parameters.a": "2"}),
        [
            *("loss=expression", "loss.formula=x**2 + a*exp(y)", "loss.parameters.a=2.0"),
            *("optimizer=newton", "start=[1.0,2.0]"),
        ],
    ),
]


@pytest.mark.parametrize(("node", "ask", "words"), TYPED)
def test_the_words_of_a_command_make_the_same_settings(node, ask, words):
    name = "rosenbrock" if node is ROSENBROCK else "another folder's"
    settings = ask.settings(problem(node, name))
    assert words_of(settings) == words
    with hydra_ready():
        typed = read_config(compose_config(words))
    assert typed.flat() == settings.flat()


@pytest.mark.parametrize(
    ("text", "center"), [("0.5", 0.5), ("0.5,1", (0.5, 1.0)), ("[0.5,1]", (0.5, 1.0))]
)
def test_a_field_may_be_a_number_or_a_list(text, center):
    quadratic = problem({"_target_": "gdlab.losses.Quadratic"}, "quadratic")
    loss: Any = Ask(loss={"center": text}).settings(quadratic).loss
    assert loss.center == center


def test_a_word_means_no_more_to_the_shell_than_it_says():
    words = ["loss=expression", "loss.formula=x**2 + $(reboot) `'\"y", "start=[1.0,2.0]"]
    assert shlex.split(command_of(words))[3:] == words


REFUSED = {
    "lr=nan": "lr=nan: must be a finite number",
    "lr=1e999": "lr=1e999: must be a finite number",
    "lr=-1": "lr=-1: must be a finite number > 0",
    "lr=__import__('os')": "must be a finite number",
    "steps=2001": "at most 2000",
    "steps=0": "steps=0",
    "steps=1.5": "must be a whole number",
    "seed=-1": "seed=-1",
    "start=1": "start=",
    "start=1,2,3": "must be 2 numbers",
    "start=" + ",".join("1" * 11): "at most 10 numbers",
    "start=1,inf": "must be a finite number",
    "optimizer=os.system": "optimizer=os.system",
    "optimizer=gdlab.optimizers.SGD": "optimizer=gdlab.optimizers.SGD",
    "optimizer=../loss/rosenbrock": "optimizer=../loss/rosenbrock",
    "optimizer=custom": "optimizer=custom",
    "optimizer=torch": "optimizer=torch",
    "optimizer=gauss_newton": "needs a sum or mean of squares",
    "optimizer.momentum=2": "optimizer.momentum=2: must be a finite number ≥ 0 and < 1",
    "optimizer.nesterov=1": "must be true or false",
    "optimizer.nothing=1": "no such setting",
    "optimizer._target_=os.system": "no such setting",
    "optimizer=lookahead&optimizer.inner=os.system": "cannot be set",
    "optimizer=newton&optimizer.line_search=exact": "must be one of none, armijo",
    "loss.b=true": "must be a finite number",
    "loss.dim=1000000": "at most 10 dimensions",
    "loss.dim=3": "must keep its 2 dimensions",
    "loss.data=/etc/passwd": "no such setting",
    "hydra.run.dir=/tmp": "no such setting",
    "transform.rotation=1": "no such setting",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_line(text):
    with pytest.raises(gdlab.GdlabError) as caught:
        Bench().compute(problem(), Ask.of(query(text)))
    assert REFUSED[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("formula", ["__import__('os')", "x.__class__", "x" * 401, "x + z"])
def test_a_formula_is_parsed_not_evaluated(formula):
    with pytest.raises(gdlab.SettingError):
        Bench().compute(problem(FORMULA, "expression"), Ask(loss={"formula": formula}))


def test_a_recorded_loss_of_many_dimensions_is_refused():
    many = problem({**ROSENBROCK, "dim": 1_000_000})
    with pytest.raises(gdlab.SettingError, match="at most 10 dimensions"):
        Bench().compute(many, Ask())


def test_only_the_newest_of_those_that_wait_is_computed():
    bench, ends = Bench(), {}

    def ask(number):
        try:
            ends[number] = bench.compute(problem(), Ask("newton", seed=number)).settings.seed
        except Dropped as error:
            ends[number] = str(error)

    with bench._computing:
        threads = [Thread(target=ask, args=(number,)) for number in range(3)]
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while bench._newest < number:
                pass
    for thread in threads:
        thread.join()
    assert ends == {0: live._NEWER, 1: live._NEWER, 2: 2}


def test_a_long_run_makes_room_for_a_newer_one(monkeypatch):
    bench, record = Bench(), live.record

    def ask_again(*given, **named):
        bench._newest += 1
        return record(*given, **named)

    monkeypatch.setattr(live, "_PATIENCE", 0.0)
    monkeypatch.setattr(live, "record", ask_again)
    with pytest.raises(Dropped):
        bench.compute(problem(), Ask("newton"))


def test_each_end_of_a_slider_is_accepted(monkeypatch):
    few = ("adam", "gauss_newton", "lookahead", "momentum", "newton")
    monkeypatch.setattr("gdlab.board.choices.optimizer_names", lambda: few)
    offered = choices(problem())
    json.dumps(offered, allow_nan=False)
    assert offered["most_steps"] == MOST_STEPS
    by_name = {each["name"]: each for each in offered["optimizers"]}
    assert [*by_name] == [name for name in few if name != "gauss_newton"]  # it needs residuals
    assert check_ends(problem().loss, offered["loss"]) == 2
    for name, each in by_name.items():
        assert check_ends(optimizer_named(name).optimizer, each["fields"]) >= 5
        for end in ("low", "high"):
            Ask(name, each["lr"][end]).settings(problem())
    tuned = [(field["name"], field["tuned"]) for field in by_name["adam"]["fields"][:3]]
    assert tuned == [("betas.0", True), ("betas.1", True), ("eps", False)]


def check_ends(owner, fields):
    """Check the ends by themselves: two fields may exclude each other. Return how many fields."""
    for field in fields:
        name = field["name"]
        declared = find_field(owner, name) or find_field(owner, name.rpartition(".")[0])
        assert declared is not None
        single = dataclasses.replace(declared, hint=float) if name[-1].isdecimal() else declared
        for text in ends_of(field):
            single.check(name, value_of(name, text, single))
    return len(fields)


def ends_of(field):
    """The texts that a page sends for the ends of a slider, or for all values of a choice."""
    if field["scale"] == "choice":
        return [json.dumps(value).strip('"') for value in field["values"]]
    assert field["low"] <= field["value"] <= field["high"]
    assert field["scale"] != "log" or field["low"] > 0
    ends = [field["low"], field["value"], field["high"]]
    return [str(int(end) if field.get("whole") else end) for end in ends]


def test_an_ask_has_the_defaults_of_a_run():
    ours = {f.name: f.default for f in dataclasses.fields(Ask)}
    usual = gdlab.run(steps=1).settings
    assert (ours["seed"], ours["steps"]) == (usual.seed, 1000)
