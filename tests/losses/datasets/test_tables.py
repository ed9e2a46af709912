"""Reading tables of numbers, and the errors for those that cannot be used."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from gdlab.errors import SettingError
from gdlab.losses import MSE, Ridge
from gdlab.losses.datasets.tables import named_sets, read_examples

GOOD: dict[str, bytes] = {
    "plain": b"x,y\n1,2\n3.5,4\n",
    "no last line end": b"x,y\n1,2\n3.5,4",
    "CRLF": b"x,y\r\n1,2\r\n3.5,4\r\n",
    "byte order mark": b"\xef\xbb\xbfx,y\n1,2\n3.5,4\n",
    "quoted": b'"x","y"\n"1","2"\n"3.5","4"\n',
    "spaces": b"x,y\n 1,2 \n3.5,4\n",
    "exponents": b"x,y\n1e0,+2\n35E-1,4.\n",
    "empty lines": b"\nx,y\n1,2\n\n3.5,4\n\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_readable_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(GOOD[name])
    examples = read_examples(str(path), None, None)
    assert examples.features.tolist() == [[1.0], [3.5]]
    assert examples.targets.tolist() == [2.0, 4.0]
    assert examples.names == ("x",)


def test_numbers_keep_all_their_bits(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((200, 3)) * 10.0 ** np.arange(-150, 150, 100)
    path = tmp_path / "data.csv"
    lines = [",".join(map(repr, row)) for row in values.tolist()]
    path.write_text("\n".join(["a,b,c", *lines]), "utf-8")
    examples = read_examples(str(path), None, None)
    assert np.array_equal(np.column_stack((examples.features, examples.targets)), values)


def test_whole_numbers_may_turn_into_fractions_late_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"x,y\n" + 400_000 * b"1,2\n" + b"1.5,2\n")
    assert read_examples(str(path), None, None).features[-1].tolist() == [1.5]


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"note,a,b,c\nhello,1,2,3\nworld,4,5,6\n")
    examples = read_examples(str(path), "b", ("c", "a"))
    assert examples.features.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert examples.targets.tolist() == [2.0, 5.0]


NAMED = [
    *("breast_cancer", "diabetes", "digits", "filip", "iris", "line3", "longley", "noint1"),
    *("norris", "pontius", "stackloss", "wampler1", "wampler2", "wampler3", "wampler4"),
    *("wampler5", "wine"),
]


def test_named_sets() -> None:
    assert named_sets() == NAMED
    examples = read_examples("line3", None, None)
    assert (examples.features.tolist(), examples.targets.tolist()) == ([[1], [2], [3]], [4, 5, 7])


# Unusable files: the bytes, and the end of the message.
BAD: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "the file is empty"),
    "header only": (b"x,y\n", "the file has no rows"),
    "text": (b"x,y\n1,2\nabc,3\n", "line 3, column x: 'abc' is not a number"),
    "text, CRLF": (b"x,y\r\n1,2\r\nabc,3\r\n", "line 3, column x: 'abc' is not a number"),
    "text, byte order mark": (
        b"\xef\xbb\xbfx,y\nabc,2\n",
        "line 2, column x: 'abc' is not a number",
    ),
    "text with a comma": (b'x,y\n1,2\n3,"1,5"\n', "line 3, column y: '1,5' is not a number"),
    "text late in the file": (
        b"x,y\n" + 400_000 * b"1,2\n" + b"abc,2\n",
        "line 400002, column x: 'abc' is not a number",
    ),
    "after a cell of two lines": (
        b'x,"y\nz",y\n1,2,3\n"4","5",nan\n',
        "line 4, column y: 'nan' is not a finite number",
    ),
    "NaN": (b"x,y\n1,2\n1,NaN\n", "line 3, column y: 'NaN' is not a finite number"),
    "infinite": (b"x,y\n-inf,2\n", "line 2, column x: '-inf' is not a finite number"),
    "overflowing": (b"x,y\n1e400,2\n", "line 2, column x: '1e400' is not a finite number"),
    "empty cell": (b"x,y\n1,2\n,3\n", "line 3, column x: '' is not a finite number"),
    "empty column": (b"x,y\n,2\n,3\n", "line 2, column x: '' is not a number"),
    "after empty lines": (b"\nx,y\n\n1,2\n\n-,3\n", "line 6, column x: '-' is not a number"),
    "a date": (b"x,y\n2020-01-01,2\n", "line 2, column x: '2020-01-01' is not a number"),
    "underscores": (b"x,y\n1,2\n1_000,3\n", "line 3, column x: '1_000' is not a number"),
    "a cell in Latin-1": (b"x,y\n1,2\n\xe9,3\n", "line 3, column x: '\ufffd' is not a number"),
    "a header in Latin-1": (b"x,\xe9\n1,2\n", "the header is not UTF-8 text"),
    "an endless cell": (b"x,y\n" + 200_000 * b"z" + b",2\n", "a value in column x is not a number"),
    "equal columns": (b"x,x,y\n1,2,3\n", "more than one column is named x"),
    "no header": (b"1,2.5\n3,4\n", "the header must hold names, but holds the numbers 1, 2.5"),
    "no name": (b",x,y\n0,1,2\n", "column 1 has no name; name it, or choose columns with features"),
    "a long cell": (
        b"x,y\n" + 400 * b"9" + b",2\n",
        f"line 2, column x: '{60 * '9'}…' is not a finite number",
    ),
    "one column": (b"y\n1\n", "needs at least one column besides the target y"),
    "semicolons": (b"x;y\n1;2\n", "needs at least one column besides the target x;y"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_file_is_refused(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(SettingError) as error:
        read_examples(str(path), None, None)
    assert str(error.value) == f"data={path}: {message}"


@pytest.mark.parametrize("content", [b"x,y\n1,2,3\n", b"x,y\n1,2\n3\n", b"\n\n"])
def test_lines_of_different_lengths_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(SettingError, match="not a readable CSV file"):
        read_examples(str(path), None, None)


BAD_CHOICES: list[tuple[dict[str, Any], str]] = [
    ({"target": "yy"}, "target=yy: no such column in .*, did you mean y\\?; it has a, b, y$"),
    ({"features": ("a", "b", "a")}, r"features=\[a,b,a\]: a occurs more than once$"),
    ({"target": "z"}, "target=z: no such column in .*; it has a, b, y$"),
    ({"features": ("a", "z")}, r"features=\[a,z\]: z is not one of a, b$"),
    ({"features": ("y",)}, r"features=\[y\]: y is not one of a, b$"),
    ({"features": ()}, "needs at least one column besides the target y$"),
]


@pytest.mark.parametrize(("choice", "message"), BAD_CHOICES)
def test_columns_that_cannot_be_chosen(choice: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b,y\n1,2,3\n")
    with pytest.raises(SettingError, match=message):
        read_examples(str(path), **({"target": None, "features": None} | choice))


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    known = rf"\(data sets: {', '.join(NAMED)}\)$"
    with pytest.raises(SettingError, match=rf"no such file {known}"):
        read_examples(str(tmp_path / "none.csv"), None, None)
    with pytest.raises(SettingError, match=rf"is not a file {known}"):
        read_examples(str(tmp_path), None, None)
    with pytest.raises(SettingError, match=rf"no such file, did you mean diabetes\? {known}"):
        read_examples("diabetse", None, None)


@pytest.mark.parametrize("value", [b"7", b"0.1"])
def test_a_constant_column_cannot_be_standardized(value: bytes, tmp_path: Path) -> None:
    """The mean of three times 0.1 is not 0.1, so its deviation does not come out as 0."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b,y\n" + b"".join(b"%d,%s,2\n" % (i, value) for i in range(3)))
    with pytest.raises(SettingError, match=r"standardize=true: the column b of .* is constant"):
        MSE(data=str(path), standardize=True)


