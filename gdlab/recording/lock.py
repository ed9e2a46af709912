"""A lock on a directory, so that two processes never write into it at the same time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdlab.errors import SettingError


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
