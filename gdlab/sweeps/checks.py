"""The checks of a sweep before anything runs."""

from collections.abc import Sequence

from gdlab.engine.outcome import Outcomes
from gdlab.results.best_settings import best
from gdlab.runs.checks import check_run
from gdlab.sweeps.plan import Plan
from gdlab.sweeps.shard import FinishedRuns
from gdlab.sweeps.table import join_tables, table_of


def check_plan(plan: Plan, check_gradient: Sequence[bool] = ()) -> None:
    """Check the first run of each group, and that the sweep can be summarized at its end.

    Args:
        plan: of the sweep.
        check_gradient: for each group whether to test the gradient of its loss; empty for none.

    Raises:
        SettingError: names a setting that cannot be used.
    """
    tables = []
    for number, group in enumerate(plan.groups):
        wants_gradient = bool(check_gradient) and check_gradient[number]
        batch = check_run(group.settings, check_gradient=wants_gradient)
        first = group.runs[:1]
        unfinished = FinishedRuns(first, Outcomes(batch), 0.0)
        tables.append(table_of(group, unfinished, plan.varied(first)))
    best(join_tables(tables).to_pandas(), plan.by(), plan.keys(), plan.metric, plan.problems())
