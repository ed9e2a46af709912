"""The pictures of `gdlab.Run.plot`."""

from typing import TYPE_CHECKING

from gdlab.config.settings import Settings
from gdlab.engine.history import History
from gdlab.recording.figures import Look, choose_kind
from gdlab.recording.run_plots import (
    KINDS,
    Picture,
    RunToDraw,
)
from gdlab.recording.thinned_path import thinned_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_run(settings: Settings, history: History, kind: str | None, look: Look) -> "Figure":
    """Draw a picture of a run.

    Args:
        settings: the settings of the run.
        history: its records.
        kind: a key of `KINDS`; None for the first that can be drawn.
        look: how it is drawn.

    Raises:
        SettingError: there is no such kind, or this run has no such picture.
    """
    path = thinned_path(settings, history)
    pictures: dict[str, Picture | str] = dict.fromkeys(KINDS, "no recorded point is finite")
    if path is not None:
        subject = RunToDraw(settings, path, size=look.size, title=look.title)
        pictures = {name: picture(subject) for name, picture in KINDS.items()}
    reasons = {name: each if isinstance(each, str) else None for name, each in pictures.items()}
    picture = pictures[choose_kind(kind, reasons)]
    assert isinstance(picture, Picture)
    return look.draw(picture.draw)
