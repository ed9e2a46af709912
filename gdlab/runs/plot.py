"""The pictures of `gdlab.Run.plot`."""

from dataclasses import replace
from typing import TYPE_CHECKING

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.engine.outcome import Outcome
from gdlab.engine.status import Status
from gdlab.errors import CUSTOM_ERRORS, SettingError
from gdlab.recording.figures import Look, choose_kind
from gdlab.recording.run_plots import (
    KINDS,
    Picture,
    RunToDraw,
    title_of,
)
from gdlab.recording.thinned_path import thinned_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_run(
    settings: Settings, outcome: Outcome, history: History, kind: str | None, look: Look
) -> "Figure":
    """Draw a picture of a run.

    Args:
        settings: the settings of the run.
        outcome: how it ended.
        history: its records.
        kind: a key of `KINDS`; None for the first that can be drawn.
        look: how it is drawn.

    Raises:
        SettingError: there is no such kind, or this run has no such picture.
    """
    if outcome.status == Status.FAILED and look.title is None:
        look = replace(look, title=f"{title_of(settings)}: failed after step {outcome.steps}")
    path = thinned_path(settings, history)
    pictures: dict[str, Picture | str] = dict.fromkeys(KINDS, _why_no_path(outcome))
    if path is not None:
        subject = RunToDraw(settings, path, size=look.size, title=look.title)
        pictures = {name: picture(subject) for name, picture in KINDS.items()}
    reasons = {name: each if isinstance(each, str) else None for name, each in pictures.items()}
    kind = choose_kind(kind, reasons)
    picture = pictures[kind]
    assert isinstance(picture, Picture)
    try:
        return look.draw(picture.draw)
    except CUSTOM_ERRORS as error:
        if outcome.status != Status.FAILED:
            raise
        raise SettingError(f"kind={kind}: cannot be drawn, {_why_no_path(outcome)}") from error


def _why_no_path(outcome: Outcome) -> str:
    """Say why a run has no path to draw."""
    failed = outcome.status == Status.FAILED
    return f"the run failed: {outcome.reason}" if failed else "no recorded point is finite"
