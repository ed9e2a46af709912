"""One thread for what must not depend on how many there are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch operations on one thread.

    Torch cuts large tensors into one piece a thread, wherever that falls; the last numbers of a
    piece then take a scalar path that rounds differently from the vector path.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cores() -> int:
    """The cores that this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux alone
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
