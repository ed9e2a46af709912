"""Pictures from Python: which kind is drawn, and the file that it is written to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gdlab.errors import SettingError
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import did_you_mean
from gdlab.paths import user_path
from gdlab.plots.style import FORMATS, Size, render
from gdlab.recording.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Look:
    """How a picture is drawn, and where it is written.

    Attributes:
        title: the first line; None for what is seen.
        size: width and height in inches; None for what the picture needs.
        path: a file that ends in .png, .svg or .pdf; None to write nothing.

    Raises:
        SettingError: the title, the size or the end of the path is none that is allowed.
    """

    title: str | None = None
    size: Size | None = None
    path: str | Path | None = None

    def __post_init__(self) -> None:
        if self.title is not None and not isinstance(self.title, str):
            raise SettingError(f"title={format_value(self.title)}: must be a text")
        if self.path is not None and user_path(self.path).suffix[1:].lower() not in FORMATS:
            ends = ", ".join(f".{suffix}" for suffix in FORMATS)
            raise SettingError(f"path={self.path}: must end in one of {ends}")
        if self.size is None:
            return
        try:
            width, height = map(float, self.size)
        except (TypeError, ValueError):
            width = height = np.nan
        if not (3 <= width <= 40 and 3 <= height <= 40):
            raise SettingError(f"size={self.size}: must be width and height in inches, 3 to 40")

    def draw(self, figure: Callable[[], "Figure"]) -> "Figure":
        """Draw a figure, and write it to the path if there is one."""
        with np.errstate(all="ignore"):  # numbers near the ends of the range
            drawn = figure()
        if self.path is not None:
            path = user_path(self.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, render(drawn, path.suffix[1:].lower()))
        return drawn


def choose_kind(kind: str | None, reasons: Mapping[str, str | None]) -> str:
    """Return a kind of picture that can be drawn.

    Args:
        kind: what is asked for; None for the first that can be drawn.
        reasons: why each kind cannot be drawn, None if it can, by its name.

    Raises:
        SettingError: there is no such kind, or it cannot be drawn; the message names those that
            can.
    """
    can = [name for name, reason in reasons.items() if reason is None]
    if kind is None:
        kind = [*can, *reasons][0]
    check_kind(kind, reasons)
    if kind not in can:
        instead = f"; can be drawn: {', '.join(can)}" if can else ""
        raise SettingError(f"kind={kind}: cannot be drawn, {reasons[kind]}{instead}")
    return kind


def check_kind(kind: str, kinds: Iterable[str]) -> None:
    """Raise `SettingError` unless a kind of picture is one of some."""
    known = list(kinds)
    if kind not in known:
        hint = did_you_mean(str(kind), known)
        raise SettingError(f"kind={kind}: must be one of {', '.join(known)}{hint}")
