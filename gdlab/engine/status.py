"""The ways in which a run can end."""

from enum import IntEnum


class Status(IntEnum):
    """How a run ended; `RUNNING` while it has not.

    `CONVERGED` is reserved for the gradient test: flat is not optimal.

    >>> import gdlab
    >>> gdlab.run("saddle", lr=0.1, start=[1, 0], steps=5).outcome.status is gdlab.Status.MAX_STEPS
    True
    """

    __module__ = "gdlab"

    RUNNING = 0
    CONVERGED = 1
    TARGET = 2
    MAX_STEPS = 3
    DIVERGED = 4
    STALLED = 5
    FAILED = 6
    INTERRUPTED = 7
    EARLY_STOPPED = 8

    def __str__(self) -> str:
        return self.name.lower()
