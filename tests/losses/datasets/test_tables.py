"""Reading tables of numbers, and the errors for those that cannot be used."""

import bz2
import csv
import gzip
import io
import lzma
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gdlab.errors import SettingError
from gdlab.losses import MSE, Ridge
from gdlab.losses.datasets.files import named_sets
from gdlab.losses.datasets.tables import read_examples

GOOD: dict[str, bytes] = {
    "plain": b"x,y\n1,2\n3.5,4\n",
    "no last line end": b"x,y\n1,2\n3.5,4",
    "CRLF": b"x,y\r\n1,2\r\n3.5,4\r\n",
    "byte order mark": b"\xef\xbb\xbfx,y\n1,2\n3.5,4\n",
    "quoted": b'"x","y"\n"1","2"\n"3.5","4"\n',
    "spaces": b"x,y\n 1,2 \n3.5,4\n",
    "exponents": b"x,y\n1e0,+2\n35E-1,4.\n",
    "empty lines": b"\nx,y\n1,2\n\n3.5,4\n\n",
    "blanks in the header": b" x ,\ty\n1,2\n3.5,4\n",
    "byte order mark and quotes": b'\xef\xbb\xbf"x",y\n1,2\n3.5,4\n',
    "UTF-16": "x,y\r\n1,2\r\n3.5,4\r\n".encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + "x,y\n1,2\n3.5,4\n".encode("utf-16-be"),
    "gzip": gzip.compress(b"x,y\n1,2\n3.5,4\n"),
    "gzip, two members": gzip.compress(b"x,y\n1,2\n") + gzip.compress(b"3.5,4\n"),
    "bzip2": bz2.compress(b"x,y\n1,2\n3.5,4\n"),
    "xz, UTF-16": lzma.compress("x,y\n1,2\n3.5,4\n".encode("utf-16")),
    "zstd": pa.compress(b"x,y\n1,2\n3.5,4\n", "zstd", asbytes=True),
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
    "empty cell": (b"x,y\n1,2\n,3\n", "line 3, column x: the cell is empty"),
    "empty column": (b"x,y\n,2\n,3\n", "line 2, column x: the cell is empty"),
    "after empty lines": (b"\nx,y\n\n1,2\n\n-,3\n", "line 6, column x: '-' is not a number"),
    "a date": (b"x,y\n2020-01-01,2\n", "line 2, column x: '2020-01-01' is not a number"),
    "underscores": (b"x,y\n1,2\n1_000,3\n", "line 3, column x: '1_000' is not a number"),
    "a cell in Latin-1": (b"x,y\n1,2\n\xe9,3\n", "line 3, column x: '\ufffd' is not a number"),
    "a header in Latin-1": (
        b"x,\xe9\n1,2\n",
        "the header is not UTF-8 text; save the file as UTF-8",
    ),
    "an endless cell": (b"x,y\n" + 200_000 * b"z" + b",2\n", "a value in column x is not a number"),
    "an empty cell among booleans": (
        b"x,y\nTrue,1\n,2\n",
        "line 3, column x: the cell is empty",
    ),
    "a number among booleans": (
        b"x,y\n1,1\nfalse,2\n2,3\n",
        "line 4, column x: '2' is not true or false",
    ),
    "a boolean among numbers": (
        b"x,y\n1,1\n2,2\ntrue,3\n",
        "line 4, column x: 'true' is not a number",
    ),
    "no value": (b"x,y\nNA,1\n2,2\n", "line 2, column x: 'NA' is not a number"),
    "text in gzip": (
        gzip.compress(b"x,y\n1,2\nabc,3\n"),
        "line 3, column x: 'abc' is not a number",
    ),
    "text in xz": (lzma.compress(b"x,y\nabc,3\n"), "line 2, column x: 'abc' is not a number"),
    "text in zstd": (
        pa.compress(b"x,y\n1,2\n3,\n", "zstd", asbytes=True),
        "line 3, column y: the cell is empty",
    ),
    "text in UTF-16": (
        "x,y\n1,2\nabc,3\n".encode("utf-16"),
        "line 3, column x: 'abc' is not a number",
    ),
    "half a gzip file": (
        gzip.compress(b"x,y\n1,2\n")[:-9],
        "not a readable CSV file (Truncated compressed stream)",
    ),
    "nothing in gzip": (gzip.compress(b""), "the file is empty"),
    "UTF-16 without a mark": (
        "x,y\n1,2\n".encode("utf-16-le"),
        "is not text in UTF-8; save the table as CSV or Parquet",
    ),
    "Excel": (
        b"PK\3\4\0",
        "is an Excel workbook or a zip archive; save the table as CSV or Parquet",
    ),
    "columns equal but for blanks": (b"x,x ,y\n1,2,3\n", "more than one column is named x"),
    "blanks for a name": (
        b" ,x,y\n0,1,2\n",
        "column 1 has no name; name it, or choose columns with features",
    ),
    "no header, and equal numbers": (
        b"1,2,2\n3,4,5\n",
        "more than one column is named 2; the first line must hold names",
    ),
    "semicolons, and commas in numbers": (
        b"a;b\n1,5;2\n",
        "not a readable CSV file (CSV parse error: Expected 1 columns, got 2: 1,5;2); "
        "semicolons separate its columns, where commas must",
    ),
    "equal columns": (b"x,x,y\n1,2,3\n", "more than one column is named x"),
    "no header": (b"1,2.5\n3,4\n", "the header must hold names, but holds the numbers 1, 2.5"),
    "no name": (b",x,y\n0,1,2\n", "column 1 has no name; name it, or choose columns with features"),
    "a long cell": (
        b"x,y\n" + 400 * b"9" + b",2\n",
        f"line 2, column x: '{60 * '9'}…' is not a finite number",
    ),
    "a column of texts": (
        b"a,kind,b,y\n1,red,2,3\n4,blue,5,6\n",
        "line 2, column kind: 'red' is not a number; "
        "make a column of 0 and 1 of each of its values (pandas.get_dummies), or leave out the "
        "columns of text: loss.features=[a,b]",
    ),
    "classes as texts": (
        b"a,kind\n1,red\n4,blue\n",
        "line 2, column kind: 'red' is not a number; "
        "choose another loss.target, or a loss of classes, such as loss=softmax",
    ),
    "one column": (b"y\n1\n", "needs at least one column besides the target y"),
    "semicolons": (
        b"x;y\n1;2\n",
        "needs at least one column besides the target x;y; commas must separate the columns",
    ),
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
    ({"target": " b", "features": ("a ", "z")}, r"features=\[a,z\]: z is not one of a, y$"),
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
        ([1.0, None], r"row 2 of 2, column x \(double\): null is not a number"),
        ([1.0, np.inf], r"row 2 of 2, column x \(double\): inf is not a finite number"),
        ([None, 1], r"row 1 of 2, column x \(int64\): null is not a number"),
        ([True, None], r"row 2 of 2, column x \(bool\): null is not a number"),
        ([None, None], r"row 1 of 2, column x \(null\): null is not a number"),
        (["a", "b"], r"row 1 of 2, column x \(string\): 'a' is not a number"),
        ([date(2020, 1, 2)] * 2, r"column x \(date32\[day\]\): 2020-01-02 is not a number"),
        ([[1.0], []], r"row 1 of 2, column x \(list<.*>\): \[1.0\] is not a number"),
        ([Decimal("1.5"), None], r"column x \(decimal128\(2, 1\)\): null is not a number"),
        (pa.array(["a", None]).dictionary_encode(), r"row 1 .*: 'a' is not a number"),
    ],
)
def test_unusable_parquet_is_refused(column: Any, message: str, tmp_path: Path) -> None:
    data = write_parquet(tmp_path / "data.parquet", x=column, y=[1.0, 2.0])
    with pytest.raises(SettingError, match=message):
        read_examples(data, None, None)


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="a file of Linux")
def test_a_file_that_the_system_cannot_read_is_refused() -> None:
    for read in (lambda path: read_examples(path, None, None), lambda path: MSE(data=path)):
        with pytest.raises(SettingError, match=r"^data=/proc/self/mem: cannot be read \("):
            read("/proc/self/mem")


