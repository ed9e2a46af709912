"""Torch's operations as scalar operations on each number of one row.

An array here is a numpy array of operands: values of a program and constants. Rounding is that of
torch's own kernels: `addcmul`, `lerp` and `add` with a factor round once (fused multiply-add), and
sums over more than 16 numbers run in blocks of 16.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gdlab.engine.compiler.expressions import NUMBERS, TRUTHS
from gdlab.engine.compiler.program import Kind, Operand, Program, Value
from gdlab.engine.compiler.shapes import SHAPES, Array, Operation, index_array

_BLOCK = 16
_MANTISSA = "MANTISSA({0})"


def _elementwise(function: Callable[..., Operand], *arguments: Any) -> Array:
    """Apply a function of operands to arrays, with broadcasting."""
    arrays = np.broadcast_arrays(*(np.asarray(each, dtype=object) for each in arguments))
    result = np.empty(arrays[0].shape, dtype=object)
    for index in np.ndindex(result.shape):
        result[index] = function(*(array[index] for array in arrays))
    return result


class Operations:
    """The operations that can be compiled, by their names in torch.

    Args:
        program: receives them.
        is_double: whether its numbers are of double precision.
    """

    def __init__(self, program: Program, *, is_double: bool) -> None:
        self._program = program
        self._largest_power = 1022 if is_double else 126
        self.table: dict[str, Operation] = {
            **{name: self._elementwise_operation(text) for name, text in NUMBERS.items()},
            **{name: self._elementwise_operation(text, "truth") for name, text in TRUTHS.items()},
            **{name: getattr(self, f"_{name}") for name in _METHODS},
            **SHAPES,
        }

    def _elementwise_operation(self, expression: str, kind: Kind = "number") -> Operation:
        def operation(*arrays: Any) -> Array:
            return _elementwise(
                lambda *operands: self._program.apply(expression, *operands, kind=kind),
                *arrays[: _operand_count(expression)],
            )

        return operation

    def number(self, expression: str, *operands: Operand) -> Value:
        """Return the value of an expression that gives a number."""
        return self._program.apply(expression, *operands)

    # Sums.

    def _plus(self, a: Operand, b: Operand) -> Operand:
        """A + b; the constant 0 is not added, which would change only the sign of -0."""
        for summand, other in ((a, b), (b, a)):
            if not isinstance(summand, Value) and summand == 0:
                return other
        return self.number("({0} + {1})", a, b)

    def _fma(self, a: Operand, b: Operand, c: Operand) -> Operand:
        """A · b + c, rounded once."""
        return self.number("FMA({0}, {1}, {2})", a, b, c)

    def _add(self, a: Any, b: Any, *, alpha: float = 1) -> Array:
        if alpha == 1:
            return _elementwise(self._plus, a, b)
        return _elementwise(lambda x, y: self._fma(float(alpha), y, x), a, b)

    def _sub(self, a: Any, b: Any, *, alpha: float = 1) -> Array:
        if alpha != 1:
            return self._add(a, b, alpha=-alpha)
        return _elementwise(lambda x, y: self.number("({0} - {1})", x, y), a, b)

    def _rsub(self, a: Any, b: Any, alpha: float = 1) -> Array:
        return self._sub(b, a, alpha=alpha)

    def _addcmul(self, a: Any, b: Any, c: Any, *, value: float = 1) -> Array:
        def add_product(x: Operand, y: Operand, z: Operand) -> Operand:
            scaled = y if value == 1 else self.number("({0} * {1})", float(value), y)
            return self._fma(scaled, z, x)

        return _elementwise(add_product, a, b, c)

    def _addcdiv(self, a: Any, b: Any, c: Any, *, value: float = 1) -> Array:
        def add_quotient(x: Operand, y: Operand, z: Operand) -> Operand:
            scaled = y if value == 1 else self.number("({0} * {1})", float(value), y)
            return self._plus(x, self._quotient(scaled, z))

        return _elementwise(add_quotient, a, b, c)

    def _div(self, a: Any, b: Any) -> Array:
        return _elementwise(self._quotient, a, b)

    def _quotient(self, a: Operand, b: Operand) -> Operand:
        """A / b, as a product where that has the same bits: a quotient takes four times as long."""
        inverse = self._inverse(b)
        if inverse is None:
            return self.number(NUMBERS["div"], a, b)
        return self.number("({0} * {1})", a, inverse)

    def _inverse(self, b: Operand) -> Operand | None:
        """1 / b of a power of two, or of a choice between some; else None."""
        if not isinstance(b, Value):
            mantissa, exponent = math.frexp(b)
            is_power = abs(mantissa) == 0.5 and abs(exponent - 1) <= self._largest_power
            return 1 / b if is_power else None
        expression, operands = self._program.lines[b.line]
        if expression != NUMBERS["where"]:
            return None
        one, other = map(self._inverse, operands[1:])
        if one is None or other is None:
            return None
        return self.number(expression, operands[0], one, other)

    def _lerp(self, a: Any, b: Any, weight: Any) -> Array:
        text = "({2} < HALF ? FMA({2}, {1} - {0}, {0}) : FMA({2} - ONE, {1} - {0}, {1}))"
        return _elementwise(lambda *operands: self.number(text, *operands), a, b, weight)

    def _sum_terms(self, terms: Sequence[Operand]) -> Operand:
        """Sum in torch's order: within blocks of 16 from the left, then over the blocks."""
        levels: list[Operand] = [0.0] * 4
        step = max(4, math.ceil(math.log2(max(len(terms), 1))) // 4)
        size, done = 1 << step, 0
        while done + size <= len(terms):
            for term in terms[done : done + size]:
                levels[0] = self._plus(levels[0], term)
            done += size
            for level in range(1, 4):
                levels[level] = self._plus(levels[level], levels[level - 1])
                levels[level - 1] = 0.0
                if done & ((size - 1) << (level * step)):
                    break
        for term in terms[done:]:
            levels[0] = self._plus(levels[0], term)
        for level in range(1, 4):
            levels[0] = self._plus(levels[0], levels[level])
        return levels[0]

    def _reduce(
        self, a: Array, dims: Any, keep: bool, reduce: Callable[[Sequence[Operand]], Operand]
    ) -> Array:
        """Reduce some axes of an array to one number each."""
        dims = range(a.ndim) if dims is None or dims == [] else np.atleast_1d(dims).tolist()
        axes = sorted(axis % max(a.ndim, 1) for axis in dims)
        kept = [axis for axis in range(a.ndim) if axis not in axes]
        shape = [a.shape[axis] for axis in kept]
        flat = a.transpose(kept + axes).reshape(*shape, -1)
        result = np.empty(shape, dtype=object)
        for index in np.ndindex(*shape):
            result[index] = reduce(flat[index].tolist())
        if not keep:
            return result
        return result.reshape([1 if axis in axes else n for axis, n in enumerate(a.shape)])

    def _sum(self, a: Array, dim: Any = None, keepdim: bool = False, **_: Any) -> Array:
        return self._reduce(a, dim, keepdim, self._sum_terms)

    def _mean(self, a: Array, dim: Any = None, keepdim: bool = False, **_: Any) -> Array:
        def mean(terms: Sequence[Operand]) -> Operand:
            return self.number("({0} / {1})", self._sum_terms(terms), float(len(terms)))

        return self._reduce(a, dim, keepdim, mean)

    def _prod(self, a: Array, dim: Any = None, keepdim: bool = False, **_: Any) -> Array:
        return self._reduce(a, dim, keepdim, self._fold("({0} * {1})"))

    def _amax(self, a: Array, dim: Any = (), keepdim: bool = False) -> Array:
        return self._reduce(a, list(dim), keepdim, self._fold(NUMBERS["maximum"]))

    def _amin(self, a: Array, dim: Any = (), keepdim: bool = False) -> Array:
        return self._reduce(a, list(dim), keepdim, self._fold(NUMBERS["minimum"]))

    def _all(self, a: Array, dim: Any = None, keepdim: bool = False) -> Array:
        return self._reduce(a, dim, keepdim, self._fold(TRUTHS["logical_and"], "truth"))

    def _any(self, a: Array, dim: Any = None, keepdim: bool = False) -> Array:
        return self._reduce(a, dim, keepdim, self._fold(TRUTHS["logical_or"], "truth"))

    def _fold(
        self, expression: str, kind: Kind = "number"
    ) -> Callable[[Sequence[Operand]], Operand]:
        def fold(terms: Sequence[Operand]) -> Operand:
            result = terms[0]
            for term in terms[1:]:
                result = self._program.apply(expression, result, term, kind=kind)
            return result

        return fold

    def _cumsum(self, a: Array, dim: int, **_: Any) -> Array:
        moved = np.moveaxis(a, dim, 0).copy()
        for i in range(1, len(moved)):
            moved[i] = self._add(moved[i - 1], moved[i])
        return np.moveaxis(moved, 0, dim)

    def _mm(self, a: Array, b: Array) -> Array:
        terms = _elementwise(
            lambda x, y: self.number("({0} * {1})", x, y),
            a[..., :, :, None],
            b[..., None, :, :],
        )
        return self._sum(terms, -2)

    _bmm = _mm

    def _mv(self, a: Array, b: Array) -> Array:
        return self._mm(a, b[:, None])[:, 0]

    def _dot(self, a: Array, b: Array) -> Array:
        return self._mm(a[None], b[:, None])[0, 0]

    # Products, powers and bounds.

    def _mul(self, a: Any, b: Any) -> Array:
        def times(x: Operand, y: Operand) -> Operand:
            for factor, other in ((x, y), (y, x)):
                if not isinstance(factor, Value) and factor == 1:
                    return other
            return self.number("({0} * {1})", x, y)

        return _elementwise(times, a, b)

    def _pow(self, a: Any, exponent: Any) -> Array:
        if isinstance(exponent, np.ndarray) or isinstance(a, (int, float)):
            return self._elementwise_operation("POW({0}, {1})")(a, exponent)
        return _elementwise(lambda x: self._power(x, float(exponent)), a)

    def _power(self, x: Operand, exponent: float) -> Operand:
        """X to a constant power; integer powers by repeated multiplication."""
        if exponent == 0:
            return 1.0
        if abs(exponent) == 0.5:
            root = self.number("SQRT({0})", x)
            return root if exponent > 0 else self.number("(ONE / {0})", root)
        if not exponent.is_integer() or abs(exponent) > 64:
            return self.number("POW({0}, {1})", x, exponent)
        result, square, bits = None, x, int(abs(exponent))
        while bits:
            if bits & 1:
                result = square if result is None else self.number("({0} * {1})", result, square)
            bits >>= 1
            if bits:
                square = self.number("({0} * {0})", square)
        assert result is not None
        return result if exponent > 0 else self.number("(ONE / {0})", result)

    def _frexp(self, a: Any) -> list[Array]:
        """Return mantissas; their exponents are not followed."""
        return [self._elementwise_operation(_MANTISSA)(a), np.full(np.shape(a), np.nan, object)]

    def _clamp(self, a: Any, low: Any = None, high: Any = None) -> Array:
        for bound, expression in ((low, NUMBERS["maximum"]), (high, NUMBERS["minimum"])):
            a = a if bound is None else self._elementwise_operation(expression)(a, bound)
        return a

    def _masked_fill(self, a: Any, mask: Any, value: Any) -> Array:
        return self._elementwise_operation(NUMBERS["where"])(mask, value, a)

    def _index_put(
        self, a: Array, indices: Sequence[Any], values: Any, accumulate: bool = False
    ) -> Array:
        positions = index_array(np.arange(a.size).reshape(a.shape), indices)
        result: list[Operand] = a.flatten().tolist()
        new = np.broadcast_to(values, positions.shape).flatten().tolist()
        for i, value in zip(positions.flatten().tolist(), new, strict=True):
            result[i] = self._plus(result[i], value) if accumulate else value
        return np.array(result, dtype=object).reshape(a.shape)

    def _var(self, a: Array, dim: Any = None, correction: float = 1, **_: Any) -> Array:
        def variance(terms: Sequence[Operand]) -> Operand:
            mean = self.number("({0} / {1})", self._sum_terms(terms), float(len(terms)))
            deviations = [self.number("({0} - {1})", term, mean) for term in terms]
            squares = self._sum_terms([self.number("({0} * {0})", each) for each in deviations])
            return self.number("({0} / {1})", squares, len(terms) - float(correction))

        return self._reduce(a, dim, False, variance)

    def _clamp_min(self, a: Any, low: Any) -> Array:
        return self._clamp(a, low)

    def _clamp_max(self, a: Any, high: Any) -> Array:
        return self._clamp(a, None, high)


def _operand_count(expression: str) -> int:
    """Count the operands of an expression."""
    return next(n for n in range(4) if f"{{{n}}}" not in expression)


_METHODS = (
    *("add", "sub", "rsub", "addcmul", "addcdiv", "div", "lerp", "mul", "pow"),
    *("clamp", "clamp_min", "clamp_max", "masked_fill", "index_put", "var", "frexp"),
    *("sum", "mean", "prod", "amax", "amin", "all", "any", "cumsum", "mm", "bmm", "mv", "dot"),
)
