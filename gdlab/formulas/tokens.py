"""Split the text of a formula into numbers, names and signs; refuse anything else."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|[<>=!]=|[-+*/(),<>])",
    re.ASCII,
)
_BLANKS = re.compile(r"[ \t]*")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_DEFINED = re.compile(r"\s*(lambda\s[\w,\s]*|[A-Za-z_]\w*\s*(\([\w,\s]*\))?\s*)", re.ASCII)
"""What may stand to the left of a definition, as in y = …, f(x) = … or lambda x: …"""

_HINTS = {
    "^": "a power is written **",
    "²": "a power is written **2",
    "³": "a power is written **3",
    "·": "a product is written *",
    "\u00d7": "a product is written *",
    "÷": "a quotient is written /",
    "\u2212": "a minus is written -",
    "π": "write pi",
    "√": "a root is written sqrt(…)",
    "=": "equality is written ==",
    "\u2264": "write <=",
    "\u2265": "write >=",
    "\u2260": "write !=",
    "!": "write not, or != for different",
    "&": "write and",
    "|": "write or; the absolute value is abs(…)",
    "~": "write not",
    "?": "write where(condition, a, b)",
    "[": "use round brackets",
    "{": "use round brackets",
    ".": "a number has one decimal point, and attributes are not allowed",
}


class FormulaError(Exception):
    """A text is not a valid formula, for a reason at a column (from 1)."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


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


def tokenize(text: str) -> list[Token]:
    """Split a text into tokens; the last one has the kind "end".

    Raises:
        FormulaError: a character is not allowed, or a number runs into a letter.
    """
    tokens: list[Token] = []
    position = _skip_blanks(text, 0)
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FormulaError(position + 1, _explain_character(text, position))
        tokens.append(Token(str(match.lastgroup), match[0], position + 1))
        if match.lastgroup == "number" and re.match(r"[\w.]", text[match.end() :], re.ASCII):
            raise FormulaError(position + 1, _explain_number(match[0], text[position:]))
        position = _skip_blanks(text, match.end())
    return [*tokens, Token("end", "", len(text) + 1)]


def _skip_blanks(text: str, position: int) -> int:
    """Return the position after any blanks at a position."""
    match = _BLANKS.match(text, position)
    assert match is not None  # the pattern matches the empty string
    return match.end()


def _explain_character(text: str, position: int) -> str:
    """Say what is wrong with a character that is not allowed."""
    character = text[position]
    shown = f"'{character}'" if character.isprintable() else f"the character {ord(character)}"
    if character.isalpha() and character not in _HINTS:
        return f"{shown} is not a letter from a to z"
    left, right = text[:position], text[position + 1 :].strip()
    if character in "=:" and _DEFINED.fullmatch(left) and right:
        return f"{shown} is not allowed in a formula; give the right side alone"
    function = _NAME.match(right)
    if character == "." and function and _NAME.fullmatch(left.strip()):
        return f"{shown} is not allowed in a formula; write {function[0]} without {left.strip()}."
    hint = f"; {_HINTS[character]}" if character in _HINTS else ""
    return f"{shown} is not allowed in a formula{hint}"


def _explain_number(number: str, rest: str) -> str:
    """Say what is wrong with a number that is followed by a letter, a digit or a point."""
    word = re.match(r"[\w.]+", rest, re.ASCII)
    whole = word[0] if word else rest
    name = whole.removeprefix(number)
    if re.fullmatch(r"[A-Za-z_]\w*", name) and not re.match(r"_\d|[xXoObBeE]\d", name):
        return f"write a product with *: {number}*{name}"
    return f"'{whole}' is not a number"
