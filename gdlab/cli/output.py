"""Standard output and warnings of a command, whatever the terminal can show."""

import io
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO

_DOCUMENTS: ContextVar[TextIO | None] = ContextVar("where print_json writes", default=None)


def prepare_output() -> None:
    """Let stdout replace the characters that its encoding lacks, and be there if it was closed."""
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if sys.stderr is None:
        sys.stderr = io.StringIO()


@contextmanager
def only_json() -> Iterator[None]:
    """Send all that is printed to stderr; stdout gets what `print_json` prints."""
    token = _DOCUMENTS.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _DOCUMENTS.reset(token)


def wants_json() -> bool:
    """Tell whether the command asks for a document."""
    return _DOCUMENTS.get() is not None


def print_json(make: Callable[[], Any]) -> None:
    """Print a document in one line where the command asks for it, and nothing elsewhere.

    Args:
        make: returns the document, of plain values that strict JSON can hold.
    """
    stream = _DOCUMENTS.get()
    if stream is not None:
        text = json.dumps(make(), ensure_ascii=False, allow_nan=False)
        stream.write(f"{text}\n")


@contextmanager
def short_warnings() -> Iterator[None]:
    """Print each warning of a library once, in one line without its file and source."""
    said = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        from gdlab.console import visible

        text = visible(" ".join(str(message).split()))
        if text not in said:
            said.add(text)
            sys.stderr.write(f"warning: {text}\n")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
