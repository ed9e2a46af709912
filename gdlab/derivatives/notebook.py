"""A report in a notebook: its formulas as mathematics, and its sections."""

from collections.abc import Sequence
from typing import Any

from gdlab.console import formula_html, plain_html
from gdlab.derivatives.finding import Section
from gdlab.derivatives.methods.symbolic import Symbolic

_MOST_SYMBOLS = 4


def html(sections: list[Section], symbolic: Symbolic | None) -> str:
    """Return sections as HTML, below the formula of the loss and its gradient, if it has one."""
    return f"<div>{_formula(symbolic)}{''.join(map(_section, sections))}</div>"


def _formula(symbolic: Symbolic | None) -> str:
    if symbolic is None or len(symbolic.symbols) > _MOST_SYMBOLS:
        return ""
    import sympy

    gradient: Any = sympy.Matrix([symbolic.partial(i) for i in range(len(symbolic.symbols))])
    lines = (("f", symbolic.expression), (r"\nabla f", gradient))
    return "".join(
        formula_html(name, sympy.latex(expression.replace(sympy.Heaviside, _in_cases)))
        for name, expression in lines
    )


def _in_cases(argument: Any, *_: Any) -> Any:
    """Return a step as cases: 1 and 0, and nothing in between, where a derivative is missing."""
    import sympy

    from gdlab.formulas.printing import sides

    left, right = sides(argument)
    return sympy.Piecewise((1, sympy.Gt(left, right)), (0, sympy.Lt(left, right)))


def _section(section: Section) -> str:
    parts = [f"<h4>{plain_html(section.title)}</h4>", _table(section.lines)]
    if section.table is not None:
        parts.append(_table(section.table.rows, section.table.header))
    if section.legend:
        parts.append(f"<p><small>{plain_html(section.legend)}</small></p>")
    parts += [f"<p><i>{plain_html(note)}</i></p>" for note in section.notes]
    return "".join(parts)


def _table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Return rows as a table; the first cell of each is its name."""
    lines = [f"<tr>{''.join(_cell('th', name) for name in header)}</tr>"] if any(header) else []
    for name, *cells in rows:
        lines.append(f"<tr>{_cell('th', name)}{''.join(_cell('td', cell) for cell in cells)}</tr>")
    return f"<table>{''.join(lines)}</table>" if lines else ""


def _cell(tag: str, text: str) -> str:
    return f"<{tag} style='text-align:left'>{plain_html(text)}</{tag}>"
