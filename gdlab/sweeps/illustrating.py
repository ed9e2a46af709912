"""The pictures in the directories of a sweep and of its runs, drawn on all cores."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from gdlab.display.terminal import show_warning
from gdlab.numerics.threads import cores as available_cores
from gdlab.numerics.threads import one_thread
from gdlab.sweeps.plots import SWEEP_PICTURES, render_picture, save_sweep
from gdlab.sweeps.run_dirs import RunDirectories
from gdlab.sweeps.side_by_side import run_side_by_side
from gdlab.sweeps.subject import SweepToDraw

Drawn: TypeAlias = tuple[dict[str, bytes], list[str]]
"""The files to write of a picture, by format, and messages about what cannot be drawn."""


def draw_pictures(
    sweep: SweepToDraw,
    records: RunDirectories,
    directory: Path,
    runs: Sequence[int],
    interrupted: Callable[[], bool],
) -> None:
    """Draw the pictures that apply to a sweep, and those that some of its runs lack.

    Args:
        sweep: the sweep.
        records: the directories of its runs.
        directory: that of the sweep.
        runs: which of them get pictures.
        interrupted: asked before every picture.
    """

    def of_sweep(name: str) -> Drawn:
        return ({}, []) if interrupted() else render_picture(sweep, name)

    def of_runs(part: Sequence[int]) -> Drawn:
        problems: list[str] = []
        for run in part:
            if not interrupted():
                records.draw([run], problems.append)
        return {}, problems

    import_module("gdlab.plots.figure")  # matplotlib, once for all processes
    cores = available_cores()
    jobs = [partial(of_sweep, name) for name in SWEEP_PICTURES]
    # Neighbors in the sweep often share a background, which a process draws once.
    size = max(1, len(runs) // cores)
    near = sorted(runs)
    jobs += [partial(of_runs, near[first : first + size]) for first in range(0, len(runs), size)]
    with one_thread():
        drawn = run_side_by_side(jobs, cores)
    for _, problems in drawn:
        for problem in problems:
            show_warning(problem)
    pictures: Mapping[str, Mapping[str, bytes]] = {
        name: files for name, (files, _) in zip(SWEEP_PICTURES, drawn, strict=False) if files
    }
    save_sweep(sweep, directory, pictures)
