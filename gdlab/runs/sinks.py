"""What takes in the records of a run."""

from typing import Protocol

from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome


class Sink(Protocol):
    """What takes in the records of a run as they are made, and its outcome at the end."""

    def write(self, piece: History) -> None:
        """Take in the next records."""
        ...

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """The run is over; without an outcome it did not end as a run can."""
        ...


class Memory:
    """A sink that keeps all records."""

    def __init__(self) -> None:
        self.pieces: list[History] = []
        self.seconds = 0.0

    def write(self, piece: History) -> None:
        """Keep the records."""
        self.pieces.append(piece)

    def close(self, outcome: Outcome | None, seconds: float) -> None:
        """Keep the time."""
        self.seconds = seconds
