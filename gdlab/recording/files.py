"""A run's directory: claimed by one run alone, its files written whole or not at all."""

import os
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gdlab.errors import SettingError

_MOST_TRIES = 10_000


def claim_directory(
    path: Path, *, exact: bool, setting: str = "hydra.run.dir", leftovers: Container[str] = ()
) -> Path:
    """Make a directory that no other run has.

    Args:
        path: where; its parents are made too.
        exact: whether it must be this one (an empty directory will do); else the first of
            path, path-2, path-3, … that does not exist.
        setting: what gave the path, for errors.
        leftovers: names of files that do not count (exact): what a run that ended before it began
            may have left, and a new one writes anew.

    Raises:
        SettingError: the directory cannot be made, or (exact) holds something.
    """
    absent = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if exact:
            path.mkdir(exist_ok=True)
            if any(entry.name not in leftovers for entry in path.iterdir()):
                raise SettingError(f"{setting}={path}: is not empty; a run needs its own")
            return path
        for number in range(1, _MOST_TRIES):
            candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
            try:
                candidate.mkdir()
            except FileExistsError:
                continue
            return candidate
    except OSError as error:
        for folder in absent:
            with suppress(OSError):
                folder.rmdir()
        raise SettingError(f"{setting}={path}: cannot be made ({error.strerror})") from error
    raise SettingError(f"{setting}={path}: {_MOST_TRIES} runs have this name")


@contextmanager
def errors_naming(directory: Path) -> Iterator[None]:
    """Name the directory in an error that names no file, as that of a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(directory)
        raise


def partial_name(name: str) -> str:
    """The name of a file while it is being written."""
    return f".{name}.partial"


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that it holds either all of the content or what it held before.

    Args:
        path: the file.
        content: all of it.
        durable: whether to wait until it would outlast a failure of power.
    """
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
