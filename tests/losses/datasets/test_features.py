"""Features at the ends of the number range."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import gdlab
from gdlab.losses import MSE, Logistic
from gdlab.losses.datasets.features import prepare_examples


def write(path: Path, *columns: list[float]) -> str:
    """Write columns named a, b, … into a CSV file."""
    header = ",".join("abcdefg"[: len(columns)])
    rows = [",".join(map(repr, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]))
    return str(path)


ROOT = math.sqrt(1.5)  # 1, 2, 3 standardized are −√1.5, 0, √1.5


@pytest.mark.parametrize("degree", [1, 2, 100])
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-170, 1e-100, 1.0, 1e100, 1e160, 5e307])
def test_standardized_features_of_any_size(scale: float, degree: int, tmp_path: Path) -> None:
    data = write(tmp_path / "d.csv", [scale, 2 * scale, 3 * scale], [3.0, 5.0, 7.0])
    features = prepare_examples(data, None, None, standardize=True, degree=degree).features
    assert features[:, 0] == pytest.approx([-ROOT, 0, ROOT], abs=1e-15)  # observed 2e-16
    assert np.abs(features.mean(0)).max() <= 1e-15  # observed 2e-16
    assert features.std(0) == pytest.approx(1, rel=1e-15)  # observed 2e-16


@pytest.mark.parametrize("scale", [1e-170, 1e160])
def test_standardized_regression_and_classification_of_any_size(
    scale: float, tmp_path: Path
) -> None:
    x = [scale, 2 * scale, 3 * scale]
    loss = MSE(data=write(tmp_path / "d.csv", x, [3.0, 5.0, 7.0]), standardize=True)
    assert loss.minimum is not None and float(loss.minimum) <= 1e-29  # observed 1e-30
    assert gdlab.run(loss=loss, lr=0.1, steps=300).outcome.final_loss <= 1e-15  # observed 2e-17
    labels = write(tmp_path / "e.csv", x, [0.0, 1.0, 1.0])
    assert float(Logistic(data=labels)(loss.start)) == pytest.approx(math.log(2), rel=1e-15)


@hypothesis_settings(max_examples=40)
@given(
    columns=st.lists(
        st.lists(st.integers(-999, 999), min_size=3, max_size=3, unique=True),
        min_size=2,
        max_size=3,
    ),
    powers=st.lists(st.integers(-1074, 1014), min_size=3, max_size=3),
    degree=st.integers(1, 3),
)
def test_powers_of_two_change_no_bit_of_standardized_features(
    columns: Any, powers: Any, degree: int, tmp_path_factory: Any
) -> None:
    """Products of up to three of these whole numbers are exact, so that only scales differ."""
    folder: Path = tmp_path_factory.mktemp("t")
    target = [1.0, 2.0, 3.0]
    scaled = [
        [math.ldexp(value, power) for value in column]
        for column, power in zip(columns, powers, strict=False)
    ]
    options: Any = {"standardize": True, "degree": degree}
    try:
        one = prepare_examples(write(folder / "1.csv", *columns, target), None, None, **options)
    except gdlab.SettingError as error:  # a square of 1 and −1
        assert "is constant" in str(error)
        return
    two = prepare_examples(write(folder / "2.csv", *scaled, target), None, None, **options)
    assert one.features.tobytes() == two.features.tobytes()
