"""A run in a notebook: its summary and its picture."""

import base64

from gdlab.config.settings import Settings
from gdlab.console import formula_html, plain_html
from gdlab.display.summary import outcome_lines
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.plots.trajectory import trajectory_png
from gdlab.recording.run_plots import landscape
from gdlab.recording.thinned_path import thinned_path

_MAX_SYMBOLS = 4


def html(settings: Settings, outcome: Outcome, history: History) -> str:
    """Return the summary of a run as a table and its trajectory as a picture."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{plain_html(name)}</th>"
        f"<td style='text-align:left'>{plain_html(value)}</td></tr>"
        for name, value in outcome_lines(settings, outcome)
    )
    title = f"<b>{plain_html(str(outcome.status))}</b>: {plain_html(outcome.reason)}"
    title += "" if outcome.explanation is None else f"<br>{plain_html(outcome.explanation)}"
    # The loss of a run that failed may fail again where the picture would evaluate it.
    picture = "" if outcome.status == Status.FAILED else _picture(settings, history)
    return f"<div>{title}<table>{rows}</table>{_formula(settings)}{picture}</div>"


def _formula(settings: Settings) -> str:
    """Return the loss and its symbolic gradient, if there is a formula of at most 4 variables."""
    loss = settings.objective
    if loss.dim > _MAX_SYMBOLS:
        return ""
    import sympy

    symbols = sympy.symbols([f"x_{i}" for i in range(loss.dim)], real=True)
    formula = loss.symbolic(tuple(symbols))
    if formula is None:
        return ""
    gradient = sympy.Matrix([sympy.diff(formula, symbol) for symbol in symbols])
    lines = (("f", formula), (r"\nabla f", gradient))
    return "".join(formula_html(name, sympy.latex(sympy.nsimplify(x))) for name, x in lines)


def _picture(settings: Settings, history: History) -> str:
    path = thinned_path(settings, history)
    if path is None:
        return ""
    png = trajectory_png(landscape(settings), path.step, path.x)
    data = base64.b64encode(png).decode("ascii")
    return f"<img alt='trajectory' src='data:image/png;base64,{data}'>"
