"""The text of a formula cut into numbers, names and signs; whatever else it holds is refused."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[-+*/(),])",
    re.ASCII,
)
_BLANK = re.compile(r"[ \t]*")
_HINTS = {
    "^": "a power is written **",
    "²": "a power is written **2",
    "³": "a power is written **3",
    "·": "a product is written *",
    "\u00d7": "a product is written *",
    "÷": "a quotient is written /",
    "\u2212": "a minus is written -",
    "π": "it is written pi",
    "√": "a root is written sqrt(…)",
    "=": "a formula is no assignment and no comparison",
    "[": "only round brackets group",
    "{": "only round brackets group",
    ".": "a number has one point, and nothing has attributes",
}


class Refused(Exception):
    """Why a text is no formula, and at which column."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(what)
        self.column, self.what = column, what


@dataclass(frozen=True)
class Token:
    """A piece of a formula.

    Attributes:
        kind: number, name, sign or end.
        text: as it was typed.
        column: where it begins, from 1.
    """

    kind: str
    text: str
    column: int


def tokens(text: str) -> list[Token]:
    """A text in pieces, the last of them its end.

    Raises:
        Refused: it holds what no formula has.
    """
    pieces: list[Token] = []
    place = _end_of(_BLANK.match(text))
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Refused(place + 1, _stranger(text[place]))
        pieces.append(Token(str(found.lastgroup), found[0], place + 1))
        if found.lastgroup == "number" and re.match(r"[\w.]", text[found.end() :], re.ASCII):
            raise Refused(place + 1, _glued(found[0], text[place:]))
        place = _end_of(_BLANK.match(text, found.end()))
    return [*pieces, Token("end", "", len(text) + 1)]


def _end_of(found: "re.Match[str] | None") -> int:
    assert found is not None  # nothing is blank, too
    return found.end()


def _stranger(character: str) -> str:
    """What is wrong with a character that no formula has."""
    shown = f"'{character}'" if character.isprintable() else f"the character {ord(character)}"
    if character.isalpha() and character not in _HINTS:
        return f"{shown} is no letter from a to z"
    hint = f"; {_HINTS[character]}" if character in _HINTS else ""
    return f"{shown} has no place in a formula{hint}"


def _glued(number: str, rest: str) -> str:
    """What is wrong with a number that a letter, a digit or a point follows."""
    word = re.match(r"[\w.]+", rest, re.ASCII)
    whole = word[0] if word else rest
    name = whole.removeprefix(number)
    if re.fullmatch(r"[A-Za-z_]\w*", name) and not re.match(r"_\d|[xXoObBeE]\d", name):
        return f"a product is written with its sign: {number}*{name}"
    return f"'{whole}' is no number"