def test_a_column_called_intercept_is_told_from_the_constant(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("intercept,y\n1,2\n2,3\n")
    assert MSE(data=str(path)).names == ("intercept", "(intercept)")
    assert MSE(data=str(path), intercept=False).names == ("intercept",)


def test_decimals_and_categories_of_numbers_are_numbers(tmp_path: Path) -> None:
    data = write_parquet(
        tmp_path / "data.parquet",
        money=[Decimal("1.25"), Decimal("-3.50")],
        kind=pa.array([7, 5]).dictionary_encode(),
        y=[1, 2],
    )
    assert read_examples(data, None, None).features.tolist() == [[1.25, 7.0], [-3.5, 5.0]]


FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 7.0], "y": [0.0, 1.0, 5.0]})

# What pandas writes, and the columns that there are; the last is the target.
FRAMES: dict[str, tuple[pd.DataFrame, tuple[str, ...]]] = {
    "a range": (FRAME, ("a", "b", "y")),
    "a range from 5": (FRAME.set_axis(range(5, 8)), ("a", "b", "y")),
    "numbers in another order": (FRAME.iloc[[2, 0, 1]], ("a", "b", "y")),
    "a column": (FRAME.set_index("a"), ("b", "y")),
    "the last column": (FRAME.set_index("y"), ("a", "b")),
    "texts": (FRAME.set_axis(list("uvw")), ("a", "b", "y")),
    "several levels": (FRAME.assign(k=[1, 2, 3]).set_index(["k", FRAME.index]), ("a", "b", "y")),
    "dates": (FRAME.set_axis(pd.date_range("2020", periods=3)), ("a", "b", "y")),
}


