"""What a report holds, whatever it is written as."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from gdlab.plots.style import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of short texts."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Command:
    """A command as it is typed."""

    line: str


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its file, without a suffix.
        caption: what it shows.
        columns: their titles.
        rows: the cells as text.
        command: what reproduces it; empty where the report says it once for all.
        folded: whether a page shows it only where asked.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    command: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name: of its files, without a suffix.
        caption: what it shows.
        drawing: the picture.
        command: what reproduces it; empty where the report says it once for all.
    """

    name: str
    caption: str
    drawing: "Drawing"
    command: str = ""

    @cached_property
    def svg(self) -> bytes:
        """The picture as SVG, which a page holds and which lies beside it."""
        return render(self.drawing, "svg")


@dataclass(frozen=True)
class Paths:
    """The paths of runs on their landscape, which a page shows in the viewer.

    Attributes:
        name: an HTML id.
        caption: what it shows.
        messages: what the viewer is fed.
    """

    name: str
    caption: str
    messages: Mapping[str, bytes]


Block: TypeAlias = Text | Items | Command | Table | Figure | Paths


@dataclass(frozen=True)
class Section:
    """A part of a report under a title."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: of the whole.
        summary: what it says, in a sentence or two.
        sections: in order.
    """

    title: str
    summary: str
    sections: Sequence[Section]

    @property
    def tables(self) -> list[Table]:
        """All tables, in order."""
        return [b for section in self.sections for b in section.blocks if isinstance(b, Table)]

    @property
    def has_paths(self) -> bool:
        """Whether a page needs the viewer."""
        return any(isinstance(b, Paths) for section in self.sections for b in section.blocks)

    @property
    def figures(self) -> list[Figure]:
        """All figures, in order."""
        return [b for section in self.sections for b in section.blocks if isinstance(b, Figure)]
