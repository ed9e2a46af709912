"""What a command prints where the terminal shows little, or text is hostile."""

import io
import sys
import warnings

import pytest
from helpers.command import HERE, QUIET, Done

from gdlab.__main__ import main
from gdlab.cli.output import prepare_output, short_warnings
from gdlab.version import __version__

ENCODINGS = ["cp1252", "ascii", "utf-8"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_encoding_shows_the_summary(encoding, here, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", out)
    prepare_output()
    with pytest.raises(SystemExit) as ended:
        main(["steps=3", *HERE])
    assert ended.value.code == 0
    shown = out.buffer.getvalue().decode(encoding)
    assert f"2/{'λ' if encoding == 'utf-8' else '?'}_max" in shown
    print("\ud800")  # from the name of a file


def test_closed_streams_are_replaced(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    prepare_output()
    print("nowhere", file=sys.stderr)
    print("nowhere")


def test_warnings_of_libraries_are_one_line_each(capsys):
    with short_warnings():
        warnings.simplefilter("always")
        for text in ("Glyph\n  1 \x1b[1m", "Glyph 1 \x1b[1m", "other"):
            warnings.warn(text, UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: Glyph 1 \\x1b[1m\nwarning: other\n"


@pytest.mark.parametrize("words", [["--version"], ["lr=0.1", "--version"]])
def test_the_version_is_that_of_gdlab(words, gd):
    assert gd(*words) == Done(0, f"gdlab {__version__}\n", "")


@pytest.mark.parametrize("words", [["--help"], [], ["-m", "lr=0.1,0.2"], ["--losses"]])
def test_a_deleted_working_directory_is_said_in_one_line(words, gd, here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    said = "error: the working directory was deleted; cd to another one\n"
    assert gd(*words) == Done(2, "", said)


MODULE = """
from gdlab.losses import Quadratic
class Loud(Quadratic):
    def __call__(self, x):
        raise RuntimeError("[/b] \\x1b[2J\\x9b\\n:smile:")
class Named(Quadratic):
    @property
    def names(self):
        return ("[a]", "\\x1b[31mred")
"""

# what is asked for, what is shown
HOSTILE = [
    (["loss._target_=mine.Loud"], r"RuntimeError after step 0: [/b] \x1b[2J\x9b :smile:"),
    (["loss._target_=mine.Named"], r"[a]=0.729, \x1b[31mred=-0.125"),
    (["loss=\x1b[31m"], r"loss=\x1b[31m"),
    (["hydra.run.dir=/proc/\x1b"], r"/proc/\x1b"),
]


@pytest.mark.parametrize(("words", "shown"), HOSTILE)
def test_hostile_text_is_shown_as_it_is(words, shown, gd, here):
    (here / "mine.py").write_text(MODULE)
    custom = ["loss=custom", "++loss.dim=2"] if "mine" in words[0] else []
    done = gd(*custom, *QUIET, "steps=3", *words)
    assert shown in done.out + done.err, done
    assert "\x1b" not in done.out + done.err
