"""Reads runs and sweeps back as pandas tables, without importing, evaluating or unpickling."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gdlab.console import visible
from gdlab.errors import RecordError, SettingError
from gdlab.paths import user_path
from gdlab.plots.style import Size
from gdlab.recording.digests import VerifiedFiles
from gdlab.recording.figures import Look
from gdlab.recording.names import ABOUT, CONFIG, MULTIRUN, RESULT, RESULTS
from gdlab.recording.parquet import read_parquet
from gdlab.results.chosen import recorded_choices
from gdlab.results.config_text import read_config, read_mapping

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from gdlab.engine.outcome import Outcome
    from gdlab.results.best_settings import Best
    from gdlab.results.ranking import Metric
    from gdlab.results.recorded_history import RecordedHistory
    from gdlab.viewer.notebook import View


Draw: TypeAlias = "Callable[[str | None, Look], Figure]"
"""Draws a kind of picture, the most telling one where it is None."""


@dataclass(frozen=True, repr=False)
class Recorded:
    """What the directory of a run or of a sweep contains.

    Attributes:
        directory: the directory; None for a sweep that was not written to one.
        results: one row per run: its settings and how it ended, the point as x0, x1, … .
        config: the composed configuration.
        varied: the settings that a sweep varied.
        directories: the names of the directories of a sweep's runs, by run.
        metrics: those metrics of a sweep's losses of which the largest is best, such as accuracy.
        problems: those of the varied settings that change the function being minimized.
        by: the settings that its summary tells apart, such as the optimizer.
        metric: the column that ranks runs in its summary.
        direction: whether "min" or "max" of it is best; None for max of `metrics`, else min.
        draw: draws a kind of picture; None for what is read from files.
        choices: the names by which a run's loss, optimizer and schedule were chosen.
    """

    directory: Path | None
    results: "pd.DataFrame"
    config: dict[str, Any]
    varied: tuple[str, ...] = ()
    directories: Mapping[int, str] | None = None
    metrics: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    metric: str = "final_loss"
    direction: str | None = None
    draw: "Draw | None" = field(default=None, repr=False, compare=False)
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_run(self) -> bool:
        """Whether it is a single run."""
        return self.directory is not None and self.directories is None

    @property
    def outcome(self) -> "Outcome":
        """How a single run ended, as `Run.outcome`.

        Raises:
            RecordError: it is a sweep, or the files are damaged.
        """
        from gdlab.results.recorded_run import outcome_of

        return outcome_of(self.results, self.directory if self.is_run else None)

    @property
    def ranked_by(self) -> "Metric":
        """The column that ranks runs in a sweep's summary."""
        from gdlab.results.ranking import Metric

        return Metric.of(self.metric, self.direction, self.metrics)

    def __repr__(self) -> str:
        if self.directory is not None and self.is_run:
            from gdlab.results.recorded_run import describe

            return describe(self)
        runs = "1 run" if len(self.results) == 1 else f"{len(self.results):,} runs"
        ends = ", ".join(f"{n} {word}" for word, n in self.results["status"].value_counts().items())
        over = f"{', '.join(map(visible, self.varied))}: " if self.varied else ""
        where = "" if self.directory is None else f", {visible(str(self.directory))}"
        return f"Sweep({over}{runs}, {visible(ends)}{where})"

    def _repr_html_(self) -> str | None:
        from gdlab.results.notebook import html, run_html

        return run_html(self) if self.is_run else html(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per run as a table of its own: what `results` holds."""
        return self.results.copy()

    def plot(
        self,
        kind: str | None = None,
        *,
        title: str | None = None,
        size: Size | None = None,
        path: str | Path | None = None,
    ) -> "Figure":
        """Draw a picture of a sweep, whose runs are run once more, or of what was read from files.

        >>> import gdlab
        >>> swept = gdlab.sweep("rosenbrock", lr=[1e-4, 1e-3], optimizer=["sgd", "adam"], steps=50)
        >>> figure = swept.plot("convergence", title="The best lr of each")
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['sgd', 'adam']

        Args:
            kind: "overview", the paths of up to 40 runs on their loss; "basins", which minimizer
                each start of a grid reached; "convergence", the loss of the best run of each
                setting over the steps; "stability", the sharpness beside its edge; "sensitivity",
                the final loss against lr. None for the first of these that there is. A sweep that
                was read from files has "convergence" and "sensitivity", a run "loss", and
                "trajectory" where its loss is one of gdlab's.
            title: the first line; None for what the runs have in common.
            size: width and height in inches, 3 to 40; None for what the picture needs.
            path: a file to write it to, that ends in .png, .svg or .pdf.

        Returns:
            The figure, which pyplot does not know. In a notebook it shows itself.

        Raises:
            SettingError: there is no such kind, this sweep or run has no such picture, or the path
                has another ending.
            RecordError: a file is damaged.
        """
        look = Look(title, size, path)
        if self.draw is not None:
            return self.draw(kind, look)
        from gdlab.results.recorded_plots import draw

        return draw(self, kind, look)

    def view(self) -> "View":
        """Show the paths of the runs on their landscape in the viewer, which moves.

        >>> import tempfile, gdlab
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rates = [0.01, 0.1]
        ...     swept = gdlab.sweep("sphere", lr=rates, steps=9, directory=f"{folder}/sphere")
        ...     swept.view()
        View(title='sphere')

        Returns:
            What a notebook shows as the viewer. `save("sweep.html")` writes it as a file that opens
            in any browser, without a network.

        Raises:
            SettingError: no path was recorded, as that of a sweep without a `directory`.
        """
        from gdlab.viewer.notebook import View

        if self.directory is None:
            raise SettingError("directory=None: the viewer shows paths, which only a folder keeps")
        return View.of(self.directory, visible(self.directory.resolve().name))

    def module(
        self,
        which: int | str = "last",
        *,
        model: "nn.Module | type[nn.Module] | None" = None,
        trust: bool = False,
    ) -> "nn.Module":
        """Return the network of a recorded run, as a `torch.nn.Module` with its parameters.

        That of loss=mlp is a `torch.nn.Sequential`. For one of your own give its class, which is
        called with the recorded arguments, or an instance, which is copied: nothing that a file
        names is imported, unless you trust it. Buffers and fixed parameters are those of
        `checkpoint.pt`, and without one those of the class or of the instance.

        Args:
            which: "last"; "best", the lowest loss on held-out examples, or without any the lowest
                loss; or a step, of which the whole point was recorded.
            model: the class of the network, or an instance; None for loss=mlp.
            trust: whether to import the class that the files name.

        Raises:
            SettingError: there is no such record, or no such network.
            RecordError: a file is damaged.
        """
        from gdlab.results.recorded_module import module_of

        return module_of(self, which, model, trust=trust)

    @property
    def history(self) -> "RecordedHistory":
        """The records of a run, as `Run.history`; called, the table of a run.

        That of a sweep is called with the number of a run: `history(3)`.
        """
        from gdlab.results.recorded_history import RecordedHistory

        return RecordedHistory(self.directory, self.directories)

    def best(
        self,
        by: Sequence[str] | None = None,
        metric: str | None = None,
        direction: str | None = None,
    ) -> "list[Best]":
        """Find the best settings for each problem and combination of the settings `by`.

        >>> import gdlab
        >>> swept = gdlab.sweep("sphere", ["sgd", "adam"], lr=[0.1, 0.2], steps=3)
        >>> swept.best()[0]
        Best(optimizer='sgd', lr=0.2: run 1, final_loss 0.4666, 0 of 1 solved)
        >>> [one.choice for one in swept.best(by=())]
        [{'optimizer': 'sgd', 'lr': 0.2}]

        Runs that met their target, or converged to the lowest loss of their problem, rank by
        evaluations, ahead of all others, which rank by the metric. Of settings, those that lose the
        smallest share of their runs come first. Of equal ones, those of which more than half of the
        runs reached such a loss: by the share that did, then the median of the evaluations. The
        others follow, by the median of the metric. The median and the quartiles are those of
        pandas, except that nothing is averaged with the infinite value of a lost run. The run that
        is named is the nearest to that median among those that are not better. Nothing is compared
        across problems: where the loss, a setting of it or the transform varies, each has a best.

        Args:
            by: settings; () for one best of each problem; None for those that the summary in the
                terminal tells apart, such as the optimizer.
            metric: the column that ranks runs that did not converge; None for the summary's.
            direction: whether "min" or "max" is best; None for max of `metrics`, else min.

        Raises:
            SettingError: there is no such setting, metric or direction.
        """
        from gdlab.results.best_settings import best
        from gdlab.results.ranking import Metric

        by = self.by if by is None else [by] if isinstance(by, str) else by
        if metric is None:
            metric, direction = self.metric, direction or self.direction
        chosen = Metric.of(metric, direction, self.metrics)
        return best(self.results, by, self.varied, chosen, self.problems)


def load(directory: str | Path) -> Recorded:
    """Read the directory of a run or of a sweep.

    >>> import tempfile, gdlab
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = gdlab.run("sphere", steps=3, directory=folder, **{"record.figures": False})
    ...     recorded = gdlab.load(folder)
    ...     recorded.history.step.tolist(), recorded.history().columns.tolist()[:2]
    ([0, 1, 2, 3], ['step', 'loss'])

    Raises:
        RecordError: there is neither, or one of its files is damaged; the message names the file.
    """
    if not isinstance(directory, (str, os.PathLike)):
        what = type(directory).__name__
        raise RecordError(f"directory={what}: must be the path of a run or of a sweep")
    directory = user_path(directory)
    if (directory / RESULT).is_file():
        return _load_run(VerifiedFiles(directory), directory)
    if (directory / ABOUT).is_file():
        return _load_sweep(VerifiedFiles(directory), directory)
    if not directory.is_dir():
        raise RecordError(f"{directory}: there is no such folder")
    raise RecordError(f"{directory}: holds no run (no {RESULT}) and no sweep (no {ABOUT})")


def _load_run(files: VerifiedFiles, directory: Path) -> Recorded:
    import pandas as pd

    result = read_mapping(files, RESULT, json.loads)
    versions, point = result.pop("versions", None), result.pop("x", None)
    if not isinstance(versions, dict) or not isinstance(point, list):
        raise RecordError(f"{files.path(RESULT)}: damaged (no versions or no point)")
    result |= {f"versions.{name}": version for name, version in versions.items()}
    result |= {f"x{i}": value for i, value in enumerate(point)}
    config = read_config(files, CONFIG)
    choices = recorded_choices(files, config)
    return Recorded(directory, pd.DataFrame([result]), config, choices=choices)


def _load_sweep(files: VerifiedFiles, directory: Path) -> Recorded:
    about = read_mapping(files, ABOUT, json.loads)
    directories = {int(run): str(name) for run, name in about.get("directories", {}).items()}
    results = read_parquet(files, RESULTS).to_pandas()
    keys = ("varied", "metrics", "problems", "by")
    varied, metrics, problems, by = (tuple(map(str, about.get(key, ()))) for key in keys)
    direction = about.get("direction")
    return Recorded(
        directory,
        results,
        read_config(files, MULTIRUN),
        varied,
        directories,
        metrics,
        problems,
        by,
        metric=str(about.get("metric", "final_loss")),
        direction=None if direction is None else str(direction),
    )
