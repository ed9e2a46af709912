"""What `python -m gdlab.animate` reads, writes and refuses."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import gdlab
from gdlab import animate

LEAN: dict[str, Any] = {"record.figures": False, "record.events": False}


def call(*words):
    """Run the command; return its exit code."""
    with pytest.raises(SystemExit) as caught:
        animate.main([*map(str, words)])
    return caught.value.code


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "lr=0.1"
    gdlab.run("booth", lr=0.1, steps=9, directory=directory, **LEAN)
    return directory


def test_a_run_becomes_a_file_with_the_same_bytes_each_time(run, tmp_path, capsys):
    files = [tmp_path / name for name in ("first.gif", "second.gif")]
    for file in files:
        assert call(run, f"out={file}", "fps=3", "seconds=1", "size=360x300") == 0
    assert capsys.readouterr().out == "".join(f"{file}\n" for file in files)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    picture: Any = Image.open(io.BytesIO(first))
    assert (picture.n_frames, picture.size) == (3, (360, 300))


def test_a_page_holds_the_viewer_and_its_title_as_text(run, tmp_path):
    file = tmp_path / "race.html"
    assert call(run, f"out={file}", "title=<b>\x1b[1m race") == 0
    page = file.read_text("utf-8")
    assert "<title>&lt;b&gt;" in page
    assert "\x1b" not in page
    assert '"scene?problem=p0"' in page


def test_the_defaults_are_those_of_the_help(run, capsys):
    question = animate.Question.of([str(run)])
    assert (question.out, question.seconds, question.fps) == (Path("race.gif"), 6, 20)
    assert call("--help") == 0
    text = capsys.readouterr().out
    for line in ("out=race.gif", "seconds=6", "fps=20", "size=720x410"):
        assert line in text


REFUSED = {
    (): "DIR: the folder of a run or of a sweep is missing",
    ("nowhere",): "DIR=nowhere: there is no such folder",
    ("RUN", "out=race.png"): "out=race.png: must end in .gif, .webp, .mp4, .html",
    ("RUN", "out=race.html", "fps=9"): "fps: has no meaning for race.html, a page",
    ("EMPTY", "out=race.html"): "DIR: no run in these folders has a path to show",
    ("RUN", "out=no/race.gif"): "out=no/race.gif: there is no folder no",
    ("RUN", "fps=0"): "fps=0: must be a number from 1 to 50",
    ("RUN", "seconds=nan"): "seconds=nan: must be a number from 1 to 60",
    ("RUN", "size=720"): "size=720: must be WIDTHxHEIGHT in pixels, 360x300 to 1920x1200",
    ("RUN", "size=9x99999999999999"): "size=9x99999999999999: must be WIDTHxHEIGHT",
    ("RUN", "ttle=x"): "ttle=x: no such setting, did you mean title?",
    ("RUN", "--fps", "3"): "--fps: no such flag; see python -m gdlab.animate --help",
    ("RUN", "plane=0,1"): "plane=0,1: a loss of 2 dimensions has one plane",
    ("EMPTY",): "DIR=EMPTY: holds no run",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_line(words, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    assert call(*(run if word == "RUN" else word for word in words)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {REFUSED[words]}")
    assert printed.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["EMPTY"]


def test_help_needs_no_torch():
    code = "import sys, gdlab.animate; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
