"""The tables of what there is to choose from."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers.command import Done, refusal

from gdlab.fields.suggestions import choices_of
from gdlab.paths import CONF

Row = dict[str, str]


def table(text: str) -> dict[str, Row]:
    """The rows of a printed table by name; a cell continued in the next line is joined."""
    header, *lines = text.splitlines()
    starts = [found.start() for found in re.finditer(r"(?:^|(?<=  ))\S", header)]
    slices = [slice(a, b) for a, b in zip(starts, [*starts[1:], None], strict=True)]
    names = [header[part].strip() for part in slices]
    rows: dict[str, Row] = {}
    name = ""
    for line in lines:
        cells = [line[part].strip() for part in slices]
        name = cells[0] or name
        row = rows.setdefault(name, dict.fromkeys(names, ""))
        for key, cell in zip(names, cells, strict=True):
            row[key] = f"{row[key]} {cell}".strip()
    return rows


@pytest.mark.parametrize(
    ("flag", "group", "last"),
    [("--losses", "loss", "what makes it hard"), ("--optimizers", "optimizer", "what it does")],
)
def test_every_choice_is_a_row_with_its_comment(
    gd: Callable[..., Done], flag: str, group: str, last: str
) -> None:
    done = gd(flag)
    assert (done.code, done.err) == (0, "")
    rows = table(done.out)
    assert list(rows) == choices_of(group)
    for name, row in rows.items():
        first = (CONF / group / f"{name}.yaml").read_text("utf-8").splitlines()[0]
        # A word longer than its column is cut.
        assert row[last].replace(" ", "") == first.removeprefix("# ").replace(" ", "")


def test_choices_that_are_named_are_shown_in_full(gd: Callable[..., Done]) -> None:
    done = gd("--losses", "rosenbrock", "custom")
    assert (done.code, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first.startswith("loss=rosenbrock  A curved valley")
    assert any("Moré, Garbow" in line for line in lines)
    pairs = {tuple(line.split()) for line in lines}
    assert {("loss.b", "100.0"), ("start", "(-1.2,", "1)"), ("minimum", "0")} <= pairs
    assert "  formula                              (1 - x0)**2 + 100*(-x0**2 + x1)**2" in lines
    command = "python -m gdlab.derivatives loss=rosenbrock"
    assert f"  picture                              {command}" in lines
    assert any(line.startswith("loss=custom  A custom class") for line in lines)
    assert "optimizer.betas" in gd("--optimizers", "adam").out
    assert "loss=sdg: no such choice" in refusal(gd("--losses", "sdg"))
    assert max(map(len, done.out.splitlines())) <= 100


def test_a_loss_is_shown_with_its_values(gd: Callable[..., Done]) -> None:
    rows = table(gd("--losses").out)
    shown = {name: tuple(row.values())[1:4] for name, row in rows.items()}
    assert shown["rosenbrock"] == ("dim=2", "(-1.2, 1)", "0")
    assert shown["nesterov"] == ("dim=10", "(0, 0, …)", "-0.45455")
    assert shown["forrester"] == ("1", "(0.6)", "-6.0207")
    assert shown["mgh/helical_valley"] == ("3", "(-1, 0, …)", "0")
    assert shown["saddle"] == ("2", "(1, 0.001)", "-")
    assert shown["custom"] == ("-", "-", "-")


def test_an_optimizer_is_shown_with_its_hyperparameters(gd: Callable[..., Done]) -> None:
    rows = table(gd("--optimizers").out)
    assert rows["nesterov"]["class"] == "SGD"
    assert rows["levenberg_marquardt"]["class"] == "LevenbergMarquardt"
    assert rows["custom"]["hyperparameters"] == "-"
    for name, row in rows.items():
        values = yaml.safe_load((CONF / "optimizer" / f"{name}.yaml").read_text("utf-8"))
        held = [at.partition("@")[2] for entry in values.pop("defaults", []) for at in entry]
        keys = [*(key for key in values if key not in ("_target_", "lr", "space")), *held]
        listed = row["hyperparameters"].replace(" ", "")  # a long name continues in the next line
        assert re.findall(r"(\w+)=", listed) == keys
    assert "momentum=0.9, dampening=0.0" in rows["momentum"]["hyperparameters"]
    assert (rows["sgd"]["lr"], rows["newton"]["lr"]) == ("0.1", "1")


FILES = {
    "loss/bowl.yaml": "# @package loss\n# Mine.\n_target_: gdlab.losses.Quadratic\ndim: 3\n",
    "loss/steep.yaml": "# Mine, too.\ndefaults: [quadratic, _self_]\ncondition: 7\n",
    "loss/sub/own.yaml": "# Own.\n_target_: my_losses.Own\n",
    "loss/broken.yaml": "a: [\n",
    "optimizer/adam.yaml": "# That of conf is chosen.\n",
    "optimizer/around.yaml": "# Around.\n_target_: gdlab.optimizers.Lookahead\nlr: 2\nk: 3\n"
    "defaults: [/optimizer@inner: adam, _self_]\n",
    "optimizer/odd.yaml": "lr: abc\n",
}


def test_the_choices_of_a_folder_are_listed_too(gd: Callable[..., Done], here: Path) -> None:
    for name, text in FILES.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    losses = table(gd("--losses", "--config-dir", ".").out)
    assert set(losses) == {*choices_of("loss"), "bowl", "steep", "sub/own", "broken"}
    assert [*losses["bowl"].values()] == ["bowl", "dim=3", "(1, 1, …)", "0", "Mine."]
    assert [*losses["steep"].values()] == ["steep", "dim=2", "(1, 1)", "0", "Mine, too."]
    assert [*losses["sub/own"].values()] == ["sub/own", "-", "-", "-", "Own."]
    assert [*losses["broken"].values()] == ["broken", "-", "-", "-", "-"]
    optimizers = table(gd("--optimizers", "--config-dir", str(here)).out)
    assert [*optimizers["around"].values()] == [
        "around",
        "Lookahead",
        "2",
        "inner=Adam, k=3",
        "Around.",
    ]
    assert optimizers["adam"]["what it does"].startswith("Adam")
    assert [*optimizers["odd"].values()] == ["odd", "-", "abc", "-", "-"]
    assert "--config-dir=nowhere: no such folder" in refusal(gd("--losses", "--config-dir=nowhere"))


def test_both_tables_are_plain_text_of_at_most_100_columns(gd: Callable[..., Done]) -> None:
    out = gd("--losses", "--optimizers").out
    assert "\x1b" not in out
    assert 80 < max(map(len, out.splitlines())) <= 100
    assert out.count("what makes it hard") == out.count("what it does") == 1


def test_help_does_not_import_the_catalogue() -> None:
    code = (
        "import sys; from gdlab.__main__ import main\n"
        "try: main(['--help'])\n"
        "finally: assert not {'torch', 'gdlab.cli.catalogue'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
