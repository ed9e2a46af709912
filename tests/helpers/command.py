"""Running commands: the words that tests share, and what a command left on the terminal."""

import multiprocessing
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

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


# To import it takes 2 s; to fork a process that has imported it takes 20 ms.
_IMPORTED = ["torch", "gdlab.cli.run", "gdlab.cli.resuming", "gdlab.cli.hydra_sweep"]

MAIN = "from gdlab.__main__ import main; main()"
"""The program of the command line."""


class Started:
    """A program in a process of its own, forked from one that has imported what takes long.

    Args:
        program: in Python.
        arguments: its words.
        cwd: its working directory.
        is_session: whether it leads a process group, as in a terminal.
    """

    def __init__(self, program: str, arguments: Sequence[str], cwd: Path, is_session: bool) -> None:
        self._files = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115
        ends = [Connection(os.dup(file.fileno())) for file in self._files]
        given = (program, arguments, cwd, is_session, dict(os.environ), ends)
        self._process = _forks().Process(target=_become, args=given)
        self._process.start()
        for end in ends:
            end.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None if it has not ended."""
        return self._process.exitcode

    def done(self, timeout: float) -> Done:
        """Wait until it ends."""
        self._process.join(timeout)
        code = self.code
        if code is None:
            self.kill()  # which this process would wait for at its end
        assert code is not None, "it goes on"
        for file in self._files:
            file.seek(0)
        done = Done(code, *(file.read() for file in self._files))
        self._close()
        return done

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()
        self._close()

    def _close(self) -> None:
        for file in self._files:
            file.close()


@cache
def _forks() -> "ForkServerContext":
    """What starts processes; there is none on Windows."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


def _become(
    program: str,
    arguments: Sequence[str],
    cwd: Path,
    is_session: bool,
    environment: dict[str, str],
    ends: Sequence[Connection],
) -> None:
    """Be a program, in a process that was forked."""
    if is_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, end in enumerate(ends, 1):
        os.dup2(end.fileno(), number)
        end.close()
    sys.argv[:] = ["gdlab", *arguments]
    sys.path.insert(0, "")
    exec(program, {"__name__": "__main__"})


def start_command(
    *arguments: str, cwd: Path, program: str = MAIN, is_session: bool = False
) -> Started:
    """Start the command line, or another program, in a process of its own."""
    return Started(program, arguments, cwd, is_session)
