"""What answers for the runs of a directory, made late or early: neither waits for TensorBoard."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gdlab.board.service import Service


class LateService:
    """What answers for a directory, made when it is first asked: it imports torch.

    Args:
        root: the directory with the runs.
        trust: whether a loss that the runs name is imported, where gdlab has no such class.
    """

    def __init__(self, root: Path, *, trust: bool = False) -> None:
        self.root, self._trust = root, trust
        self._making, self._made = Lock(), None

    def get(self) -> "Service":
        """Return the service."""
        with self._making:
            if self._made is None:
                from gdlab.board.service import Service

                self._made = Service(self.root, trust=self._trust)
        return self._made

    def prepare(self) -> Thread:
        """Begin to read the runs, so that the page need not wait; return what is at work."""
        thread = Thread(target=self._prepare)
        thread.start()
        return thread

    def _prepare(self) -> None:
        try:
            with without_collection():
                self.get().prepare()
        except RuntimeError as error:
            # Ctrl-C came first: Python ends, and no longer starts the threads that read.
            if "interpreter shutdown" not in str(error):
                raise


@contextmanager
def without_collection() -> Iterator[None]:
    """Let Python not look for garbage for a while.

    To import torch and to read many runs makes a million objects that all stay, among which it
    would look again and again: a fifth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
