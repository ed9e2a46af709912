"""`python -m gdlab.report DIR…`: one self-contained page on runs, sweeps or a comparison."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gdlab.cli import command
from gdlab.errors import SettingError
from gdlab.paths import user_path
from gdlab.version import __version__

if TYPE_CHECKING:
    from gdlab.report.content import Document

USAGE = """\
usage: python -m gdlab.report DIR [DIR …] [out=FOLDER]

Writes report.html, one file that opens without a network, report.md, and the tables (LaTeX) and
figures (png, svg, pdf) of it, about the runs and sweeps in the folders DIR, or about a comparison:

    python -m gdlab.report runs/my_sweep
    python -m gdlab.report runs/first runs/second out=runs/report

FOLDER is DIR itself if there is one DIR, else a new folder."""

_DEFAULT = "runs/report"


def run(arguments: list[str]) -> int:
    """Write the report that the arguments ask for and return the exit code.

    Raises:
        SettingError: a folder is missing or cannot be used.
        RecordError: a file in it is damaged.
        OSError: a file cannot be written.
    """
    if {"-h", "--help"} & {*arguments}:
        print(USAGE)
        return 0
    if "--version" in arguments:
        print(f"gdlab {__version__}")
        return 0
    flags = [word for word in arguments if word.startswith("-")]
    if flags:
        raise SettingError(f"{flags[0]}: no such flag; see python -m gdlab.report --help")
    given = [word for word in arguments if not word.startswith("out=")]
    out = [word.removeprefix("out=") for word in arguments if word.startswith("out=")]
    if not given:
        raise SettingError("DIR: the folder of a run, a sweep or a comparison is missing")
    page = _write([user_path(word) for word in given], out[-1] if out else None)
    sys.stdout.write(f"{page}\n")
    return 0


def _write(directories: list[Path], out: str | None) -> Path:
    """Write the report of some folders and return its page."""
    command.add_working_directory()
    from gdlab.recording.lock import claimed, locked
    from gdlab.report.writing import write_report

    document = _document(directories)
    if out is None and len(directories) == 1:
        with locked(directories[0], "DIR"):
            return write_report(document, directories[0])
    path = user_path(out or _DEFAULT)
    with claimed(path, exact=out is not None, setting="out") as folder:
        return write_report(document, folder)


def _document(directories: list[Path]) -> "Document":
    """Read the folders: one comparison, or runs and sweeps."""
    from gdlab.bench import report as comparison
    from gdlab.report import runs
    from gdlab.results.load import load

    are_comparisons = [comparison.is_comparison(path) for path in directories]
    if any(are_comparisons):
        if len(directories) > 1:
            path = directories[are_comparisons.index(True)]
            raise SettingError(f"DIR={path}: a comparison has a report of its own; give it alone")
        return comparison.document_of(directories[0])
    return runs.document_of([load(path) for path in directories])
