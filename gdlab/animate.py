"""Moving pictures of runs: `python -m gdlab.animate DIR… out=race.gif`."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from gdlab.cli.command import run_command
from gdlab.console import visible
from gdlab.errors import SettingError
from gdlab.paths import user_path

USAGE = """\
usage: python -m gdlab.animate DIR [DIR …] [setting=value …]

Draws the runs in and below the folders DIR as a moving picture: their paths on the loss that they
share, in step, beside the loss over the steps. For example:

    python -m gdlab.animate runs/my_sweep
    python -m gdlab.animate runs/sgd runs/adam out=race.mp4 title='A race' seconds=8

  out=race.gif    the file, which is replaced: .gif, .webp, .mp4 (by the program ffmpeg), or .html,
                  one page with the viewer, in which one plays, zooms and turns them oneself
  seconds=6       how long the paths move, 1 to 60; half of it shows the early steps
  fps=20          frames per second, 1 to 50
  size=720x410    width and height in pixels, 360x300 to 1920x1200
  title=TEXT      the first line; without it, what the runs have in common
  plane=0,1       for a loss of more than two dimensions: two coordinates, or principal"""

_PAGE = ".html"
_FORMATS = (".gif", ".webp", ".mp4", _PAGE)
_OF_FILMS = ("seconds", "fps", "size", "plane")
_WIDTHS, _HEIGHTS = (360, 1920), (300, 1200)
_PIXELS = 100  # per inch


def _number(low: float, high: float) -> Callable[[str, str], float]:
    """Return what reads a number between two others."""

    def read(key: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise SettingError(f"{key}={text}: must be a number from {low:g} to {high:g}")
        return number

    return read


def _size(key: str, text: str) -> tuple[float, float]:
    """Read a width and a height in pixels, and return them in inches."""
    width, _, height = text.partition("x")
    limits = (width, *_WIDTHS), (height, *_HEIGHTS)
    if not all(t.isascii() and t.isdecimal() and a <= int(t[:5]) <= b for t, a, b in limits):
        (low, high), (least, most) = _WIDTHS, _HEIGHTS
        must = f"must be WIDTHxHEIGHT in pixels, {low}x{least} to {high}x{most}"
        raise SettingError(f"{key}={text}: {must}")
    return int(width) / _PIXELS, int(height) / _PIXELS


def _file(key: str, text: str) -> Path:
    """Read the name of a file in a folder that exists.

    Raises:
        SettingError: it has another ending, or there is no such folder.
    """
    path = user_path(text)
    if path.suffix not in _FORMATS or path.is_dir():
        raise SettingError(f"{key}={text}: must end in {', '.join(_FORMATS)}")
    if not path.parent.is_dir():
        raise SettingError(f"{key}={text}: there is no folder {path.parent}")
    return path


_READ: Mapping[str, Callable[[str, str], Any]] = {
    "out": _file,
    "seconds": _number(1, 60),
    "fps": _number(1, 50),
    "size": _size,
    "title": lambda key, text: text,
    "plane": lambda key, text: text,
}
"""How the settings are read."""


@dataclass(frozen=True)
class Question:
    """What a command asks for.

    Attributes:
        directories: of the runs.
        out: the file.
        seconds: how long the paths move.
        fps: frames per second.
        look: the title, the plane and the size, where they are given.
    """

    directories: tuple[Path, ...]
    out: Path
    seconds: float = 6.0
    fps: float = 20.0
    look: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Sequence[str]) -> "Question":
        """Read the words of a command.

        Raises:
            SettingError: one is no folder and no setting, or a value is none that is allowed.
        """
        directories: list[Path] = []
        given: dict[str, Any] = {}
        for word in words:
            key, sign, text = word.partition("=")
            if sign and key in _READ:
                given[key] = _READ[key](key, text)
                continue
            path = user_path(word)
            if not path.is_dir():
                raise _no_folder(word)
            directories.append(path)
        if not directories:
            raise SettingError("DIR: the folder of a run or of a sweep is missing")
        given.setdefault("out", Path("race.gif"))
        useless = [key for key in _OF_FILMS if key in given and given["out"].suffix == _PAGE]
        if useless:
            raise SettingError(f"{useless[0]}: has no meaning for {given['out'].name}, a page")
        look = {key: given.pop(key) for key in ("title", "plane", "size") if key in given}
        return cls(tuple(directories), look=look, **given)


def _no_folder(word: str) -> SettingError:
    """Return the error for a word that is no folder: perhaps it was meant as a setting."""
    key, sign, text = word.partition("=")
    if word.startswith("-"):
        return SettingError(f"{word}: no such flag; see python -m gdlab.animate --help")
    if sign and "/" not in key:
        from gdlab.fields.suggestions import unknown_setting

        return unknown_setting(key, text, _READ)
    return SettingError(f"DIR={word}: there is no such folder")


def run(words: list[str]) -> int:
    """Draw what the words of a command ask for, and return the exit code.

    Raises:
        SettingError: a folder is missing, or a setting cannot be used.
        OSError: the file cannot be written.
    """
    if {"-h", "--help"} & {*words}:
        print(USAGE)
        return 0
    question = Question.of(words)
    from gdlab.recording.files import write_atomically

    content = (_page if question.out.suffix == _PAGE else _film)(question)
    write_atomically(question.out, content, durable=False)
    sys.stdout.write(f"{question.out}\n")
    return 0


def _film(question: Question) -> bytes:
    """Return the file of a moving picture; what could not be read is noted on stderr.

    Raises:
        SettingError: the runs cannot be shown together, or the file cannot be made.
    """
    from gdlab.viewer.animation.files import FORMATS, Film
    from gdlab.viewer.animation.race import race_of
    from gdlab.viewer.animation.steps import frame_steps

    race = race_of(question.directories, **question.look)
    for note in race.notes:
        sys.stderr.write(f"note: {visible(note)}\n")
    count = max(2, round(question.seconds * question.fps))
    steps = frame_steps(race.track.last, count).tolist()
    return FORMATS[question.out.suffix[1:]](Film(race.track, steps, question.fps))


def _page(question: Question) -> bytes:
    """Return a page that holds the viewer with the runs.

    Raises:
        SettingError: no run has a path.
    """
    from gdlab.viewer.embedding import html_page
    from gdlab.viewer.messages import messages_of

    messages = messages_of(question.directories)
    if not messages:
        raise SettingError("DIR: no run in these folders has a path to show")
    title = question.look.get("title", question.directories[0].resolve().name)
    return html_page(messages, title=visible(title)).encode()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Draw a moving picture and exit; the arguments default to those of the command line."""
    run_command(run, arguments)


if __name__ == "__main__":
    main()
