"""Fingerprints of the files that losses read, so that a sweep is resumed with the same data."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gdlab.errors import SettingError


@dataclass(frozen=True)
class Fingerprint:
    """What tells a file from any other.

    Attributes:
        path: as the settings give it, with ~ replaced.
        folder: the working directory then, which the path may be relative to.
        size: in bytes.
        sha256: of the content, in hexadecimal digits.
    """

    path: str
    folder: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """Read a file and return its fingerprint."""
        file = path.stat()
        digest = _digest(path.absolute(), file.st_mtime_ns, file.st_size, file.st_ino)
        return cls(str(path), str(Path.cwd()), file.st_size, digest)

    def find_change(self) -> str | None:
        """Return why the path, from the working directory, is not that file any more, or None."""
        path = Path(self.path)
        is_elsewhere = not path.is_absolute() and str(Path.cwd()) != self.folder
        hint = f"; the path is relative to {self.folder}" if is_elsewhere else ""
        if not os.path.isfile(path):
            return f"{path}: no such file{hint}"
        now = Fingerprint.of(path)
        if (now.size, now.sha256) == (self.size, self.sha256):
            return None
        sizes = f"{self.size:,} bytes then, {now.size:,} now"
        how = sizes if now.size != self.size else "as long as then, but with other content"
        return f"{path}: has changed since the sweep began ({how}){hint}"


@lru_cache(maxsize=64)
def _digest(path: Path, *version: int) -> str:
    """Return the SHA-256 of a file; the version (times and sizes) changes with its content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_noted: ContextVar[dict[str, Fingerprint] | None] = ContextVar("noted", default=None)


@contextmanager
def noting_files() -> Iterator[dict[str, Fingerprint]]:
    """Collect the fingerprints, by path, of the files that losses read in this block."""
    files: dict[str, Fingerprint] = {}
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


def note_file(path: Path) -> None:
    """Note that a loss is about to read a file.

    Raises:
        SettingError: the file has changed since another loss of the block read it.
    """
    files = _noted.get()
    if files is None:
        return
    file = Fingerprint.of(path)
    if files.setdefault(file.path, file) != file:
        raise SettingError(f"data={path}: changed while it was read")


def note_arguments(values: Mapping[str, Any]) -> None:
    """Note the files that the arguments of a custom class name."""
    for value in values.values():
        if isinstance(value, str) and os.path.isfile(value):
            note_file(Path(value))
