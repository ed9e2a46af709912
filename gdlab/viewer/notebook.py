"""The viewer in a notebook: a frame that holds its page, and may neither leave it nor be left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from gdlab.console import visible
from gdlab.errors import SettingError
from gdlab.paths import user_path
from gdlab.recording.files import write_atomically
from gdlab.viewer.embedding import html_page
from gdlab.viewer.messages import messages_of

_HEIGHT = 960  # pixels: the landscape, the scrubber and the chart below them


@dataclass(frozen=True)
class View:
    """Runs in the viewer, which a notebook shows.

    Attributes:
        title: what is shown.
        messages: what the viewer is fed.
    """

    title: str
    messages: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, directory: Path, title: str) -> "View":
        """Return the view of the runs in and below a directory.

        Raises:
            SettingError: none of them has a path.
        """
        messages = messages_of([directory])
        if not messages:
            raise SettingError(f"{directory}: holds no run with a path that could be shown")
        return cls(title, messages)

    @property
    def html(self) -> str:
        """The text of an HTML file that holds all and asks the network for nothing."""
        return html_page(self.messages, title=self.title)

    def save(self, path: str | Path) -> Path:
        """Write the HTML file and return its path.

        Raises:
            OSError: it cannot be written.
        """
        path = user_path(path)
        write_atomically(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" '
            f'title="{escape(visible(self.title))}" width="100%" height="{_HEIGHT}" '
            'style="border: 0"></iframe>'
        )
