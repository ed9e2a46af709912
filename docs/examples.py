"""The commands, programs and pictures of pages: run as a reader would, compared, rewritten.

A block of `sh` is run line by line, a block of `python` as a program that shares its names with
those above it. `echo $?` prints the exit code of the command above it; without that line, it must
be 0. A block of `text` shows what the block before it printed. A block of `yaml` or `csv` below a
line that ends with the name of a file, as `mine/loss/valley.yaml`:, is written there. The title of
a picture, `![…](pictures/zigzag.png "runs/*/trajectory.png")`, is where a command above it left it.
A block below `<!-- not run: REASON -->` is not run, and what it prints is not compared.

python docs/examples.py PAGE …          run the pages, by default all, and print what differs
python docs/examples.py --write PAGE …  write what the commands print and draw into the pages
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shown_pictures import looks_like, newest, small
from shown_text import difference, renew

from gdlab.__main__ import main as gdlab
from gdlab.animate import main as animate
from gdlab.bench.__main__ import main as bench
from gdlab.derivatives.__main__ import main as derivatives
from gdlab.report.__main__ import main as report

COMMANDS = {
    "gdlab": gdlab,
    "gdlab.animate": animate,
    "gdlab.bench": bench,
    "gdlab.derivatives": derivatives,
    "gdlab.report": report,
}
WITHOUT_PICTURES = {
    "gdlab": "record.figures=false",
    "gdlab.bench": "report=false",
    "gdlab.derivatives": "draw=false",
}
NOT_RUN = (
    "python -m venv ",
    "make ",
    "pip install ",
    "git ",
    "cd ",
    "source ",
    "jupyter ",
    "tensorboard ",
    "python -m gdlab.view",
)
EXIT_CODE = "echo $?"
FOLDERS = (".", "course", "howto")
GENERATED = ("leaderboard.md", "losses.md", "optimizers.md", "settings.md")

_ITEM = re.compile(
    r"(?:`(?P<file>[^`\n]+)`:\n\n)?(?:^<!-- not run: (?P<not_run>.+) -->\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$"
    r'|!\[[^\]]*\]\((?P<path>[^)\s]+) "(?P<source>[^"]+)"\)',
    re.DOTALL | re.MULTILINE,
)


def hand_written() -> list[Path]:
    """Return the pages of the site that have commands or programs, none that are generated."""
    folder = Path(__file__).parent
    pages = [page for part in FOLDERS for page in sorted(folder.glob(f"{part}/*.md"))]
    return [page for page in pages if page.name not in GENERATED and _ITEM.search(page.read_text())]


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        language: such as `sh`.
        text: what it holds.
        span: where the text is in the page.
        file: the name at the end of the line above it.
        not_run: why it is not run.
    """

    language: str
    text: str
    span: tuple[int, int]
    file: str | None = None
    not_run: str | None = None


class Picture(NamedTuple):
    """A picture of a page: its path beside the page, and where the command left it."""

    path: str
    source: str


def read_items(page: str) -> list[Block | Picture]:
    """Return the blocks and pictures of a page, in order."""
    return [
        Block(
            language=found["language"],
            text=found["text"],
            span=found.span("text"),
            file=found["file"],
            not_run=found["not_run"],
        )
        if found["language"]
        else Picture(found["path"], found["source"])
        for found in _ITEM.finditer(page)
    ]


