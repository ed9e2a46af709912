"""The best of twelve defaults against tuning one optimizer, on all suites: a table in Markdown.

python experiments/defaults_against_tuning/all_suites.py

It reads the scores of the leaderboard, in docs/leaderboard.

Shapes: O optimizers, P problems, S seeds.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from gdlab.bench.standings import track_of
from gdlab.bench.suites import load_suite
from gdlab.results.ranking import DataFrame

SCORES = Path(__file__).parents[2] / "docs" / "leaderboard" / "scores.parquet"
SUITES = ("classic", "mgh", "convex_data", "networks", "noisy", "all")
TWELVE = (
    *("sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop"),
    *("adam", "nadam", "radam", "adabelief", "adamax", "lion"),
)
COLUMNS = (
    *("suite", "problems", "best of the twelve defaults", "best single default"),
    *("best tuned", "median tuned", "adam, tuned", "tuned ones that cost less"),
)


class Answer(NamedTuple):
    """Mean costs on the seeds that choose no default.

    Attributes:
        best_default: of the default that costs least on the first seeds of each problem.
        defaults: of each optimizer with its defaults (O,).
        tuned: of each optimizer, tuned for each problem (O,).
    """

    best_default: float
    defaults: np.ndarray
    tuned: np.ndarray


def answer(scores: DataFrame, choosing: int) -> Answer:
    """Compare the best default of each problem with tuning.

    Args:
        scores: of a comparison, in which every optimizer fits some problem.
        choosing: the seeds that choose the default.
    """
    costs = {name: track_of(scores, name).cost for name in ("default", "tuned")}
    default, tuned = (np.nan_to_num(cost, nan=1.0) for cost in costs.values())
    best = default[:, :, :choosing].mean(2).argmin(0)
    chosen = default[best, np.arange(len(best)), choosing:].mean()
    means = (cost[:, :, choosing:].mean((1, 2)) for cost in (default, tuned))
    return Answer(float(chosen), *means)


def rows(scores: DataFrame, suites: Sequence[str] = SUITES) -> Iterator[tuple[str, ...]]:
    """Yield a row of `COLUMNS` for each suite, of the twelve optimizers of scores."""
    scores = scores[scores["optimizer"].isin(TWELVE)]
    for suite in suites:
        names = [problem.name for problem in load_suite(suite).problems]
        part = scores[scores["problem"].isin(names)]
        found, entered = answer(part, choosing=3), part["optimizer"].unique().tolist()

        def named(costs: np.ndarray, at: int, entered: list[str] = entered) -> str:
            return f"{entered[at]} {costs[at]:.3f}"

        yield (
            suite,
            str(part["problem"].nunique()),
            f"{found.best_default:.3f}",
            named(found.defaults, int(found.defaults.argmin())),
            named(found.tuned, int(found.tuned.argmin())),
            f"{np.median(found.tuned):.3f}",
            f"{found.tuned[entered.index('adam')]:.3f}",
            f"{(found.tuned < found.best_default).sum()} of {len(entered)}",
        )


def table(scores: DataFrame) -> list[str]:
    """Return the lines of the table."""
    return [
        f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows(scores))
    ]


if __name__ == "__main__":
    if not SCORES.is_file():
        sys.exit(f"{SCORES}: missing; make leaderboard makes it")
    print("\n".join(table(pd.read_parquet(SCORES))))
