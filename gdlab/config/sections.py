"""Sections of the settings: what is recorded, how runs are computed, what a summary compares."""

from typing import Literal

from gdlab.engine.metrics import Intervals
from gdlab.fields.declared import Configured, setting


class Record(Intervals):
    """What is written into a run's directory, besides the intervals of recorded quantities.

    Attributes:
        every: the history keeps the records of steps 0, every, 2·every, … and the last.
        full_loss_every: with minibatches the loss and its gradient, of all examples, are computed
            at steps 0, n, 2n, … and the last alone, and only there a run can end by them; the
            other records have none. A metric such as accuracy is computed there with or without.
        max_coords: the history keeps at most so many coordinates.
        events: whether events are written for TensorBoard.
        figures: whether the trajectory is drawn.
        max_run_dirs: at most so many runs of a sweep get a directory.
        max_figures: at most so many runs of a sweep get pictures.
    """

    every: int = setting(default=1, ge=1)
    full_loss_every: int = setting(default=1, ge=1)
    max_coords: int = setting(default=64, ge=1)
    events: bool = True
    figures: bool = True
    max_run_dirs: int = setting(default=1000, ge=0)
    max_figures: int = setting(default=20, ge=0)


class Engine(Configured):
    """How runs are computed.

    Attributes:
        mode: eager (torch's kernels, one by one), compiled (the whole step at once, in C), or auto
            for compiled where there are steps and runs enough to repay it.
        threads: how many cores a compiled batch may use; None for all there are.
        max_rows: a batch of more runs is cut into shards of so many.
    """

    __module__ = "gdlab"

    mode: Literal["auto", "eager", "compiled"] = "auto"
    threads: int | None = setting(default=None, ge=1)
    max_rows: int = setting(default=8192, ge=1)


class Summary(Configured):
    """What the summary of a sweep compares.

    Attributes:
        by: the settings for whose combinations a best is named; None for what is no number.
        metric: the column by which runs that did not converge are ranked.
        direction: which of its values is best, the least or the greatest; None for the greatest of
            what a loss measures, such as accuracy, and for the least of all else.
    """

    by: tuple[str, ...] | None = None
    metric: str = "final_loss"
    direction: Literal["min", "max"] | None = None
