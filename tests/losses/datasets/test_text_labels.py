"""Classes that a table gives as texts: labels in alphabetical order."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Logistic, Softmax

HEIGHTS = [1.5, 2.5, 3.0, 1.4, 1.6, 2.8]
KINDS = ["owl", "cat", "dog", "owl", "cat", "dog"]

MAKE: dict[str, Any] = {
    "softmax": lambda data: Softmax(data=data),
    "softmax, degree 2": lambda data: Softmax(data=data, degree=2),
    "softmax, some held out": lambda data: Softmax(data=data, validation=0.4, data_seed=3),
    "mlp": lambda data: MLP(data=data, widths=(2,)),
    "mlp of classes": lambda data: MLP(data=data, widths=(2,), task="classification"),
}


def written(path: Path, kinds: list[Any], form: str) -> Any:
    """A table of heights and kinds in some form."""
    frame = pd.DataFrame({"height": HEIGHTS, "kind": pd.Series(kinds, dtype=object)})
    if form == "csv":
        frame.to_csv(path / "data.csv", index=False)
        return str(path / "data.csv")
    if form == "parquet":
        frame.to_parquet(path / "data.parquet")
        return str(path / "data.parquet")
    return frame.astype({"kind": form})


@pytest.mark.parametrize("form", ["csv", "parquet", "object", "string", "category"])
@pytest.mark.parametrize("name", MAKE)
def test_texts_are_the_labels_that_pandas_gives_them(name: str, form: str, tmp_path: Path) -> None:
    codes = pd.Series(KINDS, dtype="category").cat.codes
    ours = MAKE[name](written(tmp_path, KINDS, form))
    coded = MAKE[name](pd.DataFrame({"height": HEIGHTS, "kind": codes}))
    assert ours.classes == coded.classes == 3
    assert torch.equal(ours.targets, coded.targets)
    x = torch.linspace(-1, 1, ours.dim, dtype=torch.float64)
    assert ours(x) == coded(x)
    assert ours.metrics["accuracy"](x) == coded.metrics["accuracy"](x)


def test_parameters_are_named_by_the_texts(tmp_path: Path) -> None:
    loss = Softmax(data=written(tmp_path, KINDS, "csv"))
    inputs = ("height", "intercept")
    assert loss.names == tuple(f"{k}:{name}" for k in ("cat", "dog", "owl") for name in inputs)
    two = [kind.replace("dog", "cat") for kind in KINDS]
    assert Logistic(data=written(tmp_path, two, "csv")).targets.tolist() == [1, 0, 0, 1, 0, 0]


def test_blanks_around_texts_do_not_count(tmp_path: Path) -> None:
    kinds = [f" {kind}" if at % 2 else kind for at, kind in enumerate(KINDS)]
    loss = Softmax(data=written(tmp_path, kinds, "csv"))
    assert loss.targets.tolist() == [2, 0, 1, 2, 0, 1]


# a loss of the file, its kinds, and what is said
SOFTMAX, NUMBERS = MAKE["softmax"], lambda data: MSE(data=data)
BAD: dict[str, tuple[Any, list[Any], str]] = {
    "a loss of numbers": (
        NUMBERS,
        KINDS,
        "line 2, column kind: 'owl' is not a number; choose another loss.target, or a loss of "
        "classes, such as loss=softmax",
    ),
    "all different": (
        SOFTMAX,
        list("abcdef"),
        "column kind: its 6 texts are all different, so they tell no classes",
    ),
    "all equal": (
        MAKE["mlp"],
        6 * ["owl"],
        "column kind: its texts are all 'owl', so they tell no classes",
    ),
    "a number among texts": (
        SOFTMAX,
        [*KINDS[:5], "7"],
        "column kind: has texts and 7; classes are all texts, or the numbers 0, 1, …",
    ),
    "an empty cell among texts": (
        SOFTMAX,
        [*KINDS[:5], None],
        "column kind: has texts and an empty cell; classes are all texts, or the numbers 0, 1, …",
    ),
    "a text among numbers": (
        SOFTMAX,
        [0, 1, 0, "x", 0, 1],
        "line 5, column kind: 'x' is not a number",
    ),
    "three kinds for two": (
        lambda data: Logistic(data=data),
        KINDS,
        "the labels must be 0 and 1, but there are 3 classes, for softmax",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_tells_no_classes_is_refused(name: str, tmp_path: Path) -> None:
    make, kinds, message = BAD[name]
    path = written(tmp_path, kinds, "csv")
    with pytest.raises(SettingError) as error:
        make(path)
    assert str(error.value) == f"data={path}: {message}"


def test_dates_are_no_classes() -> None:
    dates = pd.to_datetime(["2020-01-01", "2020-01-02"] * 3)
    table: Any = pd.DataFrame({"height": HEIGHTS, "day": dates})
    with pytest.raises(SettingError, match="column day"):
        Softmax(data=table)


def test_the_same_table_serves_losses_of_numbers_and_of_classes(tmp_path: Path) -> None:
    path = written(tmp_path, KINDS, "csv")
    for _ in range(2):  # the second time from memory
        assert Softmax(data=path).classes == 3
        with pytest.raises(SettingError):
            MSE(data=path)
