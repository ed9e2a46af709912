"""Partial derivatives of a formula at a point where it may bend, worked out from their definition.

∂²f/∂xⱼ∂xᵢ at a is the derivative by t of the derivative by s of f(a + s eᵢ + t eⱼ), first at s = 0,
then at t = 0. For 0 < |s| ≪ |t| ≪ 1, all arguments of `abs`, `max`, `where` and the like have a
sign, and with these signs f is a smooth formula in s and t: a germ. There is a derivative if the
germs on both sides of 0 have the same value and the same slope there as the one at 0 itself. So it
is for any order, with one small number for each differentiation.

This module imports sympy; import it only where sympy is needed.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import sympy
from sympy.core.relational import Relational

from gdlab.derivatives.methods.evaluation import evaluate
from gdlab.derivatives.methods.finite_differences import EPSILON
from gdlab.formulas.kinks import Kinked, Maximum, Minimum, Sign

_ROUGH = (
    sympy.Abs,
    sympy.sign,
    sympy.Max,
    sympy.Min,
    Kinked,
    sympy.Heaviside,
    sympy.Piecewise,
    sympy.atan2,
)

_TERMS = 6  # of a power series in each small number: if all are 0, the formula may be 0 or not
_MOST_OPERATIONS = 150  # of a formula: larger ones take seconds
_MOST_IN_LIMITS = 60
_ROUNDINGS = 4  # of the point, within which a bend may be crossed

Signs = tuple[int, ...]


class NoDerivativeError(Exception):
    """A derivative does not exist, which is proven."""


class UndecidedError(Exception):
    """Neither a derivative nor its absence is proven."""


class Bend(Enum):
    """Where a formula may have a kink or a jump, or end, as seen from a point."""

    NOWHERE = 0
    HERE = 1
    WITHIN_ROUNDING = 2


def find_bend(expression: sympy.Expr, point: Mapping[sympy.Symbol, float]) -> Bend:
    """Tell whether a part of a formula may bend at a point.

    Nowhere near one, its derivatives are those that sympy gives. So close to a bend that rounding
    the point may cross it, as |sin(x)| at a rounded π, they say nothing.
    """
    parts: Any = expression.atoms(*_ROUGH, sympy.Pow, Relational)
    found = Bend.NOWHERE
    for gap in {gap for part in parts for gap in _gaps(part)}:
        value = evaluate(gap, point)
        if value == 0:
            return Bend.HERE
        slopes = ((symbol, evaluate(sympy.diff(gap, symbol), point)) for symbol in point)
        rounding = _ROUNDINGS * EPSILON * sum(abs(slope * point[by]) for by, slope in slopes)
        if abs(value) <= rounding:
            found = Bend.WITHIN_ROUNDING
    return found


def _gaps(part: Any) -> Sequence[Any]:
    """Return what is zero where a part of a formula may bend."""
    args: Sequence[Any] = part.args
    if isinstance(part, Relational):
        return [args[0] - args[1]]
    if isinstance(part, sympy.Max | sympy.Min | Maximum | Minimum):
        return [a - b for a, b in itertools.combinations(args, 2)]
    if isinstance(part, sympy.Pow):
        base, exponent = args
        return [] if exponent.is_integer else [base]
    return [] if isinstance(part, sympy.Piecewise) else args[:1]


def derivative_at(
    expression: sympy.Expr, point: Mapping[sympy.Symbol, float], by: Sequence[sympy.Symbol]
) -> float | None:
    """Work out a partial derivative at a point; NaN if there is none, None if it is not decided.

    Args:
        expression: the formula, in real symbols.
        point: a number for each symbol.
        by: the symbols to differentiate by, in order.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> derivative_at(sympy.Abs(x * y), {x: 0.0, y: 1.0}, (y, y))
    0.0
    >>> derivative_at(sympy.Abs(x) * y, {x: 0.0, y: 0.0}, (x, y))
    nan
    """
    if expression.count_ops() > _MOST_OPERATIONS:
        return None
    try:
        return evaluate(_Germs(expression, point, by).derivative(len(by), ()), {})
    except NoDerivativeError:
        return math.nan
    except (UndecidedError, NotImplementedError):  # of sympy's limits
        return None


class _Germs:
    """The germs of a formula at a point, in one small positive number for each differentiation.

    Args:
        expression: the formula.
        point: the point.
        by: the symbols to differentiate by, in order.
    """

    def __init__(
        self,
        expression: sympy.Expr,
        point: Mapping[sympy.Symbol, float],
        by: Sequence[sympy.Symbol],
    ) -> None:
        self._formula, self._by = _exact(expression), tuple(by)
        self._point = {symbol: sympy.Rational(number) for symbol, number in point.items()}
        self._small = tuple(sympy.Dummy(f"t{k}", positive=True) for k in range(len(by)))
        self._known: dict[tuple[int, Signs], Any] = {}

    def derivative(self, count: int, signs: Signs) -> Any:
        """Return the germ of the derivative by the first symbols, as a formula.

        Args:
            count: how many of them.
            signs: the sides on which the other small numbers are: −1, 0 or 1.

        Raises:
            NoDerivativeError: there is none.
            UndecidedError: it is not decided.
        """
        key = count, signs
        if key not in self._known:
            make = self._of_function if count == 0 else self._differentiate
            self._known[key] = make(count, signs)
        return self._known[key]

    def _of_function(self, _: int, signs: Signs) -> Any:
        moved: dict[Any, Any] = dict(self._point)
        for symbol, small, sign in zip(self._by, self._small, signs, strict=True):
            moved[symbol] = moved[symbol] + sign * small
        germ = self._smooth(self._formula.xreplace(moved))
        if germ.is_extended_real is False:  # outside the domain
            raise NoDerivativeError
        return germ

    def _differentiate(self, count: int, signs: Signs) -> Any:
        small, rest = self._small[count - 1], self._small[count:]
        here, left, right = (self.derivative(count - 1, (side, *signs)) for side in (0, -1, 1))
        slopes = []
        for germ, side in ((left, -1), (right, 1)):
            if self._sign(self._at_zero(germ, small) - here, rest) != 0:
                raise NoDerivativeError
            slopes.append(side * self._slope(germ, here, small))
        if self._sign(slopes[1] - slopes[0], rest) != 0:
            raise NoDerivativeError
        return slopes[1]

    def _slope(self, germ: Any, here: Any, small: Any) -> Any:
        """Return the slope of a germ at 0, by the limit of its quotient if it has none as such."""
        slope = sympy.diff(germ, small)
        value = slope.subs(small, 0)
        if _is_finite(value):
            return value
        return _limit((germ - here) / small, small)

    def _at_zero(self, germ: Any, small: Any) -> Any:
        value = germ.subs(small, 0)
        return value if _is_finite(value) else _limit(germ, small)

    def _smooth(self, expression: Any) -> Any:
        """Return a formula without kinks, the same where the small numbers are."""
        if not expression.has(*_ROUGH):
            return expression
        if isinstance(expression, sympy.Piecewise):
            return self._choose(expression)
        args = [self._smooth(arg) for arg in expression.args]
        if isinstance(expression, sympy.sign | Sign):
            return sympy.Integer(self._sign(args[0], self._small))
        if isinstance(expression, sympy.Max | sympy.Min | Maximum | Minimum):
            wanted = 1 if isinstance(expression, sympy.Max | Maximum) else -1
            best = args[0]
            for other in args[1:]:
                best = other if self._sign(other - best, self._small) == wanted else best
            return best
        if isinstance(expression, sympy.Heaviside):
            raise UndecidedError
        if isinstance(expression, sympy.atan2):
            return self._angle(*args)
        if isinstance(expression, _ROUGH):  # an absolute value
            return self._sign(args[0], self._small) * args[0]
        return self._smooth_again(expression.func(*args))

    def _smooth_again(self, expression: Any) -> Any:
        """Smooth what arises from smooth parts: the root of a square is an absolute value."""
        return self._smooth(expression) if expression.atoms(sympy.Abs) else expression

    def _angle(self, y: Any, x: Any) -> Any:
        """Return the angle of a point, which jumps where y = 0 and x < 0."""
        up, right = self._sign(y, self._small), self._sign(x, self._small)
        if right == 0:
            if up == 0:
                raise UndecidedError
            return up * sympy.pi / 2
        turn = 0 if right > 0 else sympy.pi if up >= 0 else -sympy.pi
        return sympy.atan(y / x) + turn

    def _choose(self, pieces: Any) -> Any:
        for value, condition in pieces.args:
            relations = condition.atoms(Relational)
            holds = condition.xreplace({each: self._holds(each) for each in relations})
            if holds == sympy.true:
                return self._smooth(value)
        raise UndecidedError

    def _holds(self, relation: Any) -> Any:
        gap = self._smooth(relation.lhs) - self._smooth(relation.rhs)
        return relation.func(sympy.Integer(self._sign(gap, self._small)), sympy.Integer(0))

    def _sign(self, value: Any, small: Sequence[Any]) -> int:
        """Return the sign of a smooth formula, where each small number is far below the next."""
        if not _is_finite(value):
            raise UndecidedError
        small = [each for each in small if value.has(each)]
        if not small:
            number = evaluate(value, {})
            if math.isnan(number):
                raise UndecidedError
            return (number > 0) - (number < 0)
        value = sympy.expand(value)
        if value.is_zero:
            return 0
        first, *others = small
        for _ in range(_TERMS):
            sign = self._sign(self._at_zero(value, first), others)
            if sign != 0:
                return sign
            value = sympy.diff(value, first)
            if value.is_zero:
                return 0
        if sympy.simplify(value) == 0:
            return 0
        raise UndecidedError


def _exact(expression: Any) -> Any:
    """Return a formula whose floats are fractions, so that no rounding makes a kink."""
    floats: Any = expression.atoms(sympy.Float)
    return expression.xreplace({number: sympy.Rational(number) for number in floats})


def _is_finite(value: Any) -> bool:
    return not value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)


def _limit(value: Any, small: Any) -> Any:
    """Return a limit from above.

    Raises:
        NoDerivativeError: it is infinite.
        UndecidedError: sympy does not find it.
    """
    if value.count_ops() > _MOST_IN_LIMITS:
        raise UndecidedError
    found = sympy.limit(value, small, 0, "+")
    if found in (sympy.oo, -sympy.oo):
        raise NoDerivativeError
    if not _is_finite(found) or found.has(sympy.AccumBounds, sympy.Limit):
        raise UndecidedError
    return found