class Session:
    """Runs the blocks of one page in the working directory."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"__name__": "page"}
        self.printed: str | None = None  # by the last block; None where it was not run

    def take(self, block: Block, *, draw: bool) -> None:
        """Run a block of `sh` or `python`, or write the file that another one holds."""
        if block.language in ("sh", "python"):
            self.printed = None if block.not_run else self.run(block, draw=draw)
        elif block.language in ("yaml", "csv") and block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")

    def run(self, block: Block, *, draw: bool = True) -> str:
        """Run a block of `sh` or `python` and return what it printed.

        Args:
            block: to be run.
            draw: whether commands draw pictures.

        Raises:
            ValueError: a command failed.
        """
        if block.language == "python":
            return run_program(block.text, self._names)
        lines, printed = block.text.replace("\\\n", " ").splitlines(), ""
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            printed += run_line(line, draw=draw, ends=None if after == EXIT_CODE else 0)
        return printed


def run_line(
    line: str, *, draw: bool = True, more: Sequence[str] = (), ends: int | None = 0
) -> str:
    """Run a line of shell in this process and return what it printed.

    Args:
        line: as the page has it; one that installs, or waits for a browser, is not run.
        draw: whether the command draws pictures.
        more: further settings.
        ends: the exit code it must have; None to print the one that it has.

    Raises:
        ValueError: the command failed, or is no command of gdlab.
    """
    words = shlex.split(line, comments=True)
    if not words or line == EXIT_CODE or line.startswith(NOT_RUN):
        return ""
    if words[:2] != ["python", "-m"] or words[2] not in COMMANDS:
        raise ValueError(f"{line}: not a command of gdlab")
    switch = WITHOUT_PICTURES.get(words[2])
    asks = switch is None or any(word.startswith(switch.removesuffix("false")) for word in words)
    settings = [*words[3:], *([] if draw or asks else [switch]), *more]
    with _printed() as text:
        try:
            COMMANDS[words[2]](settings)
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
    if ends is not None and code != ends:
        raise ValueError(f"{line}: exit code {code}\n{text.getvalue()}")
    return text.getvalue() + (f"{code}\n" if ends is None else "")


def run_program(source: str, names: dict[str, Any]) -> str:
    """Run a program and return what it printed; one whose first line names a file is written there.

    Args:
        source: the program.
        names: what it can use, and where its own names go.
    """
    named = re.match(r"# (\w+\.py)\n", source)
    if named:
        Path(named[1]).write_text(source, encoding="utf-8")
        return ""
    with _printed() as text:
        exec(compile(source, "<page>", "exec"), names)
    return text.getvalue()


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    """Collect what is printed to the terminal, 100 columns wide, errors among the rest."""
    text, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            yield text
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def check(path: Path, *, write: bool = False) -> list[str]:
    """Run a page in the working directory and return what is not as the page says.

    Args:
        path: of the page.
        write: whether the page and its pictures are written anew.
    """
    page = path.read_text(encoding="utf-8")
    items, session = read_items(page), Session()
    wrong: list[str] = []
    renewed: dict[tuple[int, int], str] = {}
    for place, item in enumerate(items):
        if isinstance(item, Picture):
            drawn, kept = small(newest(item.source)), path.parent / item.path
            if looks_like(drawn, kept):
                continue
            wrong.append(f"{item.path} looks different")
            if write:
                kept.parent.mkdir(exist_ok=True)
                kept.write_bytes(drawn)
        elif item.language != "text":
            session.take(item, draw=_draws(items[place + 1 :]))
        elif session.printed is not None:
            unlike = difference(item.text, session.printed)
            if unlike is not None:
                wrong.append(f"not printed:\n{unlike}\nbut\n{session.printed}")
                renewed[item.span] = renew(item.text, session.printed)
    if write:
        path.write_text(_replace(page, renewed), encoding="utf-8")
    return wrong


def _draws(following: Sequence[Block | Picture]) -> bool:
    """Return whether a picture comes before the next command."""
    for item in following:
        if isinstance(item, Picture):
            return True
        if item.language in ("sh", "python"):
            return False
    return False


def _replace(page: str, texts: Mapping[tuple[int, int], str]) -> str:
    for (start, end), text in sorted(texts.items(), reverse=True):
        page = page[:start] + text + page[end:]
    return page


@contextlib.contextmanager
def empty_directory() -> Iterator[None]:
    """Work in an empty directory, from which programs can import."""
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        sys.path.insert(0, directory)
        try:
            yield
        finally:
            sys.path.remove(directory)


def main(arguments: Sequence[str]) -> int:
    """Check or write pages; return 1 where one differs or cannot be written."""
    write = "--write" in arguments
    pages = [Path(word).resolve() for word in arguments if word != "--write"] or hand_written()
    untrue = [page for page in pages if not _tell(page, write=write)]
    return 1 if untrue else 0


def _tell(page: Path, *, write: bool) -> bool:
    """Check or write a page, print how it went and return whether the page is true now."""
    try:
        with empty_directory():
            wrong = check(page, write=write)
    except ValueError as error:  # a command failed; the other pages are still of interest
        print(page.name, error, sep=": ")
        return False
    print(page.name, "as it says" if not wrong else "written anew" if write else "differs")
    if not write:
        print(*wrong, sep="\n", end="\n" if wrong else "")
    return write or not wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
