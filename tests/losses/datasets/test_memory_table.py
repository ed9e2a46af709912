"""Tables in memory: data frames, and features and targets as arrays or tensors."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from torch.utils.data import TensorDataset

import gdlab
from gdlab.errors import SettingError
from gdlab.losses import MLP, MSE, Logistic, Module, Softmax

FRAME: Any = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 2.5, 1.0, 0.0], "y": [0, 1, 1, 2]})
X: Any = FRAME[["a", "b"]].to_numpy()
Y: Any = FRAME["y"].to_numpy()
SEVERAL_TARGETS: Any = np.zeros((4, 2))
PAIR: Any = (X, Y)

# What stands for the table of FRAME, and the names of its features.
SAME: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a data frame": (FRAME, ("a", "b")),
    "a data frame with an index": (FRAME.set_axis(list("stuv")), ("a", "b")),
    "a data frame of Arrow": (pa.table(FRAME.to_dict("list")), ("a", "b")),
    "nullable types": (FRAME.convert_dtypes(), ("a", "b")),
    "objects": (FRAME.astype(object), ("a", "b")),
    "columns by name": (FRAME.to_dict("list"), ("a", "b")),
    "arrays": ((X, Y), ("x0", "x1")),
    "arrays in a list": ([X, Y], ("x0", "x1")),
    "targets (N, 1)": ((X, Y[:, None]), ("x0", "x1")),
    "tensors": ((torch.tensor(X), torch.tensor(Y)), ("x0", "x1")),
    "a sparse matrix": ((sparse.csr_matrix(X), Y), ("x0", "x1")),
    "tensors of single precision": ((torch.tensor(X).float(), torch.tensor(Y)), ("x0", "x1")),
    "tensors with a gradient": ((torch.tensor(X, requires_grad=True), Y), ("x0", "x1")),
    "a dataset of tensors": (TensorDataset(torch.tensor(X), torch.tensor(Y)), ("x0", "x1")),
    "lists": ((X.tolist(), Y.tolist()), ("x0", "x1")),
    "a data frame and a column": ((FRAME[["a", "b"]], FRAME["y"]), ("a", "b")),
    "two data frames": ((FRAME[["a", "b"]], FRAME[["y"]]), ("a", "b")),
}


@pytest.mark.parametrize("name", SAME)
def test_all_forms_of_a_table_mean_the_same(name: str) -> None:
    data, names = SAME[name]
    loss = MSE(data=data)
    assert torch.equal(loss.inputs[:, :-1], torch.tensor(X))
    assert torch.equal(loss.targets, torch.tensor(Y).double())
    assert loss.names == (*names, "intercept")


# What is no table, and what is said.
REFUSED: dict[str, tuple[Any, str]] = {
    "text": (FRAME.assign(a=list("pqrs")), "row 1 of 4, column a (large_string): 'p' is not a num"),
    "one text": (FRAME.assign(a=[1, 2, "q", 4]), "row 3 of 4, column a (string): 'q' is not a num"),
    "NaN": (FRAME.assign(b=[1, np.nan, 3, 4]), "row 2 of 4, column b (double): nan is not a finit"),
    "missing": (FRAME.assign(b=pd.array([1, None, 3, 4], "Int64")), "column b (int64): null is"),
    "a date": (FRAME.assign(a=pd.date_range("2020", periods=4)), "row 1 of 4, column a (timestamp"),
    "infinity in an array": (
        (X + np.array([0, np.inf]), Y),
        "row 1 of 4, column x1 (double): inf is not a finit",
    ),
    "a mask": (
        (np.ma.masked_equal(X, 2.5), Y),
        "row 2 of 4, column x1 (double): nan is not",
    ),
    "no rows": (FRAME.iloc[:0], "data=a table of 0 × 3 in memory: the table has no rows"),
    "one column": (FRAME[["y"]], "needs at least one column besides the target y"),
    "twice": (
        pd.concat([FRAME, FRAME], axis=1),
        "data=<DataFrame (4, 6)>: more than one column is",
    ),
    "lengths": (
        (X, Y[:3]),
        "data=(<ndarray (4, 2)>, <ndarray (3,)>): 4 rows of features and 3 tar",
    ),
    "lengths of columns": ({"a": [1, 2], "y": [1]}, "as many rows: a has 2, y has 1"),
    "no targets": (
        torch.zeros(4, 2),
        "data=<Tensor (4, 2)>: has no targets; give a pair (features",
    ),
    "a column": (FRAME["a"], "data=<Series (4,)>: has no targets"),
    "images": ((np.zeros((4, 3, 3)), Y), "features must have shape (N, P), but have (4, 3, 3)"),
    "several targets": ((X, SEVERAL_TARGETS), "targets must have shape (N,), but have (4, 2)"),
    "complex": ((X * 1j, Y), "must be real numbers, but are complex128"),
    "a ragged list": (([[1, 2], [3]], [0, 1]), "inhomogeneous shape"),
    "the same name": ((FRAME[["a", "y"]], FRAME["y"]), "feature and the target are both named y"),
    "two tables": (
        [FRAME, FRAME],
        "data=[<DataFrame (4, 3)>,<DataFrame (4, 3)>]: must be a string",
    ),
    "a number": (5, "data=5: must be a string or in Python a data frame or a pair (features, targ"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_names_column_and_row_or_the_way(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(SettingError) as error:
        MSE(data=data)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_only_the_chosen_columns_must_be_numbers() -> None:
    frame = FRAME.assign(name=list("pqrs"))
    assert MSE(data=frame, target="y", features=("b",)).names == ("b", "intercept")
    with pytest.raises(
        SettingError, match="target=z: no such column in a table of 4 × 4 in memory"
    ):
        MSE(data=frame, target="z")
    with pytest.raises(SettingError, match=r"\(the index of pandas, a, is not a column\)"):
        MSE(data=FRAME.set_index("a"), target="a")


def test_later_changes_of_the_original_change_nothing() -> None:
    x, y = X.copy(), torch.tensor(Y)
    frame, columns = FRAME.copy(), {"a": [1.0, 2.0], "y": [0.0, 1.0]}
    given: list[Any] = [(x, y), frame, columns]
    losses = [MSE(data=data) for data in given]
    x[:], y[:], frame["b"], columns["a"][0] = 7.0, 7, 7.0, 7.0
    frame.iloc[:, 0] = 7.0
    originals: list[Any] = [PAIR, FRAME, {"a": [1.0, 2.0], "y": [0.0, 1.0]}]
    for changed, original in zip(losses, originals, strict=True):
        loss = MSE(data=original)
        assert torch.equal(changed.inputs, loss.inputs)
        assert torch.equal(changed.targets, loss.targets)


def test_equal_tables_share_their_examples_and_others_do_not() -> None:
    first, again = MSE(data=FRAME), MSE(data=FRAME.copy())
    assert first._examples is again._examples
    assert first._examples is not MSE(data=FRAME + 1)._examples
    assert first._examples is first.replace(batch_size=2)._examples
    sent: Any = pickle.loads(pickle.dumps(first.data))
    assert MSE(data=sent)._examples is first._examples


TENSORS: Any = (torch.tensor(X), torch.tensor(Y))
BINARY: Any = (X, Y > 0)
IMAGES: Any = (np.zeros((4, 2, 2)), Y)
TWO_TARGETS: Any = (X, SEVERAL_TARGETS)
UNEQUAL: Any = (IMAGES[0], Y[:3])
LINEAR = torch.nn.Linear(2, 3, dtype=torch.float64)

# Losses of every kind, and what they count of a table in memory.
MODELS: dict[str, tuple[Callable[[], Any], int]] = {
    "softmax": (lambda: Softmax(data=TENSORS, degree=2), 18),
    "logistic": (lambda: Logistic(data=BINARY, standardize=True, batch_size=2), 3),
    "mlp": (lambda: MLP(data=FRAME, target="y", standardize=True, widths=(2,)), 15),
    "mlp, images": (lambda: MLP(data=IMAGES, widths=()), 15),
    "mlp, several targets": (lambda: MLP(data=TWO_TARGETS, widths=()), 6),
    "module": (lambda: Module(module=LINEAR, data=PAIR), 9),
}


@pytest.mark.parametrize("name", MODELS)
def test_all_models_take_tables_in_memory(name: str) -> None:
    make, dim = MODELS[name]
    loss = make()
    assert (loss.dim, loss.examples) == (dim, 4)


def test_networks_say_which_table_it_is() -> None:
    assert MLP(data=PAIR).about["network"].endswith("4 examples of a table of 4 × 3 in memory")
    with pytest.raises(SettingError, match="count=3: is for a generated set, not a table of 4 × 3"):
        MLP(data=PAIR, count=3)
    with pytest.raises(SettingError, match=r"data=\(<ndarray \(4, 2, 2\)>, .*: 4 features and 3 t"):
        MLP(data=UNEQUAL)


def test_a_run_takes_a_table_by_its_short_name() -> None:
    run = gdlab.run("mse", data=FRAME, target="b", lr=0.01, steps=2)
    assert run.settings.flat()["loss.data"].source == "a table of 4 × 3 in memory"
    from_file = gdlab.run("mse", lr=0.01, steps=2)
    loss: Any = from_file.settings.loss
    same = gdlab.run("mse", data=(loss.inputs[:, 0], loss.targets), lr=0.01, steps=2)
    assert same.outcome.final_loss == from_file.outcome.final_loss
