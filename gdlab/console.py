"""Text on the terminal and in notebooks as it is: nothing in it is interpreted.

Names, values and messages come from files and from people. Brackets in them are no markup, and an
escape character must not reach the terminal: control characters are visible.
"""

import re
from html import escape
from typing import Any

from rich.console import Console
from rich.text import Text

# C0 and C1, line separators, what reorders the line, and halves of surrogate pairs.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return a text with its control characters as escapes.

    >>> print(visible("a\x1b[31m\n"))
    a\x1b[31m\n
    """
    if text.isprintable():  # nearly always, and ten times as fast to see
        return text
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def plain_html(text: str) -> str:
    """Return a text as HTML that shows it as it is, with its control characters as escapes.

    MathJax finds formulas between delimiters in one piece of text: each $ and each backslash stands
    in an element of its own, so that none is a delimiter.
    """
    return re.sub(r"[$\\]", r"<span>\g<0></span>", escape(visible(text)))


def formula_html(name: str, latex: str) -> str:
    """Return an equation as HTML that MathJax typesets, both sides in LaTeX."""
    return f"<p>$\\displaystyle {name} = {escape(latex)}$</p>"


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return one line of plain parts, of which a pair is a text and its style."""
    pairs = (part if isinstance(part, tuple) else (part, "") for part in parts)
    return Text.assemble(*((visible(text), style) for text, style in pairs))


class PlainConsole(Console):
    """A console that prints strings as they are, also those in tables.

    Args:
        soft_wrap: whether the terminal breaks long lines, instead of rich.
        options: of `rich.console.Console`.
    """

    def __init__(self, *, soft_wrap: bool = True, **options: Any) -> None:
        super().__init__(soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as rich prints it."""
        return super().render_str(visible(text), **options)
