"""Running commands: the words that tests share, and what a command left on the terminal."""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUIET = ("record.figures=false", "record.events=false")
"""No pictures and no event files: faster."""

TABLES = (*QUIET, "record.max_run_dirs=0")
"""A sweep without run directories."""

HERE = ("hydra.run.dir=run", *QUIET)
"""A run in the directory `run`."""

BASIC = ("hydra/launcher=basic",)
"""Hydra's own launcher."""

STOCK = (*BASIC, "hydra/sweeper=basic")
"""Hydra's own launcher and sweeper."""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def refusal(done: Done, code: int = 2) -> str:
    """The one line that a refused command prints."""
    assert done.code == code, done
    assert done.err.startswith("error: "), done
    assert done.err.count("\n") == 1, done
    return done.err


def typed(line: str) -> list[str]:
    """The words that bash makes of a line."""
    return shlex.split(line)


def start_command(*arguments: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-m", "gdlab", *arguments], cwd=cwd, text=True, **pipes, **options
    )
