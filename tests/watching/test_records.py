"""The rows of a loop: columns that come later, and thinning."""

import numpy as np
import pytest
import torch

from gdlab.watching import records as module
from gdlab.watching.records import Records, Row


def test_columns_may_come_later_and_values_from_tensors() -> None:
    records = Records()
    records.add(Row(0, 3.0, [3.0, torch.tensor(4.0)], {"lr": 0.1}))
    new = records.read()
    assert {name: column.tolist() for name, column in new.items()} == {
        "step": [0], "loss": [3.0], "grad_norm": [5.0], "lr": [0.1],
    }  # fmt: skip
    records.add(Row(1, torch.tensor([2.0]), [], {"lr": 0.1, "accuracy": 0.5}))
    records.read()
    columns = records.columns()
    assert columns["accuracy"].tolist() == pytest.approx([np.nan, 0.5], nan_ok=True)
    assert columns["grad_norm"].tolist() == pytest.approx([5.0, np.nan], nan_ok=True)
    assert (records.best.loss, records.best.step, records.last_finite) == (2.0, 1, 1)
    assert records.read() == {}


def test_long_loops_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 50)
    records = Records()
    for step in range(130):
        sharp = {"sharpness": 1.0} if step % 25 == 0 else {}
        records.add(Row(step, float(step), [1.0], {"lr": 0.1, **sharp}))
        if step % 10 == 9:
            records.read()
    records.read()
    columns = records.columns()
    assert records.stride == 4 and records.count == 130
    expected = sorted({*range(0, 130, 4), *range(0, 130, 25)})
    assert columns["step"].tolist() == columns["loss"].tolist() == expected
