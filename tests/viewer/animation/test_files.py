"""The files of moving pictures: their frames and durations, and the same bytes each time.

Shapes: F frames.
"""

import io
import stat
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import gdlab
from gdlab.viewer.animation.files import Film, gif, mp4, webp


class Dots:
    """Stands for a track: a red dot that moves on white, and a small yellow mark."""

    def frame(self, step):
        page = Image.new("RGB", (41, 30), "white")
        drawing = ImageDraw.Draw(page)
        drawing.rectangle((5 * step, 10, 5 * step + 8, 18), "#c8102e")
        drawing.point((40, 0), "#ffd23f")
        return page


@pytest.fixture
def film():
    return Film(Dots(), [0, 1, 2, 4], fps=20.0)  # type: ignore[arg-type]


def read(content):
    """The frames of a file (F, height, width, 3), and their durations in milliseconds."""
    picture: Any = Image.open(io.BytesIO(content))
    frames, durations = [], []
    for number in range(picture.n_frames):
        picture.seek(number)
        frames.append(np.asarray(picture.convert("RGB")))
        durations.append(picture.info["duration"])
    assert picture.info["loop"] == 0
    return np.array(frames), durations


@pytest.mark.parametrize("make", [gif, webp])
def test_frames_are_kept_and_the_ends_stay_longer(film, make):
    content = make(film)
    frames, durations = read(content)
    np.testing.assert_array_equal(frames, [np.asarray(frame) for frame in film.frames()])
    assert durations == [600, 50, 50, 2500]
    assert make(film) == content


def stand_in(folder, script):
    """A program that stands for ffmpeg, which few machines have."""
    program = folder / "ffmpeg"
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_ffmpeg_gets_each_frame_as_often_as_it_is_shown(film, tmp_path, monkeypatch):
    write = "open(sys.argv[-1], 'wb').write(sys.stdin.buffer.read())"
    stand_in(tmp_path, f"assert '41x30' in sys.argv\n{write}")
    monkeypatch.setenv("PATH", str(tmp_path))
    raw = np.frombuffer(mp4(film), np.uint8).reshape(-1, 30, 41, 3)
    shown = [0] * 12 + [1, 2] + [3] * 50
    frames = np.array([np.asarray(frame) for frame in film.frames()])
    np.testing.assert_array_equal(raw, frames[shown])


def test_without_ffmpeg_a_line_says_so(film, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(gdlab.SettingError, match="needs the program ffmpeg, which is not here"):
        mp4(film)


def test_what_ffmpeg_says_is_the_error(film, tmp_path, monkeypatch):
    stand_in(tmp_path, "sys.stdin.buffer.read()\nsys.exit('first\\nno such codec')")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(gdlab.SettingError, match="out: ffmpeg failed: no such codec"):
        mp4(film)
