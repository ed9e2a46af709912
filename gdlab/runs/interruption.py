"""Signals as a flag that the runs of a command check at every step.

Only commands use it: in a library the signals of a process belong to its caller, so `gdlab.run` and
`gdlab.sweep` leave them alone.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Those that ask a command to end: Ctrl-C, `kill`, and a terminal that closes."""

_ONE_REQUEST = 0.5  # seconds; `timeout` sends its signal to the process and again to its group
_PATIENCE = 2.0  # seconds

WAITING = "interrupted: the step that is computed must end first; a second signal ends it at once"


class Interruption:
    """A flag that a signal sets to end the runs."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._since = 0.0
        self._is_received, self._is_over = threading.Event(), threading.Event()

    def __call__(self) -> bool:
        """Return whether the runs must end."""
        return self.signal is not None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: set the flag; a second request ends the process at once."""
        if self.signal is None:
            self.signal, self._since = number, time.monotonic()
            self._is_received.set()
        elif time.monotonic() - self._since > _ONE_REQUEST:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def explain(self, say: Callable[[str], None], patience: float) -> None:
        """Wait for a signal; if the runs have not ended some seconds later, say why."""
        self._is_received.wait()
        if not self._is_over.wait(patience):
            say(WAITING)

    def release(self) -> None:
        """Let `explain` return; no signal may be handled any more."""
        self._is_over.set()
        self._is_received.set()


@contextmanager
def interruptible(
    say: Callable[[str], None], patience: float = _PATIENCE
) -> Iterator[Interruption]:
    """Turn the signals that ask a command to end into a flag.

    Outside the main thread it is never set. A terminal that closes is no signal under `nohup`.

    Args:
        say: receives a message, in another thread, if a step goes on after a signal.
        patience: how many seconds later.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ignored = {getattr(signal, "SIGHUP", None)} & {n for n in before if before[n] is signal.SIG_IGN}
    handled = before.keys() - ignored
    watcher = threading.Thread(target=interruption.explain, args=(say, patience), daemon=True)
    watcher.start()
    for number in handled:
        signal.signal(number, interruption.receive)
    try:
        yield interruption
    finally:
        for number in handled:
            signal.signal(number, before[number])
        interruption.release()
