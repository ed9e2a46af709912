"""What a comparison runs: every optimizer on every problem, with equal numbers of trials and runs.

The seeds of the scores are never those of the tuning: both are counted from `seed`, the former
from `_SCORING` on, and a comparison cannot have that many tuning seeds.

Shapes: n runs of a group, T trials, F finalists, S seeds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gdlab.bench.entrants import Entrant
from gdlab.bench.suites import Suite
from gdlab.config.settings import Settings
from gdlab.engine.batch import Batch
from gdlab.errors import SettingError
from gdlab.fields.declared import Configured, setting
from gdlab.losses.datasets.fingerprints import Fingerprint
from gdlab.runs.batching import batch_of, with_optimizer
from gdlab.runs.checks import check_optimizer
from gdlab.sweeps.executors.base import find_executor
from gdlab.sweeps.executors.choice import with_executor
from gdlab.sweeps.executors.table import check_executor
from gdlab.sweeps.grid import Grid
from gdlab.sweeps.plan import Group, Plan

TUNED, SHARED, DEFAULT = "tuned", "shared", "default"
TRACKS = (TUNED, SHARED, DEFAULT)
"""The settings that are scored: tuned for each problem, one for the whole suite, the defaults."""

SCORE, FLOAT32, ULP = "", "float32", "ulp"
"""Variants of a scored run: as it is, in float32, with the start moved by one unit in the last
place."""

EARLIER: Mapping[str, int] = {"finalists": 0}
"""What the rules of comparisons of earlier versions do not say."""

_SCORING = 2**32
_TRIALS_PER_FINALIST = 16


class Rules(Configured):
    """The rules of a comparison, the same for every optimizer.

    Attributes:
        trials: the settings that are tried for each optimizer, from a Sobol sequence.
        tuning_seeds: the runs of each trial on each problem.
        finalists: the best trials that run again on as many further seeds, before one of them is
            chosen; None for one in 16 trials. With one there is nothing to choose.
        seeds: the runs that are scored for each setting on each problem.
        chaos: how many of these are run again in float32, and with the start moved by one unit in
            the last place; 0 for none.
        budget: the evaluations of a run; None for what the suite says.
        seed: the first seed.
    """

    trials: int = setting(default=64, ge=1, le=2**16)
    tuning_seeds: int = setting(default=3, ge=1, le=_SCORING // 2)
    finalists: int | None = setting(default=None, ge=0, le=2**16)
    seeds: int = setting(default=20, ge=1, lt=_SCORING)
    chaos: int = setting(default=5, ge=0, lt=_SCORING)
    budget: int | None = setting(default=None, ge=2, lt=2**53)
    seed: int = setting(default=0, ge=0, lt=2**62)

    @property
    def seeds_to_tune(self) -> np.ndarray:
        """The seeds of the trials: (S,)."""
        return self.seed + np.arange(self.tuning_seeds)

    @property
    def seeds_of_finals(self) -> np.ndarray:
        """The further seeds on which finalists run: (S,)."""
        return self.seeds_to_tune + self.tuning_seeds

    @property
    def finals(self) -> int:
        """How many trials run again; 0 if there is nothing to choose among."""
        given = self.trials // _TRIALS_PER_FINALIST if self.finalists is None else self.finalists
        return min(given, self.trials) if given > 1 else 0

    @property
    def seeds_to_score(self) -> np.ndarray:
        """The seeds of the scores, none of which tuning has seen: (S,)."""
        return self.seed + _SCORING + np.arange(self.seeds)


@dataclass(frozen=True)
class Cell:
    """One optimizer on one problem.

    Attributes:
        entrant: the position of the optimizer.
        problem: the position of the problem.
        settings: of a run with the defaults.
        obstacle: why the optimizer does not fit the problem; empty if it does.
    """

    entrant: int
    problem: int
    settings: Settings
    obstacle: str


@dataclass(frozen=True)
class Contest:
    """A comparison of optimizers on a suite.

    Attributes:
        entrants: the optimizers.
        suite: the problems.
        rules: the numbers of trials and seeds.
        executor: the name of what runs the shards.
        data: the files that the losses read.
    """

    entrants: tuple[Entrant, ...]
    suite: Suite
    rules: Rules
    executor: str
    data: tuple[Fingerprint, ...] = ()

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every optimizer on every problem, problem by problem.

        Raises:
            SettingError: a problem has a wrong setting, a space does not fit its optimizer, or no
                optimizer fits any problem.
        """
        for entrant in self.entrants:
            entrant.check_space()
        cells = tuple(self._cells())
        if all(cell.obstacle for cell in cells):
            raise SettingError(f"suite={self.suite.name}: {cells[0].obstacle}")
        return cells

    def _cells(self) -> Iterator[Cell]:
        for p, problem in enumerate(self.suite.problems):
            base = problem.base_settings(self.rules.budget)
            batch = batch_of(base)
            for e, entrant in enumerate(self.entrants):
                settings = base.unchecked(
                    optimizer=entrant.optimizer,
                    lr=entrant.lr,
                    choices=base.choices | {"optimizer": entrant.name},
                )
                yield Cell(e, p, settings, _obstacle(batch, settings))

    @property
    def playing(self) -> list[Cell]:
        """The cells in which the optimizer fits the problem."""
        return [cell for cell in self.cells if not cell.obstacle]

    def check(self) -> None:
        """Check all settings before anything runs.

        Raises:
            SettingError: one is wrong, the executor is not there, or no optimizer fits any problem.
        """
        find_executor(check_executor("executor", self.executor)).cores()  # is it there?
        _ = self.cells

    def run_counts(self) -> tuple[int, int]:
        """Return the number of runs that tune, and of those that are scored."""
        rules, cells = self.rules, len(self.playing)
        tried = rules.trials + 2 * rules.finals
        scored = len(TRACKS) * rules.seeds + 2 * min(rules.chaos, rules.seeds)
        return cells * tried * rules.tuning_seeds, cells * scored

    def tuning(self) -> Plan:
        """Return the plan of all trials; a group is a cell, its runs trial by trial."""
        seeds, every = self.rules.seeds_to_tune, np.arange(self.rules.trials)
        return self._plan([self._trying(cell, every, seeds) for cell in self.playing])

    def finals(self, finalists: Mapping[tuple[int, int], np.ndarray]) -> Plan:
        """Return the plan of the runs of finalists; a group is a cell, its runs trial by trial.

        Args:
            finalists: for the entrant and the problem of each cell that plays, the numbers of the
                trials that are best for the problem, then of those for the whole suite: (2, F).
        """
        seeds = self.rules.seeds_of_finals
        pairs = ((cell, finalists[cell.entrant, cell.problem]) for cell in self.playing)
        return self._plan([self._trying(cell, trials.ravel(), seeds) for cell, trials in pairs])

    def _trying(
        self, cell: Cell, trials: np.ndarray, seeds: np.ndarray
    ) -> tuple[Settings, dict[str, np.ndarray]]:
        """Return the runs of some trials (T,) of a cell on seeds (S,), trial by trial."""
        settings = self.entrants[cell.entrant].space.trials(self.rules.trials)
        columns = {
            key: np.repeat(values[trials], len(seeds), 0) for key, values in settings.items()
        }
        return cell.settings, {**columns, "seed": np.tile(seeds, len(trials))}

    def scoring(self, chosen: Mapping[tuple[int, int], Mapping[str, np.ndarray]]) -> Plan:
        """Return the plan of the runs that are scored.

        The groups are the cells, then the cells in float32, then those with other starts. The runs
        of a cell go track by track; those of the other groups are of the first track.

        Args:
            chosen: for the entrant and the problem of each cell that plays, its settings on each
                track: (3,), or (3, k) for lists of k numbers.
        """
        seeds, chaos = self.rules.seeds_to_score, self.rules.seeds_to_score[: self.rules.chaos]
        groups, single, moved = [], [], []
        for cell in self.playing:
            settings, tracks = cell.settings, chosen[cell.entrant, cell.problem]
            columns = {key: np.repeat(values, len(seeds), 0) for key, values in tracks.items()}
            groups.append((settings, {**columns, "seed": np.tile(seeds, len(TRACKS))}))
            columns = {key: np.repeat(values[:1], len(chaos), 0) for key, values in tracks.items()}
            columns["seed"] = chaos
            single.append((settings.unchecked(dtype="float32"), columns))
            moved.append(_with_next_starts(settings, columns))
        return self._plan([*groups, *single, *moved] if len(chaos) else groups)

    def _plan(self, groups: Sequence[tuple[Settings, dict[str, np.ndarray]]]) -> Plan:
        """Return the plan of groups of runs with columns of settings; `seed` is one of them."""
        ends = np.cumsum([len(columns["seed"]) for _, columns in groups])
        numbers = np.split(np.arange(ends[-1]), ends[:-1])
        parts = tuple(Group(s, c, n) for (s, c), n in zip(groups, numbers, strict=True))
        grid = Grid((), np.zeros((ends[-1], 0), dtype=np.int64))
        return with_executor(Plan(grid, parts, (None,) * len(parts)), self.executor, "executor")


def _obstacle(batch: Batch, settings: Settings) -> str:
    """Return why the optimizer of settings cannot minimize the loss of a batch; empty if it can."""
    try:
        check_optimizer(with_optimizer(batch, settings))
    except SettingError as error:
        return str(error)
    return ""


def _with_next_starts(
    settings: Settings, columns: dict[str, np.ndarray]
) -> tuple[Settings, dict[str, np.ndarray]]:
    """Return the same runs from starts one unit in the last place up, as settings and columns."""
    start = batch_of(settings, columns, len(columns["seed"])).start.cpu().numpy()
    moved = settings.unchecked(start_spread=0.0)
    return moved, {**columns, "start": np.nextafter(start, np.inf)}
