"""Threads that compute parts of a batch."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

PRODUCTS_PER_THREAD = 2**20
"""Products of coordinates and examples; fewer are not worth a thread."""


def in_parts(
    compute: Callable[[int, int, int], None], n: int, threads: int, multiple: int = 1
) -> None:
    """Compute all of n rows, a part on each thread.

    Args:
        compute: computes rows `begin` to `end`, given the number of the thread.
        n: the number of rows.
        threads: the number of threads; none are used below two.
        multiple: parts begin at multiples of it.
    """
    if threads <= 1:
        compute(0, n, 0)
        return
    bounds = [multiple * (n // multiple * t // threads) for t in range(threads)] + [n]
    list(pool(threads).map(compute, bounds[:-1], bounds[1:], range(threads)))


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Return the threads that compute parts of a batch."""
    return ThreadPoolExecutor(threads, thread_name_prefix="gdlab")


if hasattr(os, "register_at_fork"):
    # A forked process has none of the threads, and would wait for them forever.
    os.register_at_fork(after_in_child=pool.cache_clear)
