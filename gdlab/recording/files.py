"""A run's own directory, and files that are written whole or not at all."""

import os
import shutil
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path

from gdlab.errors import RecordError, SettingError
from gdlab.recording.names import ABOUT, RESULT

_MAX_TRIES = 10_000


def claim_directory(
    path: Path, *, exact: bool, setting: str = "hydra.run.dir", leftovers: Container[str] = ()
) -> Path:
    """Create a directory for one run only.

    Args:
        path: the directory; its parents are created too.
        exact: whether it must be this one, which may exist if it is empty; otherwise the first of
            path, path-2, path-3, … that does not exist.
        setting: the setting that gave the path, for errors.
        leftovers: names of files to ignore (exact): a run that was stopped before its first step
            may have left them, and a new one overwrites them.

    Raises:
        SettingError: the directory cannot be created, or (exact) is not empty.
    """
    new_parents = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if exact:
            path.mkdir(exist_ok=True)
            check_unused(path, setting, leftovers)
            return path
        for number in range(1, _MAX_TRIES):
            candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
            try:
                candidate.mkdir()
            except FileExistsError:
                continue
            return candidate
    except OSError as error:
        for folder in new_parents:
            with suppress(OSError):
                folder.rmdir()
        raise SettingError(f"{setting}={path}: cannot be made ({error.strerror})") from error
    raise SettingError(f"{setting}={path}: {_MAX_TRIES} runs have this name")


def check_unused(directory: Path, setting: str, leftovers: Container[str]) -> None:
    """Check that a directory holds nothing but leftovers.

    Raises:
        SettingError: it does.
    """
    if any(entry.name not in leftovers for entry in directory.iterdir()):
        holds_results = any((directory / name).is_file() for name in (RESULT, ABOUT))
        reading = f', or read it with gdlab.load("{directory}")' if holds_results else ""
        way = f"give another name or delete it{reading}"
        raise SettingError(f"{setting}={directory}: is not empty, and a run needs its own; {way}")


def existing_folders(path: Path) -> set[Path]:
    """Return those folders that exist of a path and its parents."""
    return {folder for folder in (path, *path.parents) if folder.is_dir()}


def remove_unused(directory: Path, kept: set[Path]) -> None:
    """Remove a directory in which nothing was recorded, with its new parents.

    Args:
        directory: new, or empty before.
        kept: folders that existed before, from `existing_folders`.
    """
    for entry in directory.iterdir():
        remove_tree(entry)
    for folder in (directory, *directory.parents):
        if folder in kept or any(folder.iterdir()):
            break
        folder.rmdir()


@contextmanager
def errors_naming(directory: Path) -> Iterator[None]:
    """Add the directory to an error that names no file, as on a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(directory)
        raise


def partial_name(name: str) -> str:
    """Return the name of a file while it is being written."""
    return f".{name}.partial"


def create(path: Path) -> BufferedWriter:
    """Open a new file for writing; what has its name, be it a link or a pipe, is removed first."""
    with suppress(FileExistsError):
        return path.open("xb")
    path.unlink()
    return path.open("xb")


def make_folder(path: Path) -> None:
    """Make a folder inside a run's or a sweep's directory, unless it exists.

    Raises:
        RecordError: it is a link, which could lead out of the directory, or no folder.
    """
    path.mkdir(exist_ok=True)
    if path.is_symlink():
        raise RecordError(f"{path}: is a link; files are written only inside the directory")


def remove_tree(path: Path) -> None:
    """Remove a folder with its contents, or what else has its name, if anything does."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file so that it holds either the whole new content or the old one.

    Args:
        path: the file.
        content: its whole content, at once or in parts.
        durable: whether to fsync.
    """
    with written_atomically(path, durable=durable) as file:
        file.writelines([content] if isinstance(content, bytes) else content)


@contextmanager
def written_atomically(
    path: Path, *, durable: bool = True, on_written: Callable[[Path], None] = lambda partial: None
) -> Iterator[BufferedWriter]:
    """Open a file to write, which has its name, and replaces the old one, only once it is whole.

    Args:
        path: the file.
        durable: whether to fsync.
        on_written: called with the whole file before it gets its name.
    """
    partial = path.with_name(partial_name(path.name))
    try:
        with create(partial) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        on_written(partial)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
