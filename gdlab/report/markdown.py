"""A report as Markdown, with its pictures beside it."""

import re
from functools import singledispatch

from gdlab.console import visible
from gdlab.report.content import Block, Command, Document, Figure, Items, Paths, Table, Text

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!])")


def markdown_of(document: Document) -> str:
    """Return a report as the text of a Markdown file beside the folder `figures`."""
    parts = [f"# {plain(document.title)}", plain(document.summary)]
    for section in document.sections:
        parts.append(f"## {plain(section.title)}")
        parts += [_markdown(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Return a text in one line in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def _code(line: str) -> str:
    return f"```\n{visible(line).replace('```', '` ` `')}\n```"


@singledispatch
def _markdown(block: Block) -> str:
    raise TypeError(f"no Markdown for {type(block).__name__}")


@_markdown.register
def _(block: Text) -> str:
    return plain(block.text)


@_markdown.register
def _(block: Items) -> str:
    return "\n".join(f"- {plain(text)}" for text in block.texts)


@_markdown.register
def _(block: Command) -> str:
    return _code(block.line)


@_markdown.register
def _(block: Table) -> str:
    rows = [list(block.columns), ["---"] * len(block.columns), *block.rows]
    cells = [rows[0], rows[1], *rows[2:]]
    lines = [
        "| " + " | ".join(cell if at == 1 else plain(cell) for cell in row) + " |"
        for at, row in enumerate(cells)
    ]
    parts = [plain(block.caption), "\n".join(lines)]
    return "\n\n".join(parts + ([_code(block.command)] if block.command else []))


@_markdown.register
def _(block: Paths) -> str:
    return f"{_plain(block.caption)} See report.html."


@_markdown.register
def _(block: Figure) -> str:
    picture = f"![{plain(block.caption)}](figures/{block.name}.png)"
    return "\n\n".join([picture] + ([_code(block.command)] if block.command else []))
