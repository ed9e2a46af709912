"""Derivatives of formulas as text: where the function bends, there is none.

This module imports sympy; import it only where sympy is needed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sympy

from gdlab.formulas.formula import format_expression
from gdlab.formulas.kinks import Kinked, Share, Sign
from gdlab.formulas.printing import sides

Place = tuple[str, str]
"""The two sides that are equal where a function bends."""

_JUMPS = (sympy.sign, sympy.Heaviside, sympy.Piecewise, Share, Sign)


def in_words(
    expression: sympy.Expr,
    show: Callable[[sympy.Expr], str] = format_expression,
    before: Sequence[tuple[sympy.Expr, Any, Any]] = (),
) -> str:
    """Format a derivative, and say where it does not exist or jumps.

    Plain words stand in place of Dirac's delta. Where a derivative jumps, its formula has a value,
    which is not a derivative.

    Args:
        expression: the derivative.
        show: formats an expression.
        before: the derivatives that were differentiated to get it, each with the symbol that it was
            itself differentiated by last, and the next one. Where one does not exist, it has no
            derivative by another symbol.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> in_words(2 * x * sympy.DiracDelta(y) + x)
    'x, but none where y = 0 and x ≠ 0'
    >>> in_words(sympy.sign(x)), in_words(x * sympy.sign(x))
    ('sign(x), for x ≠ 0', 'x*sign(x)')
    """
    deltas: Any = expression.atoms(sympy.DiracDelta)
    regular = without_deltas(expression)
    missing = {place for delta in deltas for place in _missing(delta, expression)}
    missing |= {place for lower in before for place in _inherited(*lower)}
    always = {place for place, but in missing if not but}
    jumps = {place for jump in regular.atoms(*_JUMPS) for place in _places(jump, regular)} - always
    text = show(regular)
    if jumps:
        text += f", for {' and '.join(_join(sorted(jumps), '≠'))}"
    sometimes = {(place, but) for place, but in missing if place not in jumps | always}
    places = _join(sorted(always), "=")
    places += [
        " and ".join([*_join([place], "="), *_join(but, "≠")]) for place, but in sorted(sometimes)
    ]
    if places:
        text += f", but none where {' or '.join(places)}"
    return text


def without_deltas(expression: sympy.Expr) -> Any:
    """Return a derivative as it is where the function does not bend."""
    deltas: Any = expression.atoms(sympy.DiracDelta)
    return expression.xreplace({delta: sympy.Integer(0) for delta in deltas})


def _places(jump: Any, expression: Any, by: Any = None) -> list[Place]:
    """Return where a part of an expression jumps, and the expression with it.

    Args:
        jump: the part.
        expression: the expression.
        by: a symbol; only jumps that are crossed as it changes count. None for all.
    """
    if not isinstance(jump, sympy.Piecewise):
        return [_zeros(gap) for gap in _gaps(jump)] if _counts(jump, expression) else []
    pieces: Any = jump.args
    (first, condition), *others = pieces
    relations: Any = condition.atoms(sympy.core.relational.Relational)
    step = sum((first - value for value, _ in others), start=sympy.Integer(0))
    gaps = [each.lhs - each.rhs for each in relations if not isinstance(each, sympy.Eq)]
    gaps = [gap for gap in gaps if by is None or gap.has(by)]
    return [_zeros(gap) for gap in gaps if not _is_zero_where(step, gap)]


def _missing(part: Any, expression: Any) -> list[tuple[Place, tuple[Place, ...]]]:
    """Return where a delta or jump in an expression counts, with what is not zero there.

    It counts where its argument is zero and its factor is not. The argument is zero where one of
    its own factors is.
    """
    stand_in = sympy.Dummy()
    factor = expression.xreplace({part: stand_in}).diff(stand_in)
    found = []
    for gap in (each for whole in _gaps(part) for each in _factors(whole)):
        if not _is_zero_where(factor, gap):
            parts = [each for each in _factors(_where_zero(factor, gap)) if not each.has(*_JUMPS)]
            found.append((_zeros(gap), tuple(sorted({*map(_zeros, parts)} - {_zeros(gap)}))))
    return found


def _inherited(lower: Any, by: Any, then: Any) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """Yield where a derivative by a symbol does not exist, however another symbol changes."""
    regular = without_deltas(lower)
    for jump in regular.atoms(sympy.sign, sympy.Heaviside, Sign):
        if jump.args[0].has(by) and not jump.args[0].has(then):
            yield from _missing(jump, regular)
    for jump in regular.atoms(sympy.Piecewise):  # sympy differentiates each piece alone
        yield from ((place, ()) for place in _places(jump, regular, by))


def _factors(expression: Any) -> list[Any]:
    """Return the factors of a product that depend on symbols, without their powers."""
    bases = (factor.as_base_exp()[0] for factor in sympy.Mul.make_args(expression))
    return [base for base in bases if base.free_symbols]


def _where_zero(factor: Any, argument: Any) -> Any:
    """Return a factor as it is where an argument is zero, if that is a symbol."""
    return factor.subs(argument, 0) if argument.is_Symbol else factor


def _gaps(jump: Any) -> Sequence[Any]:
    """Return what is zero where a function jumps."""
    return jump.args if isinstance(jump, Kinked) else jump.args[:1]


def _counts(part: Any, expression: Any) -> bool:
    """Tell whether a delta or jump in an expression counts: its factor is not zero where it is."""
    stand_in = sympy.Dummy()
    factor = expression.xreplace({part: stand_in}).diff(stand_in)
    return not all(_is_zero_where(factor, gap) for gap in _gaps(part))


def _is_zero_where(factor: Any, argument: Any) -> bool:
    """Tell whether a factor is zero wherever an argument is.

    Only arguments that are linear in each symbol are solved; for others the answer is no.
    """
    for symbol in argument.free_symbols:
        if not argument.is_polynomial(symbol) or sympy.degree(argument, symbol) != 1:
            return False
        if any(
            factor.subs(symbol, zero).is_zero is not True for zero in sympy.solve(argument, symbol)
        ):
            return False
    return True


def _zeros(argument: Any) -> tuple[str, str]:
    """Write the two sides that are equal where an argument is zero, such as x and y."""
    pair = sorted(sides(argument.primitive()[1]), key=lambda side: (side.is_number, str(side)))
    left, right = map(format_expression, pair)
    return left, right


def _join(places: Iterable[tuple[str, str]], sign: str) -> list[str]:
    return [f"{left} {sign} {right}" for left, right in places]
