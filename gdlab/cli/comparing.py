"""Run, resume and print the comparison of a composed configuration."""

from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.table import Table

from gdlab.bench import contest_file
from gdlab.bench.comparison import Comparison, finish, prepare
from gdlab.bench.contest import TRACKS, Contest
from gdlab.bench.runner import Interrupted, Watch
from gdlab.bench.summary import COLUMNS, TITLES, rows_of
from gdlab.cli import hydra_internals, output, startup
from gdlab.cli.run import EXIT_SIGNAL, claimed_run_directory
from gdlab.cli.sweep import errors_naming_sweep
from gdlab.config.loading import plain_values
from gdlab.console import PlainConsole, styled
from gdlab.display.terminal import ProgressBar, show_warning
from gdlab.fields.declared import Field
from gdlab.fields.validation import Range
from gdlab.paths import user_path
from gdlab.recording.digests import begin_digests
from gdlab.recording.lock import locked
from gdlab.runs.interruption import interruptible
from gdlab.sweeps.summary import SweepProgress

_OWN = ("optimizers", "suite", "executor", "report", "dry_run", "resume")
"""The settings that are not rules."""

_FLAG = Field(bool, Range())
_WIDTH = 110


def compare(config: DictConfig, folders: list[Path], own_suite: str | None) -> int:
    """Run the comparison of a composed configuration and return the exit code.

    Args:
        config: including its `hydra` node.
        folders: further folders like conf.
        own_suite: the file of a suite; None for the one that was chosen.

    Raises:
        SettingError: a setting cannot be used.
    """
    values = plain_values(hydra_internals.without_hydra(config))
    for flag in ("report", "dry_run"):
        _FLAG.check(flag, values[flag])
    if values["resume"] is not None:
        directory = user_path(str(values["resume"]))
        contest = contest_file.load(directory, values["optimizers"])
        contest.check()
        with locked(directory, "resume"):
            return _finish(contest, directory, report=values["report"])
    rules = {key: value for key, value in values.items() if key not in _OWN}
    chosen = str(config.hydra.runtime.choices["suite"])
    suite = own_suite or chosen
    contest = prepare(values["optimizers"], suite, values["executor"], rules, folders)
    if values["dry_run"]:
        return _show_plan(contest)
    name = partial(_with_label, chosen=chosen, label=contest.suite.name)
    with claimed_run_directory(config, name) as directory:
        begin_digests(directory)
        contest_file.save(contest, directory)
        return _finish(contest, directory, report=values["report"])


def _with_label(path: Path, chosen: str, label: str) -> Path:
    """Replace the name of the chosen suite at the end of a path by that of the suite."""
    return Path(str(path).removesuffix(chosen) + label) if str(path).endswith(chosen) else path


def _show_plan(contest: Contest) -> int:
    """Print how many runs a comparison has."""
    cells, (trials, scored) = len(contest.playing), contest.run_counts()
    optimizers, problems = len(contest.entrants), len(contest.suite.problems)
    console = PlainConsole()
    console.print(f"{optimizers} optimizers, {problems} problems, {cells} of the pairs fit")
    console.print(f"{trials:,} runs to tune, {scored:,} to score")
    numbers = {"optimizers": optimizers, "problems": problems, "tuning": trials, "scored": scored}
    output.print_json(lambda: numbers)
    return 0


def _finish(contest: Contest, directory: Path, *, report: bool) -> int:
    """Run what a comparison still lacks, print how the optimizers stand, return the exit code."""
    startup.resume_garbage_collection()
    with (
        errors_naming_sweep(directory),
        interruptible(show_warning) as interruption,
        ProgressBar("runs", sum(contest.run_counts())) as bar,
    ):
        try:
            watch = Watch(interruption, SweepProgress(bar))
            found = finish(contest, directory, watch, report=report)
        except Interrupted:
            show_warning(f"interrupted; python -m gdlab.bench resume={directory} continues")
            return EXIT_SIGNAL + (interruption.signal or 0)
    _show(found)
    return 0


def _show(found: Comparison) -> None:
    """Print how the optimizers stand on each track, and what to take with care."""
    console = PlainConsole()
    wide = PlainConsole(width=max(console.width, _WIDTH), soft_wrap=False)
    for name in TRACKS:
        table = Table(title=TITLES[name], title_justify="left", box=None, pad_edge=False)
        for column in COLUMNS:
            table.add_column(column)
        for row in rows_of(found.track(name)):
            table.add_row(*row)
        wide.print(table)
        console.print()
    for note in found.notes:
        console.print(styled(("note: ", "bold"), note))
    console.print(styled(("files  ", "dim"), str(found.directory)))
    output.print_json(lambda: _document(found))


def _document(found: Comparison) -> dict[str, Any]:
    """Return what a comparison found as plain values."""
    tracks = {
        name: [dict(zip(COLUMNS, row, strict=True)) for row in rows_of(found.track(name))]
        for name in TRACKS
    }
    return {"directory": str(found.directory), "tracks": tracks, "notes": found.notes}
