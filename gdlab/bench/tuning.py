"""Choose the settings of each optimizer from the trials: for each problem, and for all at once.

Shapes: T trials, F finalists, S tuning seeds.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

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

    def rate(self, cell: Cell, track: str, default: float) -> float:
        """Return the learning rate of a cell on a track; the default where it is not tuned."""
        columns = self.settings[cell.entrant, cell.problem]
        return float(columns["lr"][TRACKS.index(track)]) if "lr" in columns else default

    def typed(self, cell: Cell, track: str) -> str:
        """Return the settings of a cell on a track as they are typed."""
        at = TRACKS.index(track)
        columns = self.settings[cell.entrant, cell.problem]
        return as_typed({key: column[at].tolist() for key, column in columns.items()})


def as_typed(settings: Mapping[str, Any]) -> str:
    """Return settings as words of a command, each in quotes where the shell needs them."""
    return " ".join(shlex.quote(f"{key}={format_value(v)}") for key, v in settings.items())


class Tried(NamedTuple):
    """What the runs of trials on a problem came to.

    Attributes:
        cost: the costs of the runs (…, T, S).
        loss: their smallest losses (…, T, S), infinite where there is none.
    """

    cost: np.ndarray
    loss: np.ndarray

    @property
    def mean_cost(self) -> np.ndarray:
        """The mean costs of the trials (…, T)."""
        return self.cost.mean(-1)

    @property
    def typical_loss(self) -> np.ndarray:
        """The medians of their smallest losses (…, T)."""
        return np.median(self.loss, -1)


Results: TypeAlias = Mapping[tuple[int, int], Tried]
"""What the trials came to, by entrant and problem."""

Best: TypeAlias = Mapping[tuple[int, int], np.ndarray]
"""The numbers of the best trials for each cell, and of those for all problems: (2, F)."""


def results_of(contest: Contest, frame: DataFrame, trials: int) -> Results:
    """Return what the runs of a table came to.

    Args:
        contest: the comparison.
        frame: the runs in the order of the plan.
        trials: how many trials the table has for each cell.
    """
    rules, found = contest.rules, {}
    runs = trials * rules.tuning_seeds
    for number, cell in enumerate(contest.playing):
        rows = frame.iloc[number * runs : (number + 1) * runs]
        problem = contest.suite.problems[cell.problem]
        spent = spent_of(rows, problem.targets)
        cost = cost_of(spent, rules.budget or problem.budget)
        loss = np.nan_to_num(rows["best_loss"].to_numpy(), nan=np.inf)
        shape = (trials, rules.tuning_seeds)
        found[cell.entrant, cell.problem] = Tried(cost.reshape(shape), loss.reshape(shape))
    return found


def best_of(results: Results, count: int) -> Best:
    """Return the best trials.

    The trial with the least mean cost is the best; of those that cost the same, the one with the
    least median of the smallest loss.
    """
    best = {}
    for keys in _by_entrant(results).values():
        shared = _shared_order([results[key] for key in keys])
        for key in keys:
            own = _order(results[key].mean_cost, results[key].typical_loss)
            best[key] = np.stack([own[:count], shared[:count]])
    return best


def decide(results: Results, finals: Results, finalists: Best) -> Best:
    """Return the best of the finalists by all their runs, one each.

    Args:
        results: of all trials.
        finals: of the finalists, those for a cell before those for all problems: 2 F trials.
        finalists: their numbers (2, F).
    """
    joined = {}
    for key, numbers in finalists.items():
        parts = zip(results[key], finals[key], strict=True)
        joined[key] = Tried(
            *(
                np.concatenate([old[numbers], new.reshape(*numbers.shape, -1)], -1)
                for old, new in parts
            )
        )
    best = {}
    for keys in _by_entrant(results).values():
        at = _shared_order([Tried(*(part[1] for part in joined[key])) for key in keys])[:1]
        for key in keys:
            own = _order(joined[key].mean_cost[0], joined[key].typical_loss[0])[:1]
            best[key] = np.stack([finalists[key][0, own], finalists[key][1, at]])
    return best


def tuned_of(contest: Contest, best: Best) -> Tuned:
    """Return the settings of the first of the best trials (2, F) of each cell."""
    settings: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    trials = {}
    for (e, p), numbers in best.items():
        entrant = contest.entrants[e]
        values, defaults = entrant.space.trials(contest.rules.trials), entrant.defaults()
        own, shared = numbers[:, 0].tolist()
        trials[e, p] = own, shared
        settings[e, p] = {
            name: np.stack([*column[[own, shared]], np.asarray(defaults[name])])
            for name, column in values.items()
        }
    return Tuned(settings, trials)


def _by_entrant(results: Results) -> dict[int, list[tuple[int, int]]]:
    """Return the cells of each entrant, in order."""
    found: dict[int, list[tuple[int, int]]] = {}
    for key in sorted(results):
        found.setdefault(key[0], []).append(key)
    return found


def _shared_order(tried: Sequence[Tried]) -> np.ndarray:
    """Return the positions of trials (T,) from the best for all problems on, ranking losses."""
    ranks = np.mean([_ranks(each.typical_loss) for each in tried], 0)
    return _order(np.mean([each.mean_cost for each in tried], 0), ranks)


def _order(cost: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the positions of costs (T,) from the least on, with ties decided by second (T,)."""
    return np.lexsort((second, cost))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks (T,) of values (T,); equal ones have the same, that of the first."""
    return np.searchsorted(np.sort(values), values)
