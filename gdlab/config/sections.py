"""Sections of the settings: what is recorded, how runs are computed, what a summary compares."""

from typing import Literal

from gdlab.config.figure_formats import formats_of
from gdlab.engine.metrics import Intervals
from gdlab.fields.declared import Configured, setting
from gdlab.plots.style import FORMATS


class Record(Intervals):
    """What is written into a run's directory, besides the intervals of recorded quantities.

    Attributes:
        every: the history keeps the records of steps 0, every, 2·every, … and the last.
        full_loss_every: with minibatches, the loss and gradient over all examples are computed
            only at steps 0, n, 2n, … and the last, and only there can they end a run; other
            records have neither. Metrics such as accuracy are computed at these steps too, with
            or without minibatches.
        max_coords: maximum number of coordinates in the history.
        checkpoint: the parameters of a network that go to checkpoint.pt: those of the last record,
            or of the best one that the history keeps, the first with the lowest loss on held-out
            examples, or without any with the lowest loss. None for no such file.
        events: whether to write events for TensorBoard.
        figures: the formats of the pictures, png, svg and pdf: one, several with commas between, or
            a list; true for png, false for no pictures.
        figure_size: width and height of the pictures in inches, 100 pixels each in a PNG; None for
            what each needs.
        max_run_dirs: maximum number of runs in a sweep that get a directory.
        max_figures: maximum number of runs in a sweep that get pictures.
    """

    every: int = setting(default=1, ge=1, lt=2**53)
    full_loss_every: int = setting(default=1, ge=1, lt=2**53)
    max_coords: int = setting(default=64, ge=1)
    checkpoint: Literal["best", "last"] | None = None
    events: bool = True
    figures: bool | str | tuple[str, ...] = True
    figure_size: tuple[float, float] | None = setting(default=None, ge=3, le=40)
    max_run_dirs: int = setting(default=1000, ge=0)
    max_figures: int = setting(default=20, ge=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.formats  # refuses other names

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the pictures; empty for none."""
        return formats_of(self.figures, FORMATS[:1])


class Engine(Configured):
    """How runs are computed.

    >>> import gdlab
    >>> gdlab.run("sphere", lr=0.1, engine=gdlab.Engine(mode="eager"), steps=5).outcome.mode
    'eager'

    Attributes:
        mode: eager (torch's kernels, one by one), compiled (the whole step at once, in C), or auto:
            compiled where there are enough steps and runs to repay compilation.
        threads: number of cores a compiled batch may use; None for all available.
        max_rows: maximum number of runs in a shard; larger batches are split. None for 8,192, or on
            a GPU for as many as its memory is likely to hold.
    """

    __module__ = "gdlab"

    mode: Literal["auto", "eager", "compiled"] = "auto"
    threads: int | None = setting(default=None, ge=1)
    max_rows: int | None = setting(default=None, ge=1)


class Summary(Configured):
    """What the summary of a sweep compares.

    Attributes:
        by: a best run is named for each combination of these settings; None for those that are
            not numbers.
        metric: the column that ranks the runs that did not converge; None for the loss on held-out
            examples (`loss.validation`), where every run has it, else the final loss.
        direction: whether its min or its max is best; None for max if the column is a metric of
            the loss, such as accuracy, and min otherwise, as for the loss on held-out examples.
    """

    by: tuple[str, ...] | None = None
    metric: str | None = None
    direction: Literal["min", "max"] | None = None