@pytest.mark.parametrize("name", FRAMES)
def test_the_index_of_pandas_is_not_a_column(name: str, tmp_path: Path) -> None:
    frame, columns = FRAMES[name]
    frame.to_parquet(tmp_path / "data.parquet")
    examples = read_examples(str(tmp_path / "data.parquet"), None, None)
    assert examples.names == columns[:-1]
    assert np.array_equal(examples.features, frame[list(columns[:-1])])
    assert np.array_equal(examples.targets, frame[columns[-1]])


@pytest.mark.parametrize(
    ("index", "choice", "message"),
    [
        (["a"], {"target": "a"}, "target=a: no such column in .*; it has b, y{}$"),
        (["a"], {"features": ("a",)}, r"features=\[a\]: a is not one of b{}$"),
        (["a", "b"], {}, "needs at least one column besides the target y{}$"),
        (["a", "b", "y"], {}, "needs at least one column besides the target{}$"),
    ],
)
def test_the_index_of_pandas_cannot_be_chosen(
    index: list[str], choice: Any, message: str, tmp_path: Path
) -> None:
    FRAME.set_index(index).to_parquet(tmp_path / "data.parquet")
    hint = rf" \(the index of pandas, {', '.join(index)}, is not a column\)"
    with pytest.raises(SettingError, match=message.format(hint)):
        read_examples(
            str(tmp_path / "data.parquet"), **({"target": None, "features": None} | choice)
        )


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53), st.booleans()
)
DATES = st.dates(date(1950, 1, 1), date(2050, 1, 1))
NOT_NUMBERS = st.one_of(st.none(), DATES, st.sampled_from(["abc", "é", "1,5", "", "NA", "nan"]))
TITLES = st.text("aé中 \xa0_1.'\"\ufeff=", min_size=1, max_size=5).filter(str.strip)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda content: pa.compress(content, "zstd", asbytes=True),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, list[Any]], tuple[str, int] | None]:
    """Columns of one kind of numbers each, and the column and row of a cell that is none."""
    titles = draw(st.lists(TITLES, min_size=2, max_size=4, unique_by=str.strip))
    rows = draw(st.integers(2, 5))
    kinds = st.sampled_from(NUMBERS.original_strategies)  # type: ignore[attr-defined]
    table = {t: draw(st.lists(draw(kinds), min_size=rows, max_size=rows)) for t in titles}
    bad = draw(st.none() | st.tuples(st.sampled_from(titles), st.integers(1, rows - 1)))
    if bad is not None:
        table[bad[0]][bad[1]] = draw(NOT_NUMBERS)
    return table, bad


