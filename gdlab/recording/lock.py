"""A lock on a directory, so that two processes never write into it at the same time."""

import fcntl
import os
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from gdlab.errors import SettingError
from gdlab.recording.files import check_unused, claim_directory


@contextmanager
def locked(directory: Path, setting: str) -> Iterator[None]:
    """Hold the lock of a directory; the system releases it when the process ends in any way.

    The directory itself is locked, so that no file is left in it.

    Args:
        directory: the directory to write into.
        setting: the setting that gave it, for errors.

    Raises:
        SettingError: another process holds the lock.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            what = "another process is writing into it; wait until it ends"
            raise SettingError(f"{setting}={directory}: {what}") from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def claimed(
    path: Path, *, exact: bool, setting: str, leftovers: Container[str] = ()
) -> Iterator[Path]:
    """Claim a new directory and hold its lock: of two that claim one at once, one is refused.

    Args:
        path: the directory; its parents are created too.
        exact: whether it must be this one, which may exist if it is empty.
        setting: the setting that gave the path, for errors.
        leftovers: names of files to ignore (exact).

    Raises:
        SettingError: the directory cannot be created, (exact) is not empty, or another process
            holds its lock.
    """
    directory = claim_directory(path, exact=exact, setting=setting, leftovers=leftovers)
    with locked(directory, setting):
        if exact:  # another may have come and gone in between
            check_unused(directory, setting, leftovers)
        yield directory
