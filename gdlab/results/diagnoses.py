"""What happened in the runs of a sweep: how many went how, and which lr are too large."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gdlab.results.quantiles import quantile_by
from gdlab.results.ranking import LOST, DataFrame, setting_label
from gdlab.theory import Diagnosis, round_down

_TOO_LARGE = (Diagnosis.UNSTABLE, Diagnosis.GROWING, Diagnosis.RAW)
_MOST_GROUPS = 8


def count_diagnoses(results: DataFrame) -> dict[str, int]:
    """Return how many runs have each diagnosis, the most frequent first."""
    return results["diagnosis"].value_counts().to_dict() if "diagnosis" in results else {}


def unnamed_limit(_: DataFrame) -> str:
    """Return what a stability limit is called where its formula is not known."""
    return "the stability limit"


def describe_rates(
    results: DataFrame,
    by: Sequence[str],
    varied: Sequence[str],
    limit_of: Callable[[DataFrame], str] = unnamed_limit,
) -> Iterator[str]:
    """Yield for combinations of settings up to which learning rate runs are stable.

    Args:
        results: the table of a sweep.
        by: the settings that make a combination.
        varied: all settings that the sweep varied.
        limit_of: names the stability limit of some runs, such as 2/λ_max.

    Yields:
        A sentence; nothing where no run is lost.
    """
    if "lr" not in varied or "diagnosis" not in results:
        return
    groups = results.groupby(list(by), dropna=False, sort=False) if by else [((), results)]
    for combination, group in list(groups)[:_MOST_GROUPS]:
        pairs = zip(by, combination, strict=True)
        name = ", ".join(v if isinstance(v, str) else f"{setting_label(k)}={v}" for k, v in pairs)
        if parts := _lost_rates(group):
            text = "; ".join([*parts, *_limits(group, limit_of)])
            yield f"{name}: {text}" if name else text


def _lost_rates(group: DataFrame) -> list[str]:
    """Say which learning rates lose runs; nothing if none does."""
    is_lost = np.isin(group["status"].to_numpy(), LOST)
    is_bad = is_lost | np.isin(group["diagnosis"].to_numpy().astype(str), _TOO_LARGE)
    if not is_bad.any():
        return []
    rates, of_run = np.unique(group["lr"].to_numpy(), return_inverse=True)
    at_edge = _unstable_yet_low(group["final_loss"].to_numpy(), of_run, is_lost, is_bad)
    is_bad &= ~at_edge[of_run]
    lost = "lost" if is_lost[is_bad].all() else "lost or unstable"
    if not is_bad.any():
        parts = ["no run is lost"]
    elif is_bad.all():
        parts = [f"every run is {lost}, even at the smallest lr={rates[0]:.4g}"]
        limits = _known_limits(group)
        parts += [f"try lr ≤ {round_down(limits.min()):g}"] if len(limits) else []
    else:
        share = np.bincount(of_run, weights=is_bad) / np.bincount(of_run)
        parts = _where_lost(rates, share, lost)
    if at_edge.any():
        low, high = (f"{rate:.4g}" for rate in rates[at_edge][[0, -1]])
        where = low if low == high else f"{low} to {high}"
        parts.append(f"runs at lr={where} end unstable, yet lower than at every stable lr")
    return parts


def _unstable_yet_low(
    loss: np.ndarray, of_run: np.ndarray, is_lost: np.ndarray, is_bad: np.ndarray
) -> np.ndarray:
    """Return at which learning rates (L,) runs are unstable but lower than at all stable ones.

    Args:
        loss: (R,) the final losses.
        of_run: (R,) the number of each run's learning rate.
        is_lost: (R,) whether it diverged or failed.
        is_bad: (R,) whether it is lost or unstable.
    """
    lost, bad = np.bincount(of_run, weights=is_lost), np.bincount(of_run, weights=is_bad)
    if bad.all():
        return np.zeros(len(bad), dtype=bool)
    median = quantile_by(np.where(is_lost | np.isnan(loss), np.inf, loss), of_run, 0.5)
    return (bad > 0) & (lost == 0) & (median < median[bad == 0].min())


def _where_lost(rates: np.ndarray, share: np.ndarray, lost: str) -> list[str]:
    """Say up to which of the rates (L,) no run is lost, and from which on all are.

    Args:
        rates: the learning rates, increasing.
        share: (L,) of the runs that are lost; some are, and not all.
        lost: the word for it.
    """
    first_bad = int(np.argmax(share > 0))
    first_of_all_bad = len(rates) - int(np.argmin((share == 1)[::-1]))
    if first_bad:
        parts = [f"no run is {lost} up to lr={rates[first_bad - 1]:.4g}"]
    else:
        parts = [f"some runs are {lost} even at the smallest lr={rates[0]:.4g}"]
    if first_of_all_bad < len(rates):
        parts.append(f"every run is {lost} from lr={rates[first_of_all_bad]:.4g} on")
    elif first_bad:
        parts.append(f"some are {lost} above")
    return parts


def _limits(group: DataFrame, limit_of: Callable[[DataFrame], str]) -> Iterator[str]:
    """Yield how large the stability limits were; nothing where none is known."""
    ended = group.loc[~np.isin(group["status"].to_numpy(), LOST)]
    limits, where = _known_limits(ended), "where runs ended"
    if not len(limits):
        ended, where = group, "at the best points of lost runs"
        limits = _known_limits(group)
    if not len(limits):
        return
    low, high = f"{limits.min():.2g}", f"{limits.max():.2g}"
    spread = low if low == high else f"between {low} and {high}"
    yield f"{limit_of(ended.loc[ended['lr_limit'].notna()])} was {spread} {where}"


def _known_limits(group: DataFrame) -> np.ndarray:
    """Return the stability limits of the runs for which they are known."""
    limits = group["lr_limit"].to_numpy(dtype=np.float64)
    return limits[np.isfinite(limits) & (limits > 0)]
