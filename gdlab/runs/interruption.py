"""Ctrl-C and SIGTERM as a flag that runs check at every step."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """A flag that a signal sets to end the runs."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Return whether the runs must end."""
        return self.signal is not None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: set the flag; a second signal ends the process at once."""
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn Ctrl-C and SIGTERM into a flag; outside the main thread it is never set."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, interruption.receive) for number in numbers]
    try:
        yield interruption
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
