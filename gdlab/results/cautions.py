"""What to know before one believes a sweep's best: an edge of an axis, a seed without effect."""

from collections.abc import Iterator, Sequence

from gdlab.results.best_settings import Best
from gdlab.results.ranking import TOLERANCE, DataFrame, setting_label

_FEWEST = 3
"""Values of an axis below which it has no inside."""


def ranking_rule(metric: str, problems: Sequence[str]) -> str:
    """Say how the best settings are chosen.

    Args:
        metric: the column that ranks runs that reached nothing.
        problems: the settings that vary and change the problem.
    """
    across = f"; nothing across problems ({', '.join(problems)})" if problems else ""
    lowest = f"converged to the lowest loss, within {TOLERANCE:g} (1 + |loss|)"
    return (
        "the fewest lost runs, then the median: of the evaluations if more than half of the runs "
        f"met their target or {lowest}, else of {setting_label(metric)}{across}"
    )


def cautions(results: DataFrame, winners: Sequence[Best], varied: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each thing that makes a best doubtful.

    Args:
        results: the table of a sweep.
        winners: its best settings.
        varied: all settings that the sweep varied.
    """
    for winner in winners:
        yield from _edges(results, winner)
    if _seed_changes_nothing(results, varied):
        count = results["seed"].nunique()
        yield (
            f"seed: changes nothing, each of its {count} values gave the same runs; "
            "start=random, noise or minibatches make it matter"
        )


def _edges(results: DataFrame, winner: Best) -> Iterator[str]:
    """Yield a sentence for each number of the best choice that is the last of its axis."""
    for key, value in winner.choice.items():
        column = results[key]
        if column.dtype.kind not in "fi" or column.nunique() < _FEWEST:
            continue
        for bound, which in ((column.min(), "smallest"), (column.max(), "largest")):
            if value == bound:
                of = ", ".join(f"{setting_label(k)}={v}" for k, v in winner.combination.items())
                where = f"{setting_label(key)}={value:g}{f' of {of}' if of else ''}"
                yield f"{where} is the {which} that was tried, a better one may lie beyond"


def _seed_changes_nothing(results: DataFrame, varied: Sequence[str]) -> bool:
    """Whether runs that differ only in their seed are all alike."""
    if "seed" not in varied or results["seed"].nunique() < 2:
        return False
    others = [key for key in varied if key != "seed"]
    ends = ["status", "steps", "final_loss"]
    alike = results.groupby(others, dropna=False)[ends] if others else results[ends]
    return bool((alike.nunique(dropna=False).to_numpy() == 1).all())
