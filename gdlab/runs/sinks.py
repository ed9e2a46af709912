"""Sinks: the receivers of a run's records."""

from typing import Protocol

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome


class Sink(Protocol):
    """Receives the records of a run as they are made, and its outcome at the end."""

    def write(self, piece: History) -> None:
        """Receive the next records."""
        ...

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """End the records; the outcome is None if an exception stopped the run."""
        ...


class MemorySink:
    """Keeps all records in memory."""

    def __init__(self) -> None:
        self.pieces: list[History] = []
        self.seconds = 0.0

    def write(self, piece: History) -> None:
        """Keep the next records."""
        self.pieces.append(piece)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Keep the time."""
        self.seconds = seconds
