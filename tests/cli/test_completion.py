"""Tab completion: what the last word of a line may become."""

import shlex

import hypothesis
import pytest
from helpers.command import refusal
from hypothesis import strategies as st

from gdlab.cli.completion import complete

MGH = ["bard", "beale", "biggs", "box", "brown_almost_linear", "brown_badly_scaled"]
MGH += ["brown_dennis", "broyden_banded", "broyden_tridiagonal"]

# the line up to the cursor, all that it may become
LINES = [
    # beside formulas and shorthands
    ("loss=expression 'loss.formula=x**2+y' optimizer=nes", ["optimizer=nesterov"]),
    ("loss=expression 'loss.formula=x**2 + 3*y' loss.for", ["loss.formula="]),
    (
        'loss=expression "loss.formula=max(x, y)" loss.parameters.a=1 opt',
        ["optimizer.", "optimizer="],
    ),
    ("noise=0.1 noise.", ["noise.dof=", "noise.kind=", "noise.scale="]),
    ("noi", ["noise.", "noise="]),
    # choices
    ("loss=mgh/b", [f"loss=mgh/{name}" for name in MGH]),
    ("-m loss=sphere,mgh/be", ["loss=sphere,mgh/beale"]),
    ("'loss=mgh/be", ["loss=mgh/beale"]),
    ("+experiment=ba", ["+experiment=basins", "+experiment=basins_with_momentum"]),
    ("hydra/swe", ["hydra/sweeper="]),
    ("hydra/sweeper=ran", ["hydra/sweeper=random"]),
    ("optimizer=lookahead optimizer.inner=nes", ["optimizer.inner=nesterov"]),
    ("--config-dir mine optimizer=he", ["optimizer=heavy", "optimizer=heavy_ball"]),
    # settings and their values
    ("optimizer=lookahead optimizer.inner=adam optimizer.inner.e", ["optimizer.inner.eps="]),
    ("~stop.l", ["~stop.loss="]),
    ("noise=0.3 noise=", ["noise=0.3"]),
    ("record.figures=", ["record.figures=false", "record.figures=true"]),
    ("loss=mse loss.data=./min", ["loss.data=./mine"]),
    # lines that are wrong, and flags
    ("lr=(( optimizer=adam optimizer.am", ["optimizer.amsgrad="]),
    ("--losses --version --nope st", ["start=", "start_spread=", "steps=", "stop."]),
    ("--config-dir ", []),
    ("--config-name nope st", []),
    ("--cf", []),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    (folder / "mine" / "optimizer").mkdir(parents=True)
    (folder / "mine" / "optimizer" / "heavy.yaml").write_text("_target_: gdlab.optimizers.SGD\n")
    return folder


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_the_last_word_is_completed(line, expected, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert complete(f"gdlab {line}", "config") == expected


@pytest.mark.parametrize("program", ["python -m gdlab", "/usr/bin/python3.11 gdlab/__main__.py"])
def test_the_program_is_no_setting(program):
    assert complete(f"{program} loss=himm", "config") == ["loss=himmelblau"]


WORDS = [
    "",
    "noise=0.1",
    "loss=expression",
    "loss=custom",
    "loss.k=[1",
    "hydra.mode=",
    "seed=range(3)",
]
WORDS += [
    "+x",
    "~loss",
    "lr=${nope}",
    "-m",
    "--cfg",
    "-p",
    "hydra.run.dir=~/ü",
    "loss@x=1",
    "a=b=c",
]
PIECES = ["x**2 + y", "'", '"', "\\", "loss", "optimizer.inner", "=", ",", ".", "/", "~", "$", "\n"]


@hypothesis.settings(max_examples=3)
@hypothesis.given(
    words=st.lists(st.sampled_from(WORDS), max_size=2),
    last=st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
    quote=st.sampled_from([shlex.quote, str]),
)
def test_any_line_is_completed_without_an_error(words, last, quote):
    completed = complete(f"gdlab {shlex.join(words)} {quote(last)}", "config")
    assert all(word.startswith(last) for word in completed if quote is shlex.quote)


@pytest.mark.parametrize(
    ("line", "point", "expected"),
    [
        ("gdlab loss=himm", None, "loss=himmelblau\n"),
        ("gdlab loss=himm lr=1", "15", "loss=himmelblau\n"),
        ("gdlab loss=nope", None, "\n"),
    ],
)
def test_the_shell_is_answered(line, point, expected, gd, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.delenv("COMP_POINT", raising=False)
    if point:
        monkeypatch.setenv("COMP_POINT", point)
    for shell in ("bash", "fish"):
        done = gd("-sc", f"query={shell}")
        assert (done.code, done.out, done.err) == (0, expected, "")


def test_bash_is_given_a_function(gd, monkeypatch):
    script = gd("-sc", "install=bash").out
    assert script.endswith("complete -o nospace -o default -F _gdlab_complete gdlab\n")
    monkeypatch.delenv("COMP_LINE", raising=False)
    assert "needs the line in the variable COMP_LINE" in refusal(gd("-sc", "query=bash"))
