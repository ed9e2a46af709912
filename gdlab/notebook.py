"""How a run shows itself in a notebook: its summary and its picture."""

import base64
from html import escape

from gdlab.config.settings import Settings
from gdlab.experiment import Run
from gdlab.plots.trajectory import trajectory_png
from gdlab.recording.run_plots import ThinnedPath, landscape
from gdlab.summary import outcome_lines

_SYMBOLS_SHOWN = 4


def html(run: Run) -> str:
    """The summary as a table and the trajectory as a picture."""
    outcome = run.outcome
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in outcome_lines(run.settings, outcome)
    )
    title = f"<b>{escape(str(outcome.status))}</b>: {escape(outcome.reason)}"
    return f"<div>{title}<table>{rows}</table>{_formula(run.settings)}{_picture(run)}</div>"


def _formula(settings: Settings) -> str:
    """The loss and its gradient, derived symbolically, where there is a formula worth showing."""
    loss = settings.objective
    if loss.dim > _SYMBOLS_SHOWN:
        return ""
    import sympy

    symbols = sympy.symbols([f"x_{i}" for i in range(loss.dim)], real=True)
    formula = loss.symbolic(tuple(symbols))
    if formula is None:
        return ""
    gradient = sympy.Matrix([sympy.diff(formula, symbol) for symbol in symbols])
    lines = (("f", formula), (r"\nabla f", gradient))
    return "".join(
        f"<p>$\\displaystyle {name} = {escape(sympy.latex(sympy.nsimplify(expression)))}$</p>"
        for name, expression in lines
    )


def _picture(run: Run) -> str:
    path = ThinnedPath(run.settings.steps)
    path.write(run.history)
    kept = path.joined()
    if kept is None:
        return ""
    png = trajectory_png(landscape(run.settings), kept.step, kept.x)
    data = base64.b64encode(png).decode("ascii")
    return f"<img alt='trajectory' src='data:image/png;base64,{data}'>"
