"""The errors that gdlab raises for what the user can fix.

    GdlabError
    ├── SettingError   an invalid setting (also a ValueError)
    └── RecordError    a missing or damaged file of a run or a sweep

Each message is one line, of which a SettingError may have several: one for each setting that is
wrong. The command line prints them and exits with code 2.
"""

import os
import re
import signal
import sysconfig
import traceback
from pathlib import Path
from types import FrameType


class GdlabError(Exception):
    """An error that the user can fix; each of its arguments is a message of one line.

    >>> import gdlab
    >>> try:
    ...     gdlab.load("no/such/folder")
    ... except gdlab.GdlabError as error:
    ...     print(type(error).__name__)
    RecordError
    """

    __module__ = "gdlab"

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The messages."""
        return tuple(map(str, self.args))


class SettingError(GdlabError, ValueError):
    """A setting is unknown, of the wrong type, out of range or impossible in its context.

    The message names the setting, its value and what is allowed.

    >>> import gdlab
    >>> gdlab.run(lr=-1)
    Traceback (most recent call last):
    gdlab.SettingError: lr=-1: must be a finite number > 0
    """

    __module__ = "gdlab"


class RecordError(GdlabError):
    """A file or directory of a run or a sweep is missing or damaged.

    The message names the file and the problem.

    >>> import gdlab
    >>> gdlab.load("/")
    Traceback (most recent call last):
    gdlab.RecordError: /: holds no run (no result.json) and no sweep (no sweep.json)
    """

    __module__ = "gdlab"


CUSTOM_ERRORS: tuple[type[BaseException], ...] = (Exception, SystemExit)
"""What custom code may raise: anything, and `sys.exit()`, which must not end gdlab in silence."""


def raise_if_signaled(error: BaseException) -> None:
    """Raise an exception again if a handler of a signal raised it: it is meant for the caller.

    A handler of SIGALRM may bound the time of a program so, or one of SIGTERM end it.
    """
    handlers = map(signal.getsignal, signal.valid_signals())
    codes = {getattr(handler, "__code__", None) for handler in handlers if callable(handler)}
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            raise error
        traceback = traceback.tb_next


_NO_MEMORY = ("can't allocate memory", "out of memory", "start new thread", "map segment")
_NO_MEMORY += ("_STATUS_ALLOC_FAILED",)
"""What torch, Python, the dynamic linker and CUDA say, in errors that are no `MemoryError`."""

_GPU_NEEDS = re.compile(r"allocate ([\d.]+ \w+).*capacity of ([\d.]+ \w+) of which ([\d.]+ \w+) is")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that memory is exhausted."""
    if not isinstance(error, RuntimeError | ImportError):
        return isinstance(error, MemoryError)
    return any(text in str(error) for text in _NO_MEMORY)


def describe_gpu_memory(error: BaseException) -> str | None:
    """Say in one line what memory of a GPU a run lacks, and what needs less; None for others."""
    if "CUDA" not in str(error) or not is_out_of_memory(error):
        return None
    needs, found = summarize_error(error), _GPU_NEEDS.search(str(error))
    if found is not None:
        needs = "{} more were needed, and of {} only {} were free".format(*found.groups())
    less = "dtype=float32 and a smaller loss.batch_size need less, device=cpu none"
    return f"out of memory on the GPU: {needs}; {less}"


def is_device_lost(error: BaseException) -> bool:
    """Tell whether an exception says that CUDA failed, so that this process can use it no more."""
    return "CUDA error" in str(error) and not is_out_of_memory(error)


_PACKAGE = f"{Path(__file__).parent}{os.sep}"
_OTHERS = (_PACKAGE, sysconfig.get_paths()["stdlib"], "site-packages", "<frozen")
"""Parts of the paths of files that are not the user's."""


def where_raised(error: BaseException) -> str:
    """Return " (my_losses.py, line 7)", the user's line that raised an exception.

    It is the last one outside gdlab and other packages; empty where there is none. A file that does
    not exist, as a cell of a notebook, is described by the function.
    """
    frames: list[tuple[FrameType, int]] = [*traceback.walk_tb(error.__traceback__)]
    for frame, line in reversed(frames):
        code = frame.f_code
        is_generated = code.co_name == "__init__" and code.co_filename == "<string>"
        if not is_generated and not any(part in code.co_filename for part in _OTHERS):
            path = Path(code.co_filename)
            return f" ({path.name if path.is_file() else code.co_name}, line {line})"
    return ""


def describe_error(error: BaseException) -> str:
    """Return the type and the whole message of an exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or its type if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]


def summarize_error(error: BaseException) -> str:
    """Return an exception in one line: its type and the first line of its message."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}".removesuffix(": ")
