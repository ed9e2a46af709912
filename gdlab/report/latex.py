"""The tables of a report as LaTeX, for a document that loads booktabs."""

from collections.abc import Sequence

from gdlab.console import visible
from gdlab.report.content import Table

_SYMBOLS = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "τ": r"$\tau$",
    "λ": r"$\lambda$",
    "κ": r"$\kappa$",
    "β": r"$\beta$",
    "∞": r"$\infty$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "\N{MINUS SIGN}": r"$-$",
    "…": r"\dots{}",
    "₀": r"$_0$",
}


def latex_of(table: Table) -> str:
    """Return a table as a tabular with the rules of booktabs, its caption in a comment."""
    lines = [
        f"% {visible(table.caption)}",
        r"\begin{tabular}{" + "l" * len(table.columns) + "}",
        r"\toprule",
        _row(table.columns),
        r"\midrule",
        *map(_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(_plain, cells)) + r" \\"


def _plain(text: str) -> str:
    """Return a text in which nothing is a command; a character without a name is its number."""
    return "".join(map(_character, visible(text)))


def _character(character: str) -> str:
    if character in _SYMBOLS:
        return _SYMBOLS[character]
    return character if character.isascii() else f"[U+{ord(character):04X}]"
