"""SHA-256 digests of the files of a run or a sweep, and reading the files back against them.

Parquet footers and JSON have no checksum of their own: a flipped bit can change a number unnoticed.
Each directory of a run and of a sweep therefore holds a list of digests, `SHA256SUMS`, in the
format of sha256sum, so that `sha256sum -c SHA256SUMS` checks it too.

A digest is appended before its file gets its name. If the process is killed in between, the list
has a digest without a file, or an older file whose digest is still listed: a file is intact if it
has any of the digests listed for its name.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path, PurePosixPath

from gdlab.errors import RecordError
from gdlab.recording.files import write_atomically

SUMS = "SHA256SUMS"

MAX_TEXT_BYTES = 2**28
"""The largest text file (JSON, YAML, digests) that is read back: 256 MiB."""

_LARGE = 2**20  # bytes; of a smaller file, the 256 KiB that `file_digest` fills take longer
_WILD = frozenset("*?[")
_LINE = re.compile(rb"([0-9a-f]{64})  ([^\n]+)")
_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def begin_digests(directory: Path) -> None:
    """Make the list of a new directory, empty."""
    (directory / SUMS).touch(exist_ok=False)


def write_with_digest(
    directory: Path,
    name: str,
    content: bytes,
    *,
    durable: bool = True,
    present: Iterable[str] = (),
) -> None:
    """Append the digest of a file to the list of its directory, and write the file atomically.

    Args:
        directory: the directory with the list.
        name: the path of the file, relative to the directory.
        content: the whole content of the file.
        durable: whether to fsync.
        present: the paths of files that are there already; their digests follow in the list.
    """
    digests = {name: hashlib.sha256(content).hexdigest()}
    digests |= {other: _digest_of(f"{directory}/{other}") for other in present}
    _append_lines(directory, digests, durable=durable)
    write_atomically(directory / name, content, durable=durable)


def append_digest(
    directory: Path, name: str, written: Path | None = None, *, durable: bool = True
) -> None:
    """Append the digest of a file on disk to the list of its directory.

    Args:
        directory: the directory with the list.
        name: the path of the file, relative to the directory.
        written: the file, if it does not have its name yet.
        durable: whether to fsync the list.
    """
    _append_lines(directory, {name: _digest_of(written or f"{directory}/{name}")}, durable=durable)


def _digest_of(path: str | Path) -> str:
    with open(path, "rb") as file:
        return _digest_of_file(file)


def _digest_of_file(file: BufferedReader) -> str:
    """Return the digest of an open file, read from its beginning to its end."""
    if os.fstat(file.fileno()).st_size > _LARGE:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(file.read()).hexdigest()


def _append_lines(directory: Path, digests: Mapping[str, str], *, durable: bool) -> None:
    """Append digests by name to the list of a directory."""
    text = os.fsencode("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(f"{directory}/{SUMS}", flags, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = b"\n" + text  # a crash cut the last line short
        os.write(descriptor, text)  # in one call: lines of several processes do not mix
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _open_inside(directory: Path, name: str) -> Iterator[BufferedReader]:
    """Open a regular file below a directory without following a link out of it.

    Raises:
        RecordError: there is no such file, or it is a link, a pipe or a device.
    """
    path = directory / name
    parent = None
    try:
        for part in (directory, *PurePosixPath(name).parts):
            flags = _READ_ONLY & ~os.O_NOFOLLOW if part is directory else _READ_ONLY
            opened = os.open(part, flags, dir_fd=parent)
            if parent is not None:
                os.close(parent)
            parent = opened
    except (OSError, ValueError) as error:
        if parent is not None:
            os.close(parent)
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError(f"{path}: missing or damaged ({reason})") from error
    assert parent is not None
    if not stat.S_ISREG(os.fstat(parent).st_mode):
        os.close(parent)
        raise RecordError(f"{path}: missing or damaged (it is not a regular file)")
    with os.fdopen(parent, "rb") as file:
        yield file


def _in_folders(directory: Path, name: str) -> list[str]:
    """Return where a file of a name lies in a folder of a directory.

    `Path.glob` takes five times as long, which shows where there are many runs.
    """
    try:
        with os.scandir(directory) as entries:
            folders = [entry.name for entry in entries if entry.is_dir()]
    except OSError:  # it was removed meanwhile, or may not be read
        return []
    names = (f"{folder}/{name}" for folder in folders)
    return [inner for inner in names if os.path.exists(f"{directory}/{inner}")]


class VerifiedFiles:
    """The files of the directory of a run or of a sweep, verified against their digests.

    Args:
        directory: the directory with the list of digests.

    Raises:
        RecordError: the list is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._digests: dict[str, set[str]] = {}
        self._found: dict[str, list[str]] = {}
        with _open_inside(directory, SUMS) as file:
            size = os.fstat(file.fileno()).st_size  # `read` takes as much memory as it may need
            content = file.read(min(size, MAX_TEXT_BYTES))
        # A line that is damaged lists no file, so that no file passes because of it.
        for line in content.split(b"\n"):
            if match := _LINE.fullmatch(line):
                name = os.fsdecode(match[2])
                self._digests.setdefault(name, set()).add(match[1].decode())

    def path(self, name: str) -> Path:
        """Return the path of a file, for messages."""
        return self._directory / name

    def __contains__(self, name: str) -> bool:
        """Tell whether a file exists and the list has a digest for it."""
        return name in self._digests and self.path(name).is_file()

    def find(self, pattern: str) -> list[str]:
        """Return the names that match a pattern and are listed or exist, sorted.

        The directory is searched once for each pattern.
        """
        if pattern not in self._found:
            self._found[pattern] = self._find(pattern)
        return [*self._found[pattern]]

    def _find(self, pattern: str) -> list[str]:
        last = pattern.rpartition("/")[2]
        alike = (name for name in self._digests if fnmatchcase(name.rpartition("/")[2], last))
        listed = {name for name in alike if PurePosixPath(name).match(pattern)}
        folder, _, name = pattern.rpartition("/")
        if folder == "*" and not _WILD.intersection(name):
            return sorted(listed | set(_in_folders(self._directory, name)))
        existing = self._directory.glob(pattern)
        return sorted(listed | {path.relative_to(self._directory).as_posix() for path in existing})

    @contextmanager
    def open(self, name: str) -> Iterator[BufferedReader]:
        """Open a file that has the content that was written.

        Raises:
            RecordError: it is missing, has no digest, or differs from its digest.
        """
        with _open_inside(self._directory, name) as file:
            if name not in self._digests:
                reason = f"{SUMS} does not list it"
                raise RecordError(f"{self.path(name)}: missing or damaged ({reason})")
            if _digest_of_file(file) not in self._digests[name]:
                reason = "it differs from its digest"
                raise RecordError(f"{self.path(name)}: missing or damaged ({reason})")
            file.seek(0)
            yield file

    def read_text(self, name: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
        """Read a text file in UTF-8, of at most `max_bytes`; raise as `open` does."""
        with self.open(name) as file:
            if os.fstat(file.fileno()).st_size > max_bytes:
                reason = f"larger than {max_bytes:,} bytes"
                raise RecordError(f"{self.path(name)}: missing or damaged ({reason})")
            return file.read().decode("utf-8")

    def verify(self, name: str) -> None:
        """Raise as `open` does, without reading a file for its content."""
        with self.open(name):
            pass
