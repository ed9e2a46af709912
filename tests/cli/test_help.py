"""What `--help` prints."""

import shlex

import pytest
from helpers.command import refusal

from gdlab.cli import help as help_of
from gdlab.cli.command import make_parser
from gdlab.cli.composition import CommandLine, hydra_ready


@pytest.mark.parametrize(
    ("usage", "name"), [(help_of.RUN, "config"), (help_of.DERIVATIVES, "derivatives")]
)
def test_the_examples_compose(usage, name):
    with hydra_ready():
        for example in usage.examples:
            words = shlex.split(example, comments=True)
            assert words[:2] == ["python", "-m"]
            parsed = make_parser("").parse_intermixed_args(words[3:])
            line = CommandLine(parsed.overrides, name)
            assert line.compose_sweep() if parsed.multirun else line.compose()


def test_settings_have_their_values_and_comments(gd):
    out = gd("--help", "lr=0.2", "loss=mlp", "optimizer=lookahead").out
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    said = {line[0]: line[1] for line in lines if len(line) == 2}
    assert said["lr=0.2"].startswith("learning rate, > 0")
    assert said["stop"] == "when a run ends before its last step"
    assert said["stop.grad_tol=1e-08"] == "converged: gradient norm at or below this"
    assert said["loss=mlp"].startswith("A network on two moons")
    assert said["loss.widths=[16,16]"].startswith("units in each hidden layer")
    assert said["optimizer.inner.momentum=0.0"].startswith("momentum coefficient")
    assert "--losses" in out and "gdlab.view" in out and "gdlab.derivatives" in out


def test_a_choice_in_a_folder_of_ones_own(gd, here):
    (here / "mine" / "optimizer").mkdir(parents=True)
    text = "# Heavy.\n_target_: gdlab.optimizers.SGD\nmomentum: 0.99  # of a \x1b[1mtruck\n"
    (here / "mine" / "optimizer" / "heavy.yaml").write_text(text.replace("\x1b", ""))
    out = gd("--help", "optimizer=heavy", "--config-dir", "mine").out
    assert "optimizer=heavy                 Heavy.\n" in out
    assert "  optimizer.momentum=0.99         of a [1mtruck\n" in out


def test_help_refuses_what_does_not_fit(gd):
    assert "loss=quadratik: no such choice" in refusal(gd("--help", "loss=quadratik"))
    assert "--config-dir=nowhere: no such folder" in refusal(gd("-h", "--config-dir", "nowhere"))


def test_several_values_do_not_matter(gd):
    assert "  steps=7 " in gd("--help", "-m", "lr=0.1,0.2", "steps=7").out
