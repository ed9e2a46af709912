"""How the optimizers stand on each track, computed from the table of scores alone.

Shapes: O optimizers, P problems, S seeds, J targets, N = P S pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from gdlab.bench.contest import FLOAT32, SCORE, TRACKS, ULP
from gdlab.bench.profiles import area, expected_evaluations
from gdlab.bench.scores import cost_of, spent_of
from gdlab.bench.statistics import interval, pairwise, rank_groups
from gdlab.engine.status import Status
from gdlab.results.ranking import DataFrame

LEAST = 1e-3
"""The part of the budget from which on the area under the profile counts."""

LEVEL = 0.05
"""The level of significance."""

LOST = tuple(map(str, (Status.DIVERGED, Status.FAILED, Status.STALLED)))
"""How runs end that are lost."""


@dataclass(frozen=True)
class Track:
    """The scores of all optimizers on one track, in one variant.

    Attributes:
        optimizers: their names, in the order of the comparison.
        problems: likewise.
        targets: the relative accuracies of each problem's targets (P, J), decreasing.
        spent: the evaluations to each target (O, P, S, J), infinite where not reached.
        used: the evaluations of each run as a whole (O, P, S).
        status: how it ended (O, P, S); empty where the optimizer does not fit the problem.
        diagnosis: what happened (O, P, S), likewise.
        budget: the evaluations of a run (P,).
        dim: the dimensions (P,).
    """

    optimizers: Sequence[str]
    problems: Sequence[str]
    targets: np.ndarray
    spent: np.ndarray
    used: np.ndarray
    status: np.ndarray
    diagnosis: np.ndarray
    budget: np.ndarray
    dim: np.ndarray

    @property
    def plays(self) -> np.ndarray:
        """Whether an optimizer fits a problem: (O, P)."""
        return self.status[:, :, 0] != ""

    @cached_property
    def relative(self) -> np.ndarray:
        """The evaluations over the budget (O, P, S, J), infinite where not reached."""
        return self.spent / self.budget[:, None, None]

    @cached_property
    def cost(self) -> np.ndarray:
        """The costs of the runs (O, P, S); NaN where an optimizer does not fit a problem."""
        return np.where(self.plays[:, :, None], cost_of(self.relative, 1.0), np.nan)

    @property
    def by_pair(self) -> np.ndarray:
        """The costs by pair of a problem and a seed (O, N)."""
        return self.cost.reshape(len(self.optimizers), -1)

    @cached_property
    def mean_cost(self) -> np.ndarray:
        """The mean costs (O,); a problem that an optimizer does not fit counts as not solved."""
        return np.nan_to_num(self.by_pair, nan=1.0).mean(1)

    @cached_property
    def p_values(self) -> np.ndarray:
        """The adjusted p-values of all pairs of optimizers (O, O)."""
        return pairwise(self.by_pair, self.mean_cost)

    @cached_property
    def ranks(self) -> np.ndarray:
        """The ranks (O,); ties share one."""
        return rank_groups(self.mean_cost, self.p_values, LEVEL)

    @property
    def order(self) -> list[int]:
        """The positions of the optimizers from best to worst."""
        return np.lexsort((self.mean_cost, self.ranks)).tolist()

    @property
    def solved(self) -> np.ndarray:
        """The shares of runs that reach each target (O, J)."""
        return np.isfinite(self.spent).mean((1, 2))

    @property
    def area(self) -> np.ndarray:
        """The areas under the profiles over all targets (O,)."""
        return area(self.relative.reshape(len(self.optimizers), -1), LEAST)

    @cached_property
    def typical(self) -> np.ndarray:
        """The median over all pairs of the part of the budget spent, with its interval: (O, 3).

        The part of a run is the geometric mean over its targets, each at most ten budgets.
        """
        costs = np.nan_to_num(self.by_pair, nan=1.0)
        bounds = interval(costs, np.random.default_rng(0))
        middle = np.median(costs, 1, keepdims=True)
        return 10.0 ** np.concatenate([bounds[:, :1], middle, bounds[:, 1:]], 1)

    @property
    def expected(self) -> np.ndarray:
        """The expected evaluations to each target on each problem (O, P, J)."""
        used = np.broadcast_to(self.used[..., None], self.spent.shape)
        return expected_evaluations(np.moveaxis(self.spent, 2, 3), np.moveaxis(used, 2, 3))

    @property
    def lost(self) -> np.ndarray:
        """The shares of runs that diverged, failed or stalled (O,), of the problems that fit."""
        return self._share(np.isin(self.status, LOST))

    @property
    def unsettled(self) -> np.ndarray:
        """The shares of runs whose loss was still falling when the budget was spent (O,)."""
        is_open = (self.status == "max_steps") & (self.diagnosis == "descending")
        return self._share(is_open)

    def _share(self, chosen: np.ndarray) -> np.ndarray:
        """Return the shares (O,) of runs that are chosen (O, P, S), of the problems that fit."""
        counted = self.plays.sum(1) * self.status.shape[2]
        return chosen.sum((1, 2)) / np.maximum(counted, 1)

    def beats(self) -> np.ndarray:
        """Return 1 where one optimizer is significantly better, −1 where worse, else 0: (O, O)."""
        sign = np.sign(self.mean_cost[None] - self.mean_cost[:, None])
        return np.where(self.p_values < LEVEL, sign, 0.0)

    def verdicts(self) -> np.ndarray:
        """Return for each pair and problem 1 if the first is better, −1 if worse, 0 if even.

        Shape (O, O, P): by the sign of the difference of the mean costs, where it is not within
        rounding of an evaluation in a thousand.
        """
        means = self.cost.mean(2)
        difference = means[None] - means[:, None]
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(difference) > 1e-3, np.sign(difference), 0.0)


def track_of(scores: DataFrame, track: str, variant: str = SCORE) -> Track:
    """Return the scores of a track.

    Args:
        scores: the table of all scored runs.
        track: one of `TRACKS`.
        variant: the runs as they are, or one of their variants.
    """
    optimizers, problems = (scores[name].unique().tolist() for name in ("optimizer", "problem"))
    rows = scores[(scores["track"] == track) & (scores["variant"] == variant)]
    seeds = np.unique(rows["seed"])
    shape = len(optimizers), len(problems), len(seeds)
    at = (
        pd.Index(optimizers).get_indexer(rows["optimizer"]),
        pd.Index(problems).get_indexer(rows["problem"]),
        np.searchsorted(seeds, rows["seed"]),
    )

    def filled(values: np.ndarray, missing: object) -> np.ndarray:
        array = np.full((*shape, *values.shape[1:]), missing, dtype=values.dtype)
        array[at] = values
        return array

    first = scores.drop_duplicates("problem").set_index("problem").loc[problems]
    targets = np.array([text.split() for text in first["targets"]], dtype=np.float64)
    spent = np.stack([spent_of(rows, accuracy) for accuracy in targets])
    return Track(
        optimizers,
        problems,
        targets,
        filled(spent[at[1], np.arange(len(rows))], np.inf),
        filled(rows["evaluations"].to_numpy(dtype=np.float64), 0.0),
        filled(rows["status"].to_numpy(dtype=object), ""),
        filled(rows["diagnosis"].fillna("").to_numpy(dtype=object), ""),
        first["budget"].to_numpy(dtype=np.float64),
        first["dim"].to_numpy(dtype=np.float64),
    )


def tracks_of(scores: DataFrame) -> dict[str, Track]:
    """Return the scores on each track, by its name."""
    return {name: track_of(scores, name) for name in TRACKS}


def chaotic(scores: DataFrame) -> list[str]:
    """Return the problems on which float32, or a start one unit off, changes who is better.

    For some pair of optimizers, the one that is better with the same seeds is worse in a variant.
    """
    if not (scores["variant"] != SCORE).any():
        return []
    moved = [track_of(scores, TRACKS[0], variant) for variant in (FLOAT32, ULP)]
    seeds = np.unique(scores.loc[scores["variant"] == ULP, "seed"])
    same = track_of(scores[scores["seed"].isin(seeds)], TRACKS[0])
    verdicts = same.verdicts()
    changed = np.zeros(len(same.problems), dtype=bool)
    for other in moved:
        with np.errstate(invalid="ignore"):
            changed |= (verdicts * other.verdicts() < 0).any((0, 1))
    return [problem for problem, is_one in zip(same.problems, changed, strict=True) if is_one]
