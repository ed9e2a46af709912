"""Texts of files and people on the terminal: printed as they are, and none reaches it raw."""

import io
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table

from gdlab.console import PlainConsole, styled, visible

HOSTILE = st.lists(
    st.text(max_size=4)
    | st.sampled_from(["[a]", "[/b]", "[bold]", ":smile:", "\x1b[31m", "\x9b2J", "\a\b\r\v", "\n"])
).map("".join)


def printed(*parts: object) -> str:
    page = io.StringIO()
    # A terminal, so that rich writes styles where it finds any.
    console = PlainConsole(file=page, width=10_000, force_terminal=True)
    for part in parts:
        console.print(part)
    return page.getvalue()


def test_brackets_are_no_markup() -> None:
    table = Table("[a]", box=None)
    table.add_row("[/b] [red]x :smile:")
    text = printed("[a,b]", styled(("[/c]", "")), table)
    assert [line.rstrip() for line in text.replace("\x1b[1m", "").split("\n")][:2] == [
        "[a,b]",
        "[/c]",
    ]
    assert "[/b] [red]x :smile:" in text


@settings(max_examples=20)
@given(HOSTILE)
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = printed(text, styled(text))
    first, second, end = shown.split("\n")
    assert first == second == visible(text)
    assert end == ""
    assert not any(unicodedata.category(each) in ("Cc", "Cs") for each in first)
