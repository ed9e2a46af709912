"""The ways in which a run can end."""

from enum import IntEnum


class Status(IntEnum):
    """How a run ended; `RUNNING` while it has not.

    `CONVERGED` is reserved for the gradient test: flat is not optimal.
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

    def __str__(self) -> str:
        return self.name.lower()
