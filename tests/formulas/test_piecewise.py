"""Random formulas with kinks and pieces: autograd agrees with sympy where that has a derivative."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from torch import Tensor

from gdlab.derivatives.methods.symbolic import Symbolic
from gdlab.errors import SettingError
from gdlab.losses import Expression
from gdlab.numerics.autodiff import hessian, is_twice_differentiable, value_and_gradient

# No root of an argument that is 0 and linear, and no infinite part: sympy cancels them.
ONE = ["abs({})", "sign({})", "sqrt(({})**2)", "sqrt(({})**2 + y**2)", "abs({})**1.5", "({})**2"]
ONE += ["log(1.5 + abs({}))", "abs(log(0.7 + abs({})))", "softplus(9*{})", "tanh({})", "-({})"]
TWO = ["{} + {}", "({})*({})", "({})/(3 + ({})**2)", "max({}, {})", "min({}, {})", "atan2({}, {})"]
MORE = ["max({}, {}, {})", "min({}, {}, {})", "max({}, {}, {}, 0)", "({} - ({}))*({})"]
SOME = ["x", "y", "x", "y", "1", "0.5", "x - y", "2*x"]


def fill(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Put formulas into a pattern, with each number of gaps alike."""
    return st.one_of(
        *(
            st.tuples(st.sampled_from(group), *[inner] * group[0].count("{}"))
            for group in (ONE, TWO, MORE)
        )
    ).map(lambda parts: parts[0].format(*parts[1:]))


FORMULAS = st.recursive(st.sampled_from(SOME), fill, max_leaves=7)

COMPARED = ["{} < {}", "{} <= {}", "{} > {}", "{} >= {}", "{} == {}", "{} != {}", "{} < {} <= {}"]
JOINED = ["{}", "{}", "not {}", "{} and {}", "{} or {}", "{} and not ({} or {})"]
# Branches with infinite slopes where they are not taken.
BRANCHES = ["{}", "sqrt({})", "1/({})", "log({})", "({})*x/(x**2 + y**2)", "where(x == y, {}, 1/x)"]


@st.composite
def pieces(draw: Any) -> str:
    """Draw a formula in pieces."""

    def fill_all(patterns: list[str], part: Any) -> str:
        pattern = draw(st.sampled_from(patterns))
        return pattern.format(*(part() for _ in range(pattern.count("{}"))))

    def value() -> str:
        return draw(st.sampled_from(SOME))

    condition = fill_all(JOINED, lambda: fill_all(COMPARED, value))
    a, b = (fill_all(BRANCHES, value) for _ in range(2))
    return f"where({condition}, {a}, {b}) + x*y"


TIES = st.lists(st.sampled_from([0.0, 1.0, 0.5, -1.0, 2.0]), min_size=2, max_size=2)
ELSEWHERE = st.sampled_from([[0.3123, 1.7171], [-0.8765, 0.4142], [1.2345, -2.7183]])


def read(text: str, at: list[float]) -> tuple[Expression, Symbolic, Tensor]:
    """Return a formula as a loss and for sympy, and a point (1, 2) where it is finite."""
    try:
        loss = Expression(text, variables=("x", "y"))
    except SettingError:  # such as log(0), or no variable
        reject()
    symbolic, x = Symbolic.of(loss), torch.tensor([at]).double()
    if symbolic is None or not bool(loss(x).isfinite()):
        reject()
    return loss, symbolic, x


def assert_agrees(found: Tensor, expected: Tensor) -> None:
    """Compare numbers; sympy has NaN where it knows no derivative."""
    is_known = ~expected.isnan()
    torch.testing.assert_close(found[is_known], expected[is_known], rtol=1e-9, atol=1e-9)


@settings(max_examples=60)
@given(FORMULAS, TIES)
def test_the_gradient_agrees_with_sympy_at_kinks_and_ties(text, at) -> None:
    loss, symbolic, x = read(text, at)
    assert is_twice_differentiable(loss, x)
    assert_agrees(value_and_gradient(loss, x)[1][0], symbolic.gradient(x[0]))


@settings(max_examples=30)
@given(FORMULAS, ELSEWHERE)
def test_the_hessian_agrees_with_sympy_elsewhere(text, at) -> None:
    loss, symbolic, x = read(text, at)
    assert_agrees(hessian(loss, x)[0], symbolic.hessian(x[0]))


@settings(max_examples=25)
@given(pieces(), TIES)
def test_pieces_agree_with_numpy_and_sympy(text, at) -> None:
    """The text is Python, too; numpy evaluates both branches, as torch does."""
    loss, symbolic, x = read(text, at)
    value, gradient = value_and_gradient(loss, x)
    names = {name: getattr(np, name) for name in ("where", "sqrt", "log")}
    with np.errstate(all="ignore"):
        expected = eval(text, {**names, **dict(zip("xy", map(np.float64, at), strict=True))})
    assert float(value) == pytest.approx(float(expected), rel=1e-15)
    exact = symbolic.gradient(x[0])
    # A branch that is not taken leaves no NaN; one that is taken may have infinite slopes.
    assert bool((gradient[0].isfinite() | exact.isnan()).all()) or "sqrt" in text
    assert_agrees(gradient[0], exact)
