"""Tables, lists and links of the leaderboard's page, as Markdown."""

from collections.abc import Sequence

from gdlab.report.markdown import plain


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def folded(title: str, text: str) -> str:
    """Return a part of a page that is shown where asked."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def listed(items: Sequence[str], most: int = 6) -> str:
    """Return items in one line, those past a number of them folded."""
    first, rest = items[:most], items[most:]
    if not rest:
        return ", ".join(first) or "none"
    more = f"<details><summary>and {len(rest)} more</summary>{', '.join(rest)}</details>"
    return f"{', '.join(first)} {more}"


def link(name: str) -> str:
    """Return a link to the section of an optimizer."""
    return f"[{plain(name)}](#{name})"
