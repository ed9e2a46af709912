"""The kinks near a point, by hand."""

import pytest
import torch

from gdlab.losses import Expression
from gdlab.theory.kinks import kinks_ahead

# a formula, a point, the kink downhill
AHEAD = [
    ("abs(x) + 2*abs(y)", [0.01, -0.17], [0, 0]),
    ("abs(x) + 2*abs(y) + 3*abs(z)", [0.01, -0.17, -0.1], [0, 0, 0]),
    ("3*abs(2*x - 3*y) + abs(x + y - 1)", [0.2, 1.03], [0.6, 0.4]),
    ("abs(y) + 0.01*(x - 5)**2", [5.0, 0.03], [5, 0]),
    ("abs(x) + 100*abs(y - 1)", [50.0, 1.1], [49.999, 1]),  # the lowest, (0, 1), is far away
    ("x**2 + y**2", [1.0, 1.0], [torch.nan, torch.nan]),
]


@pytest.mark.parametrize(("formula", "at", "kink"), AHEAD)
def test_the_kink_is_where_bends_meet(formula, at, kink) -> None:
    found = kinks_ahead(Expression(formula), torch.tensor([at], dtype=torch.float64))[0]
    # observed 2e-14
    assert found.tolist() == pytest.approx(kink, abs=1e-12 * max(at), nan_ok=True)
