"""Formulas as losses: columns, sweeps, pictures, and the whole command as typed in bash."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from helpers.command import QUIET, typed
from helpers.files import result
from helpers.gradients import plain_descent
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gdlab
from gdlab.__main__ import main
from gdlab.derivatives.methods.algebra import symbols
from gdlab.losses import Expression
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.parquet import read_parquet

BOWL = "x**2 + 3*x*y + sin(pi*y)"


# Columns and shapes


def test_a_batch_of_points_gives_the_values_of_single_points() -> None:
    loss = Expression(BOWL)
    x = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(1)).double()
    assert loss(x).shape == (2, 3)
    for at in np.ndindex(2, 3):
        assert float(loss(x[at])) == float(loss(x)[at])


def test_a_parameter_may_be_a_column() -> None:
    a, b = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([0.5, 0.0, 2.0]).double()
    loss = Expression("a*x**2 + y**b + c", parameters={"a": a, "b": b, "c": 4})
    x = torch.rand(5, 3, 2, generator=torch.Generator().manual_seed(2)).double()
    assert loss.names == ("x", "y")
    expected = a * x[..., 0] ** 2 + x[..., 1] ** b + 4
    np.testing.assert_allclose(loss(x), expected, rtol=1e-15)
    assert loss.symbolic(()) is None
    moved = loss.to(torch.float32, torch.device("cpu"))
    assert moved(x.float()).dtype == torch.float32


def test_properties() -> None:
    loss = Expression("a*y + x", variables=("x", "y"), parameters={"a": 2})
    assert (loss.dim, loss.names) == (2, ("x", "y"))
    assert loss.start.tolist() == [1.0, 1.0]
    assert loss.window.tolist() == [[-2.0, 4.0], [-2.0, 4.0]]
    assert (loss.minimizers, loss.minimum, loss.elementwise) == (None, None, True)
    assert loss.about == {"f": "a*y + x", "∂f/∂x": "1", "∂f/∂y": "a"}
    assert Expression("x**2", variables=("y", "x")).dim == 2


def test_a_large_formula_has_no_derivative_in_symbols() -> None:
    """Sympy would take minutes over some of these."""
    for text in ("+".join(f"x{i}**2" for i in range(60)), "abs(" * 20 + "x" + "-y)" * 20):
        loss = Expression(text)
        assert loss.symbolic(symbols(loss.names)) is None
        assert loss.about.keys() == {"f"}
        assert len(loss.about["f"]) <= 201


def test_more_than_six_partial_derivatives_are_counted() -> None:
    about = Expression("+".join(f"x{i}" for i in range(9))).about
    assert list(about) == ["f", *(f"∂f/∂x{i}" for i in range(6)), ""]
    assert about[""] == "… (3 more)"


# One run, typed in bash

RUN = f"loss=expression 'loss.formula={BOWL}' 'start=[1,1]' lr=0.01 steps=40 hydra.run.dir=run"


def test_a_formula_works_as_typed_in_bash(tmp_path) -> None:
    """The whole command, by the shell itself."""
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m gdlab {RUN} record.figures=false"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line[2:16].strip(): line[16:].strip() for line in done.stdout.splitlines()[1:]}
    assert lines["f"] == BOWL
    assert (lines["∂f/∂x"], lines["∂f/∂y"]) == ("2*x + 3*y", "3*x + pi*cos(pi*y)")
    assert lines["point"].startswith("x=")

    def gradient(x: np.ndarray) -> np.ndarray:
        return np.array([2 * x[0] + 3 * x[1], 3 * x[0] + np.pi * np.cos(np.pi * x[1])])

    path = plain_descent(gradient, np.array([1.0, 1.0]), 0.01, 40)
    np.testing.assert_allclose(result(tmp_path / "run")["x"], path[-1], rtol=1e-12)


def test_the_files_of_a_run_can_be_read_and_rerun(gd, here) -> None:
    assert gd(*typed(RUN)).code == 0
    assert (here / "run" / "trajectory.png").is_file()
    assert gdlab.load("run").config["loss"]["formula"] == BOWL
    overrides = yaml.safe_load((here / "run" / ".hydra" / "overrides.yaml").read_text())
    assert overrides[:2] == ["loss=expression", f'loss.formula="{BOWL}"']
    assert gd(*overrides, "hydra.run.dir=again").code == 0
    assert result(here / "again")["x"] == result(here / "run")["x"]
    again = yaml.safe_load((here / "again" / ".hydra" / "overrides.yaml").read_text())
    assert again == overrides
    events = EventAccumulator(str(here / "run")).Reload()
    (text,) = events.Tensors("problem")
    about = text.tensor_proto.string_val[0].decode()
    assert "∂f/∂x: 2*x + 3*y" in about
    assert f"f: {BOWL}" in about


# further words, and the formula and parameters of the run
TYPED = [
    ("'++loss.formula=x**2 + y'", "x**2 + y", {}),
    ("'loss.formula=\"x**2 + y\"'", "x**2 + y", {}),
    ("\"loss.formula='x**2 + y'\"", "x**2 + y", {}),
    ("'loss.formula= (x - 1)**2 '", "(x - 1)**2", {}),
    ("'loss.formula=atan2(x, y)**2'", "atan2(x, y)**2", {}),
    ("'loss.formula=max(x, -x) + x**2'", "max(x, -x) + x**2", {}),
    ("loss.formula=x", "x", {}),
    ("'loss.formula=where(x==0 or 1<=x<2, 0, x)'", "where(x==0 or 1<=x<2, 0, x)", {}),
    ("'loss.formula=a*x**2' loss.parameters.a=2.0", "a*x**2", {"a": 2.0}),
    ("'loss.formula=a*x**2' ++loss.parameters.a=2", "a*x**2", {"a": 2}),
    ("'loss.formula=a*x**2+b' 'loss.parameters={a:2,b:3}'", "a*x**2+b", {"a": 2, "b": 3}),
    ("'loss.formula=a*x**2' loss.parameters.a='${lr}'", "a*x**2", {"a": "${lr}"}),
    ("'loss.formula=x*y' 'loss.variables=[y,x]'", "x*y", {}),
]


@pytest.mark.parametrize(("line", "formula", "parameters"), TYPED)
def test_ways_to_type_a_formula(line, formula, parameters, gd, here) -> None:
    done = gd("loss=expression", *typed(line), "steps=2", "hydra.run.dir=run", *QUIET)
    assert (done.code, done.err) == (0, "")
    config = gdlab.load("run").config["loss"]
    assert (config["formula"], config["parameters"]) == (formula, parameters)


# words after loss=expression, and part of the message
REFUSED = [
    ("loss.formula=", "loss.formula=: column 1: the formula is empty"),
    ("loss.formula=null", "loss.formula=null: must be a string"),
    ("loss.formula=x^2", "loss.formula=x^2: column 2: '^' is not allowed in a formula; a power is"),
    ("loss.formula=2x", "loss.formula=2x: column 1: write a product with *: 2*x"),
    ("'loss.formula=(x'", "loss.formula=(x: column 1: '(' is never closed"),
    ("'loss.formula=it'\"'\"'s'", "loss.formula=it's: column 3: ''' is not allowed"),
    ("'loss.formula=\"x\" + y'", "column 1: '\"' is not allowed in a formula"),
    ("'loss.formula=x\\'", "loss.formula=x\\: column 2: '\\' is not allowed in a formula"),
    ("'loss.formula=x + ${lr}'", "column 5: '$' is not allowed in a formula"),
    ("'loss.formula=${oc.env:HOME}'", "column 1: '$' is not allowed in a formula"),
    ("'loss.formula=x + ${'", "column 5: '$' is not allowed in a formula"),
    ('\'loss.formula=__import__("os").system("touch mark")\'', "column 12: '\"' is not allowed"),
    ("'loss.formula=x**2,x**4'", "--multirun"),
    ("'loss.formul=x**2 + y'", "no such setting, did you mean loss.formula?"),
    ("'loss.formula=a*x' 'loss.variables=[x]'", "set loss.parameters.a"),
    ("'loss.formula=a*x' loss.parameters.a=b", "loss.parameters.a=b: must be a number"),
    ("'loss.formula=a*x' loss.parameters.a.b=1", "loss.parameters.a={b:1}: must be a number"),
    ("'loss.formula=a*x' loss.parameters.b=1", "loss.parameters.b=1.0: the formula has no such"),
    ("'loss.formula=x' 'start=[1,2]'", "must be 1 numbers (x), or random"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_a_bad_formula_gives_a_one_line_error_and_no_files(line, message, gd, here) -> None:
    done = gd("loss=expression", *typed(line))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert list(here.iterdir()) == []


def test_other_losses_have_no_parameters(gd, here) -> None:
    done = gd("loss.parameters.a=1")
    assert (done.code, done.out) == (2, "")
    assert "loss.parameters={a:1}: no such setting" in done.err


# Sweeps


def groups(directory: Path) -> int:
    return len(set(read_parquet(VerifiedFiles(directory), "plan.parquet")["group"].to_pylist()))


def test_a_parameter_sweeps_as_a_column_of_one_batch(gd, here) -> None:
    line = (
        "-m loss=expression 'loss.formula=a*(x - b)**2 + y**4' loss.parameters.a=1,2,3.5 "
        "loss.parameters.b=-1 lr=0.05,0.1 steps=30 hydra.sweep.dir=sweep"
    )
    done = gd(*typed(line), *QUIET)
    assert (done.code, done.err) == (0, "")
    assert groups(here / "sweep") == 1
    table = gdlab.load("sweep").results
    assert table["loss.parameters.a"].tolist() == [1, 1, 2, 2, 3.5, 3.5]
    for row in table.to_dict("records"):
        a = row["loss.parameters.a"]
        loss = Expression("a*(x - b)**2 + y**4", parameters={"a": a, "b": -1})
        alone = gdlab.run(loss, lr=row["lr"], steps=30).outcome
        assert [row["x0"], row["x1"], row["final_loss"]] == [*alone.x.tolist(), alone.final_loss]
        name = f"a={a:g},lr={row['lr']}"
        config = yaml.safe_load((here / "sweep" / name / ".hydra" / "config.yaml").read_text())
        assert config["loss"]["parameters"] == {"a": a, "b": -1}
        overrides = yaml.safe_load(
            (here / "sweep" / name / ".hydra" / "overrides.yaml").read_text()
        )
        assert overrides[2] == f"++loss.parameters.a={a:g}"


def test_formulas_sweep_as_structure_and_an_interrupted_sweep_resumes(gd, here) -> None:
    axes = "'loss.formula=a*x**2 + max(x, 0),x**4 + a*x' loss.parameters.a=1,2"
    done = gd(*typed(f"-m loss=expression {axes} steps=9 hydra.sweep.dir=sweep"), *QUIET)
    assert (done.code, done.err) == (0, "")
    assert groups(here / "sweep") == 2
    kept = gdlab.load("sweep").results
    assert kept["loss.formula"].tolist() == [*["a*x**2 + max(x, 0)"] * 2, *["x**4 + a*x"] * 2]
    (here / "sweep" / "results.parquet").unlink()
    (here / "sweep" / "shards" / "00001.parquet").unlink()
    assert gd("resume=sweep", *typed(axes)).code == 0
    again = gdlab.load("sweep").results
    assert again.drop(columns="seconds").equals(kept.drop(columns="seconds"))
    assert again["loss.parameters.a"].tolist() == [1, 2, 1, 2]
    other = gd("resume=sweep", "loss.parameters.a=1,3")
    assert other.code == 2
    assert "had loss.parameters.a=1,2" in other.err


def test_parameters_can_be_zipped_and_given_as_intervals(gd, here) -> None:
    base = "-m loss=expression 'loss.formula=a*x**2' steps=3"
    zipped = "lr=0.1,0.2 loss.parameters.a=1,2 'hydra.sweeper.zip=[lr,loss.parameters.a]'"
    assert gd(*typed(f"{base} {zipped} hydra.sweep.dir=zip"), *QUIET).code == 0
    table = gdlab.load("zip").results
    assert table[["lr", "loss.parameters.a"]].to_numpy().tolist() == [[0.1, 1], [0.2, 2]]
    cut = "'loss.parameters.a=tag(log,interval(1,100))' hydra.sweeper.points=3"
    assert gd(*typed(f"{base} {cut} hydra.sweep.dir=cut"), *QUIET).code == 0
    assert gdlab.load("cut").results["loss.parameters.a"].tolist() == pytest.approx([1, 10, 100])


def test_a_custom_experiment_can_sweep_formulas(gd, here) -> None:
    (here / "mine" / "experiment").mkdir(parents=True)
    (here / "mine" / "experiment" / "powers.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /loss: expression\n"
        "steps: 4\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n"
        "      loss.formula: a*x**2, max(x,-x) + a*x**2\n"
        "      loss.parameters.a: 1,2,3\n"
    )
    line = "--config-dir mine experiment=powers hydra.sweep.dir=sweep"
    done = gd(*typed(line), *QUIET)
    assert (done.code, done.err) == (0, "")
    assert groups(here / "sweep") == 2
    assert len(gdlab.load("sweep").results) == 6


def test_hydras_own_launcher_takes_formulas(gd, here) -> None:
    axes = "'loss.formula=x**2,max(x,-x)' hydra/launcher=basic hydra/sweeper=basic"
    done = gd(*typed(f"-m loss=expression {axes} steps=3 hydra.sweep.dir=sweep"), *QUIET)
    assert (done.code, done.err) == (0, "")
    formulas = {
        yaml.safe_load(path.read_text())["loss"]["formula"]
        for path in here.glob("sweep/*/.hydra/config.yaml")
    }
    assert formulas == {"x**2", "max(x,-x)"}


def test_a_sweep_from_python() -> None:
    formulas: Any = {"loss.formula": ["x**2", "a*x**2"], "loss.parameters.a": [1]}
    with pytest.raises(gdlab.SettingError, match="the formula has no such name"):
        gdlab.sweep("expression", lr=0.1, steps=2, **formulas)
    formulas = {"loss.formula": ["x**2", "x**3"]}
    swept = gdlab.sweep("expression", steps=1, **formulas)
    assert swept.results["x0"].tolist() == pytest.approx([0.8, 0.7])
    loss = Expression("a*x**2", parameters={"a": 1})
    parameters: Any = {"loss.parameters.a": [1, 2.5]}
    swept = gdlab.sweep(loss, lr=0.1, steps=2, **parameters)
    assert swept.results["x0"].tolist() == pytest.approx([0.8**2, 0.5**2])
    unknown: Any = {"loss.parameters.b": [1, 2]}
    with pytest.raises(gdlab.SettingError, match=r"loss\.parameters\.b=1\.0: the formula has no"):
        gdlab.sweep(loss, **unknown)
    unknown = {"loss.formula.b": [1, 2]}
    with pytest.raises(gdlab.SettingError, match=r"loss\.formula\.b=1: no such setting"):
        gdlab.sweep(loss, **unknown)


def test_help_names_it(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["loss=expression", "--cfg", "job", "loss.formula=x**2 + y"])
    assert "formula: x**2 + y" in capsys.readouterr().out
