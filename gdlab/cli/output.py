"""Standard output and warnings of a command, whatever the terminal can show."""

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def prepare_output() -> None:
    """Let stdout replace the characters that its encoding lacks, and be there if it was closed."""
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if sys.stderr is None:
        sys.stderr = io.StringIO()


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
