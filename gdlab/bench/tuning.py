"""Choose the settings of each optimizer from the trials: for each problem, and for all at once.

Shapes: T trials, S tuning seeds, J targets.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdlab.bench.contest import TRACKS, Cell, Contest
from gdlab.bench.scores import cost_of, spent_of
from gdlab.fields.formatting import format_value
from gdlab.results.ranking import DataFrame


@dataclass(frozen=True)
class Tuned:
    """What tuning chose.

    Attributes:
        settings: for each entrant and problem that it fits, its settings on each of the tracks, by
            name: (3,), or (3, k) for lists of k numbers.
        trials: for each entrant and problem, the numbers of the trials chosen for the problem and
            for the whole suite.
    """

    settings: Mapping[tuple[int, int], Mapping[str, np.ndarray]]
    trials: Mapping[tuple[int, int], tuple[int, int]]

    def typed(self, cell: Cell, track: str) -> str:
        """Return the settings of a cell on a track as they are typed."""
        at = TRACKS.index(track)
        columns = self.settings[cell.entrant, cell.problem]
        return as_typed({key: column[at].tolist() for key, column in columns.items()})


def as_typed(settings: Mapping[str, Any]) -> str:
    """Return settings as words of a command, each in quotes where the shell needs them."""
    return " ".join(shlex.quote(f"{key}={format_value(v)}") for key, v in settings.items())


def choose(contest: Contest, frame: DataFrame) -> Tuned:
    """Choose from the table of all trials, in the order of the plan.

    The trial with the least mean cost is chosen; of those that cost the same, the one with the
    least median of the smallest loss.
    """
    rules, costs, losses = contest.rules, {}, {}
    shape = (rules.trials, rules.tuning_seeds)
    runs = rules.trials * rules.tuning_seeds
    for number, cell in enumerate(contest.playing):
        rows = frame.iloc[number * runs : (number + 1) * runs]
        problem = contest.suite.problems[cell.problem]
        spent = spent_of(rows, problem.targets)
        budget = rules.budget or problem.budget
        costs[cell.entrant, cell.problem] = cost_of(spent, budget).reshape(shape).mean(1)
        loss = rows["best_loss"].to_numpy().reshape(shape)
        losses[cell.entrant, cell.problem] = np.median(np.nan_to_num(loss, nan=np.inf), 1)
    settings: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    trials = {}
    for e, entrant in enumerate(contest.entrants):
        cells = [key for key in costs if key[0] == e]
        if not cells:
            continue
        ranks = np.mean([_ranks(losses[key]) for key in cells], 0)
        shared = _least(np.mean([costs[key] for key in cells], 0), ranks)
        values, defaults = entrant.space.trials(rules.trials), entrant.defaults()
        for key in cells:
            trials[key] = _least(costs[key], losses[key]), shared
            settings[key] = {
                name: np.stack([*column[list(trials[key])], np.asarray(defaults[name])])
                for name, column in values.items()
            }
    return Tuned(settings, trials)


def _least(cost: np.ndarray, second: np.ndarray) -> int:
    """Return the position of the least cost (T,), with ties decided by second (T,)."""
    return int(np.lexsort((second, cost))[0])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks (T,) of values (T,); equal ones have the same, that of the first."""
    return np.searchsorted(np.sort(values), values)
