"""Findings as tables of pandas, a row for each critical point, each trial or each coordinate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdlab.derivatives.finding import Finding
from gdlab.derivatives.findings.check import Check
from gdlab.derivatives.findings.gradient import FirstOrder
from gdlab.derivatives.findings.search import CriticalPoints
from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value

if TYPE_CHECKING:
    import pandas as pd

_PARTIAL = ("autograd", "differences", "uncertainty", "symbolic", "agrees", "kind")
_TRIAL = ("verdict", "autograd", "differences", "uncertainty")


def to_frame(
    findings: Mapping[str, Finding], names: Sequence[str], finding: str | None = None
) -> pd.DataFrame:
    """Return a finding as a table.

    Args:
        findings: by topic.
        names: of the coordinates.
        finding: the topic; None for the critical points, else the check, else the gradient.

    Raises:
        SettingError: there is no such finding, or it has no rows.
    """
    import pandas as pd

    tables = {name: each for name, each in findings.items() if type(each) in _ROWS}
    chosen = next((name for name in _ORDER if name in tables), None) if finding is None else finding
    if chosen not in tables:
        allowed = f"must be one of {', '.join(tables)}" if tables else "the report has no table"
        raise SettingError(f"finding={format_value(finding)}: {allowed}")
    return pd.DataFrame(_ROWS[type(tables[chosen])](tables[chosen], names))


def _of_points(found: CriticalPoints, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "kind": point.critical.kind,
            "index": point.critical.index,
            **dict(zip(names, point.at.tolist(), strict=True)),
            "loss": point.value,
            "grad_norm": point.critical.grad_norm,
            **{f"λ{i}": x for i, x in enumerate(point.critical.eigenvalues.tolist(), 1)},
        }
        for point in found.points
    ]


def _of_trials(check: Check, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "along": trial.along,
            **dict(zip(names, trial.at.tolist(), strict=True)),
            **{name: getattr(trial, name) for name in _TRIAL},
        }
        for trial in check.trials
    ]


def _of_partials(first: FirstOrder, _: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"coordinate": partial.name, **{name: getattr(partial, name) for name in _PARTIAL}}
        for partial in first.partials
    ]


_ROWS: Mapping[type, Callable[[Any, Sequence[str]], list[dict[str, Any]]]] = {
    CriticalPoints: _of_points,
    Check: _of_trials,
    FirstOrder: _of_partials,
}
_ORDER = ("critical_points", "check", "gradient")