def write_parquet(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    data = write_parquet(
        tmp_path / "data.parquet",
        whole=[1, 2],
        single=pa.array([0.5, 1.5], pa.float32()),
        flag=[True, False],
        y=[3.0, 4.0],
    )
    examples = read_examples(data, None, None)
    assert examples.features.tolist() == [[1.0, 0.5, 1.0], [2.0, 1.5, 0.0]]
    assert examples.targets.tolist() == [3.0, 4.0]
    assert examples.names == ("whole", "single", "flag")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, None], "a value in column x is not a finite number"),
        ([1.0, np.inf], "a value in column x is not a finite number"),
        (["a", "b"], "a value in column x is not a number"),
    ],
)
def test_unusable_parquet_is_refused(column: Any, message: str, tmp_path: Path) -> None:
    data = write_parquet(tmp_path / "data.parquet", x=column, y=[1.0, 2.0])
    with pytest.raises(SettingError, match=message):
        read_examples(data, None, None)


def test_parquet_without_rows(tmp_path: Path) -> None:
    empty = pa.array([], pa.float64())
    with pytest.raises(SettingError, match="the file has no rows"):
        read_examples(write_parquet(tmp_path / "data.parquet", x=empty, y=empty), None, None)


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PAR1 and then nothing PAR1"])
def test_a_file_that_is_parquet_by_name_only(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    with pytest.raises(SettingError, match="not a readable Parquet file"):
        read_examples(str(path), None, None)


def test_a_loss_reads_its_file_when_created_and_not_during_a_run(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"x,y\n1,4\n2,5\n3,7\n")
    loss = Ridge(data=str(path), standardize=False)
    path.unlink()
    columns = loss.with_columns(lambda value: torch.full((3,), value).double())
    assert columns is not loss
    assert columns.solution is not None
    assert columns.solution.shape == (3, 2)
    assert columns.to(torch.float32, torch.device("cpu")).inputs.dtype == torch.float32


def test_an_index_without_a_name_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b",x,y\n0,1,2\n1,5,6\n")
    assert read_examples(str(path), None, ("x",)).features.tolist() == [[1], [5]]


def test_a_header_of_column_numbers_is_a_header(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"0,1\n5,6\n")
    assert read_examples(str(path), None, None).names == ("0",)
