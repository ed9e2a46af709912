"""A cache of compiled libraries on disk that loads only what this user compiled.

A library is code: a damaged one kills the process or computes wrong numbers, and one planted by
someone else runs with this user's rights. The folder must therefore belong to the user and be
closed to others, and a SHA-256 digest is stored with each library. Anything else is recompiled.
"""

import atexit
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

from gdlab.engine.compiler.program import Uncompilable

Loaded = TypeVar("Loaded")

_SCRATCH = "tmp-"
_LEFT_OVER = 3600  # seconds; a compilation takes a few
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def load_cached(
    name: str, compile_to: Callable[[Path], None], load: Callable[[Path], Loaded]
) -> Loaded:
    """Load a library from the user's cache; compile it if it is missing or damaged.

    Args:
        name: of the file, unique for its source, compiler and machine.
        compile_to: writes the library to a path, or raises `Uncompilable`.
        load: loads it from a path.

    Raises:
        Uncompilable: it cannot be compiled or loaded.
    """
    for folder in (cache_folder(), _scratch_folder()):
        path = folder / name
        try:
            if not is_intact(path):
                _store(path, compile_to)
            return load(path)
        except OSError as error:  # a full disk, a folder that forbids execution
            failure = error
    raise Uncompilable(f"the compiled step cannot be kept or loaded: {failure}")


def is_intact(path: Path) -> bool:
    """Return whether a library belongs to this user only and matches its stored digest."""
    try:
        expected = _private_bytes(path.with_suffix(".sha256"))
        return hashlib.sha256(_private_bytes(path)).hexdigest().encode() == expected
    except OSError:
        return False


def _private_bytes(path: Path) -> bytes:
    """Read a regular file that only this user may write, without following links.

    Raises:
        OSError: there is no such file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        is_private = about.st_uid == os.getuid() and not about.st_mode & _OTHERS_MAY_WRITE
        if not (stat.S_ISREG(about.st_mode) and is_private):
            raise PermissionError(f"{path} is not this user's own file")
        return file.read()


def _store(path: Path, compile_to: Callable[[Path], None]) -> None:
    """Compile in a temporary folder, then move library and digest to `path` atomically."""
    _remove_leftovers(path.parent)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=path.parent) as scratch:
        library, digest = Path(scratch) / path.name, Path(scratch) / "digest"
        compile_to(library)
        digest.write_bytes(hashlib.sha256(library.read_bytes()).hexdigest().encode())
        for file, target in ((library, path), (digest, path.with_suffix(".sha256"))):
            file.chmod(0o600)
            with file.open("rb") as content:
                os.fsync(content.fileno())
            file.replace(target)


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary folders of processes that were killed while they compiled."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):  # another process has removed it
            if time.time() - scratch.lstat().st_mtime > _LEFT_OVER:
                shutil.rmtree(scratch)


def cache_folder() -> Path:
    """Return the user's cache for compiled steps, or a private folder if that is not safe."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(cache_home).expanduser() / "gdlab"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = folder.lstat()
    except (OSError, RuntimeError):  # a file in the way, no home
        return _scratch_folder()
    is_own = stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
    if is_own and about.st_mode & _OTHERS_MAY_WRITE:
        with suppress(OSError):  # made by an earlier version under a lax umask
            folder.chmod(0o700)
            about = folder.lstat()
    is_private = is_own and not about.st_mode & _OTHERS_MAY_WRITE
    return folder if is_private and os.access(folder, os.W_OK) else _scratch_folder()


@cache
def _scratch_folder() -> Path:
    folder, owner = Path(tempfile.mkdtemp(prefix="gdlab-")), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not in a process that was forked
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
