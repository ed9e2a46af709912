"""Memory that was freed goes back to the system."""

import ctypes
import os
from pathlib import Path

import pytest

from gdlab.numerics.memory import release_memory

BLOCK, COUNT = 2**16, 1024


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc alone can do it")
def test_freed_blocks_below_one_in_use_are_given_back():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(BLOCK) for _ in range(COUNT)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks[:-1]:  # the last keeps the heap from shrinking by itself
        libc.free(block)
    before = resident()
    release_memory()
    assert before - resident() > 0.9 * BLOCK * COUNT  # of 64 MiB; seen: 1.00 of them
    libc.free(blocks[-1])