def assert_read(path: Path, table: dict[str, list[Any]]) -> None:
    *names, target = table
    examples = read_examples(str(path), None, None)
    assert examples.names == tuple(name.strip() for name in names)
    assert np.array_equal(examples.features, np.array([table[n] for n in names], float).T)
    assert np.array_equal(examples.targets, np.array(table[target], float))


@hypothesis_settings(max_examples=40)
@given(
    drawn=tables(),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    compression=st.sampled_from(list(COMPRESS)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_csv_file_is_read_or_its_first_bad_cell_is_named(
    drawn: Any, codec: str, compression: str, end: str, tmp_path_factory: Any
) -> None:
    table, bad = drawn
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([list(table), *zip(*table.values(), strict=True)])
    path: Path = tmp_path_factory.mktemp("t") / "data"
    path.write_bytes(COMPRESS[compression](file.getvalue().encode(codec)))
    if bad is None:
        return assert_read(path, table)
    cell = table[bad[0]][bad[1]]
    said = "the cell is empty" if cell in (None, "") else f"{str(cell)!r} is not"
    place = f"line {bad[1] + 2}, column {bad[0].strip()}: {said}"
    with pytest.raises(SettingError, match=re.escape(place)):
        read_examples(str(path), None, None)
    return None


@hypothesis_settings(max_examples=25)
@given(drawn=tables(), index=st.sampled_from([None, "name", "column"]))
def test_any_table_of_pandas_is_read_or_its_first_bad_cell_is_named(
    drawn: Any, index: str | None, tmp_path_factory: Any
) -> None:
    table, bad = drawn
    try:
        frame = pd.DataFrame(table)
        rows = list(range(len(frame), 0, -1))
        frame = frame if index is None else frame.set_axis(pd.Index(rows, name=index))
        path: Path = tmp_path_factory.mktemp("t") / "data.parquet"
        frame.to_parquet(path)
    except pa.ArrowException:  # a column of numbers and texts is none of Parquet
        return None
    if bad is None:
        return assert_read(path, table)
    with pytest.raises(SettingError, match=rf"row \d of {len(frame)}, column") as error:
        read_examples(str(path), None, None)
    assert f"column {bad[0].strip()} (" in str(error.value)
    return None


def test_a_damaged_note_about_the_index(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0], "y": [2.0]}, metadata={"pandas": "{}"})
    pq.write_table(table, tmp_path / "data.parquet")
    with pytest.raises(SettingError, match="what pandas wrote about its index is damaged"):
        read_examples(str(tmp_path / "data.parquet"), None, None)


@pytest.mark.parametrize("name", ["d.pq", "D.PARQUET", "d.csv", "d"])
def test_the_content_and_not_the_name_says_what_a_file_is(name: str, tmp_path: Path) -> None:
    assert read_examples(write_parquet(tmp_path / name, x=[1], y=[2]), None, None).names == ("x",)
    for content in (b"PAR1,y\n1,2\n", bz2.compress(b"PAR1,y\n1,2\n")):
        (tmp_path / "d.txt").write_bytes(content)
        assert read_examples(str(tmp_path / "d.txt"), None, None).targets.tolist() == [2]


def test_a_path_that_begins_with_a_tilde(tmp_path: Path, monkeypatch: Any) -> None:
    """A folder called ~x is not the home of x, nor is ./~ home."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~x").mkdir()
    for name in ("d.csv", "d.csv.gz"):
        content = b"x,y\n1,2\n"
        (tmp_path / "~x" / name).write_bytes(gzip.compress(content) if "gz" in name else content)
    write_parquet(tmp_path / "~x" / "d.parquet", x=[1], y=[2])
    for name in ("d.csv", "d.csv.gz", "d.parquet"):
        assert read_examples(f"./~x/{name}", None, None).names == ("x",)


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
    assert loss.unchecked(penalty=2.0).targets.tolist() == [4, 5, 7]
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
