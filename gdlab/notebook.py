"""How a run shows itself in a notebook: its summary and its picture."""

import base64
from html import escape

from gdlab.experiment import Run
from gdlab.recording.figures import trajectory_png
from gdlab.recording.recorder import ThinnedPath, landscape
from gdlab.summary import outcome_lines


def html(run: Run) -> str:
    """The summary as a table and the trajectory as a picture."""
    outcome = run.outcome
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in outcome_lines(run.settings, outcome)
    )
    title = f"<b>{escape(str(outcome.status))}</b>: {escape(outcome.reason)}"
    return f"<div>{title}<table>{rows}</table>{_picture(run)}</div>"


def _picture(run: Run) -> str:
    path = ThinnedPath(run.settings.steps)
    path.write(run.history)
    kept = path.joined()
    if kept is None:
        return ""
    png = trajectory_png(landscape(run.settings), kept.step, kept.x)
    data = base64.b64encode(png).decode("ascii")
    return f"<img alt='trajectory' src='data:image/png;base64,{data}'>"
