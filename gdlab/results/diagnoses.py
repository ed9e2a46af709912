"""What happened in the runs of a sweep: how many went how, and which lr are too large."""

from collections.abc import Iterator, Sequence

import numpy as np

from gdlab.results.ranking import DataFrame, setting_label

_LOST = ("diverged", "failed")
_TOO_LARGE = ("unstable", "growing", "raw columns")
_MOST_GROUPS = 8


def count_diagnoses(results: DataFrame) -> dict[str, int]:
    """Return how many runs have each diagnosis, the most frequent first."""
    return results["diagnosis"].value_counts().to_dict() if "diagnosis" in results else {}


def describe_rates(results: DataFrame, by: Sequence[str], varied: Sequence[str]) -> Iterator[str]:
    """Yield for combinations of settings up to which learning rate runs are stable.

    Args:
        results: the table of a sweep.
        by: the settings that make a combination.
        varied: all settings that the sweep varied.

    Yields:
        A sentence; nothing where no run is lost.
    """
    if "lr" not in varied or "diagnosis" not in results:
        return
    groups = results.groupby(list(by), dropna=False, sort=False) if by else [((), results)]
    for combination, group in list(groups)[:_MOST_GROUPS]:
        pairs = zip(by, combination, strict=True)
        name = ", ".join(f"{setting_label(key)}={value}" for key, value in pairs)
        text = _describe(group)
        if text:
            yield f"lr of {name}: {text}" if name else f"lr: {text}"


def _describe(group: DataFrame) -> str:
    """Say from which learning rate on runs of a combination are lost; empty if none is."""
    has_ended_badly = np.isin(group["status"].to_numpy(), _LOST)
    is_lost = has_ended_badly | np.isin(group["diagnosis"].to_numpy().astype(str), _TOO_LARGE)
    if not is_lost.any():
        return ""
    rates, of_run = np.unique(group["lr"].to_numpy(), return_inverse=True)
    runs, lost = np.bincount(of_run), np.bincount(of_run, weights=is_lost)
    some, every = lost > 0, lost == runs
    if every.all():
        parts = [f"every run is lost, down to lr={rates.min():.4g}"]
    else:
        below = rates[: int(np.argmax(some))]
        above = rates[len(rates) - int(np.argmin(every[::-1])) :]
        parts = [f"no run is lost up to lr={below.max():.4g}"] if len(below) else []
        parts += [f"all are from lr={above.min():.4g} on"] if len(above) else []
    limits = group["lr_limit"].dropna()
    if len(limits):
        low, high = f"{limits.min():.3g}", f"{limits.max():.3g}"
        spread = low if low == high else f"from {low} to {high}"
        parts.append(f"the stability limit where runs ended is {spread}")
    return ", ".join(parts)
