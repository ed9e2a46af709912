"""Memory that a process has freed but still holds."""

import ctypes
import sys


def release_memory() -> None:
    """Give memory that is no longer used back to the system, where the allocators can.

    After many small tables the allocators of C and of Arrow keep hundreds of megabytes. To ask
    them takes a few milliseconds.
    """
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc only
    if trim is not None:
        trim(0)
