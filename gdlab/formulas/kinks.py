"""Functions with kinks for sympy, differentiated as torch does it.

Where n arguments are equally large, the slope of the maximum by each of them is 1/n, a subgradient.
With sympy's own Max, each of three equal arguments has the slope 1/2, and nested ones are merged.
Sympy's Abs and sign have no second derivative if their argument might be complex, as log(x) may.

This module imports sympy; import it only where sympy is needed.
"""

from collections.abc import Sequence
from typing import Any

import sympy

from gdlab.formulas.printing import sides


class Kinked(sympy.Function):
    """A function printed as another one of sympy, and evaluated once all arguments are numbers."""

    @classmethod
    def eval(cls, *args: Any) -> Any:
        """Return the value if all arguments are numbers, NaN if one is not real; else None."""
        if all(arg.is_number for arg in args):
            return cls.number(args) if all(arg.is_extended_real for arg in args) else sympy.nan
        return None

    @classmethod
    def number(cls, args: Sequence[Any]) -> Any:
        """Return the value at real numbers."""
        raise NotImplementedError

    def printed(self) -> Any:
        """Return the expression of sympy that is printed."""
        raise NotImplementedError

    def _sympystr(self, printer: Any, **options: Any) -> str:
        return printer._print(self.printed(), **options)

    _latex = _sympystr

    def _eval_is_extended_real(self) -> bool:
        return True


class Maximum(Kinked):
    """The largest of its arguments."""

    @classmethod
    def number(cls, args: Sequence[Any]) -> Any:
        """Return the largest number."""
        return sympy.Max(*args)

    def printed(self) -> Any:
        """Return sympy's Max."""
        return sympy.Max(*self.args, evaluate=False)

    def fdiff(self, argindex: int = 1) -> Any:
        """Differentiate by an argument, counted from 1."""
        argument, others = _take(self.args, argindex)
        return _share([argument - other for other in others])


class Minimum(Kinked):
    """The smallest of its arguments."""

    @classmethod
    def number(cls, args: Sequence[Any]) -> Any:
        """Return the smallest number."""
        return sympy.Min(*args)

    def printed(self) -> Any:
        """Return sympy's Min."""
        return sympy.Min(*self.args, evaluate=False)

    def fdiff(self, argindex: int = 1) -> Any:
        """Differentiate by an argument, counted from 1."""
        argument, others = _take(self.args, argindex)
        return _share([other - argument for other in others])


class Share(Kinked):
    """The slope by one of three or more arguments, from its gaps to the others.

    It is 1 if all gaps are positive, 0 if one is negative, and 1/(1 + k) if k of them are 0.
    """

    @classmethod
    def number(cls, args: Sequence[Any]) -> Any:
        """Return 1, 0, or the share of equal arguments."""
        if any(gap.is_negative for gap in args):
            return sympy.Integer(0)
        return sympy.Rational(1, 1 + sum(not gap.is_positive for gap in args))

    def printed(self) -> Any:
        """Return a choice between 1 and 0."""
        is_first = (sympy.Gt(*sides(gap), evaluate=False) for gap in self.args)
        return sympy.Piecewise((1, sympy.And(*is_first)), (0, True), evaluate=False)

    def fdiff(self, argindex: int = 1) -> Any:
        """Differentiate by an argument, counted from 1."""
        nearest: Any = Minimum(*self.args)
        return sympy.DiracDelta(nearest) * nearest.fdiff(argindex)


class Sign(Kinked):
    """The sign of an argument that is real wherever the formula has a value."""

    @classmethod
    def number(cls, args: Sequence[Any]) -> Any:
        """Return the sign of a number."""
        return sympy.sign(args[0])

    def printed(self) -> Any:
        """Return sympy's sign."""
        return sympy.sign(*self.args)

    def fdiff(self, argindex: int = 1) -> Any:
        """Differentiate by an argument, counted from 1."""
        return 2 * sympy.DiracDelta(self.args[0])


class _Absolute(Kinked):
    """The absolute value of an argument that is real wherever the formula has a value."""

    @classmethod
    def number(cls, args: Sequence[Any]) -> Any:
        return sympy.Abs(args[0])

    def printed(self) -> Any:
        return sympy.Abs(*self.args)

    def fdiff(self, argindex: int = 1) -> Any:
        return Sign(*self.args)


def sign(x: Any) -> Any:
    """Return the sign; sympy's own if x is real at all points."""
    return sympy.sign(x) if x.is_extended_real else Sign(x)


def absolute(x: Any) -> Any:
    """Return the absolute value; sympy's own if x is real at all points."""
    return sympy.Abs(x) if x.is_extended_real else _Absolute(x)


def _share(gaps: Sequence[Any]) -> Any:
    return sympy.Heaviside(gaps[0]) if len(gaps) == 1 else Share(*gaps)


def _take(args: Sequence[Any], index: int) -> tuple[Any, Sequence[Any]]:
    """Split arguments into the one at an index from 1, and the others."""
    return args[index - 1], [*args[: index - 1], *args[index:]]
