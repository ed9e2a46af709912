"""Tables that Python holds in memory: a data frame, or features and targets as arrays.

Shapes: N rows, P features.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor
from torch.utils.data import TensorDataset

from gdlab.errors import SettingError, describe_error
from gdlab.fields.formatting import short_repr
from gdlab.fields.validation import FromPython
from gdlab.losses.datasets.columns import Table

if TYPE_CHECKING:
    import pyarrow as pa

_HASHED_ROWS = 65_536


class MemoryTable(Table, FromPython):
    """A copy of a table in memory: later changes of the original have no effect on it.

    >>> import gdlab
    >>> loss = gdlab.losses.MSE(data=([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]))
    >>> loss.data, loss.names
    (a table of 3 × 2 in memory, ('x0', 'intercept'))
    """

    noun: ClassVar[str] = "table"
    described: ClassVar[str] = "in Python a data frame or a pair (features, targets)"

    @classmethod
    def of(cls, name: str, value: Any) -> "MemoryTable | None":
        """Return the table that an object stands for; None if it stands for none.

        Args:
            name: of the setting, for errors.
            value: a data frame of pandas, polars or pyarrow; a mapping from names to columns; or a
                pair, also as a `TensorDataset`: features (N, P) or (N,) and targets (N,). In a pair
                data frames and columns keep their names; arrays, tensors and lists are called
                x0, x1, … and y.

        Raises:
            SettingError: the columns differ in length, or there are no targets.
        """
        if isinstance(value, cls):
            return value
        try:
            columns = _columns_of(value)
            if columns is None:
                return None
            return cls._of_columns(columns, _names_of_index(value))
        except SettingError:
            raise
        except (ValueError, TypeError) as error:
            what = str(error) if type(error) is ValueError else describe_error(error)
            raise SettingError(f"{name}={_call(value)}: {what}") from error

    @classmethod
    def _of_columns(cls, columns: Mapping[str, Any], index: tuple[str, ...]) -> "MemoryTable":
        import pyarrow as pa

        names, arrays = list(columns), [_to_arrow(column) for column in columns.values()]
        shortest, longest = min(map(len, arrays), default=0), max(map(len, arrays), default=0)
        if shortest < longest:
            counts = ", ".join(f"{n} has {len(a):,}" for n, a in zip(names, arrays, strict=True))
            raise ValueError(f"all columns must have as many rows: {counts}")
        table = pa.Table.from_arrays(arrays, [name.strip() for name in names])
        text = f"a table of {longest:,} × {len(names):,} in memory"
        return cls(text, table, index)

    def __repr__(self) -> str:
        return str(self.source)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of names, types and values: equal tables share what is made of them."""
        digest = hashlib.sha256(str(self.columns.schema).encode())
        for batch in self.columns.to_batches(max_chunksize=_HASHED_ROWS):
            digest.update(batch.serialize())
        return digest.hexdigest()


def is_pair(value: Any) -> bool:
    """Return whether an object is a pair of features and targets, rather than two data sets."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    if any(isinstance(part, (tuple, MemoryTable)) for part in value):
        return False
    features, targets = value
    are_columns = _is_column(features) and _is_column(targets)
    return are_columns and not (_is_frame(targets) and targets.shape[1] > 1)


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes, Mapping))


def _is_frame(value: Any) -> bool:
    """Return whether an object is a data frame of any library; a single column is none."""
    return hasattr(value, "__arrow_c_stream__") and len(getattr(value, "shape", ())) == 2


def _columns_of(value: Any) -> Mapping[str, Any] | None:
    """Return the columns of a table by name, the target last; None if an object is no table.

    Raises:
        ValueError: it has no targets, or cannot be divided into columns.
    """
    if is_pair(value):
        return _columns_of_pair(*value)
    if _is_frame(value):
        return _columns_of_frame(value)
    if isinstance(value, TensorDataset) and len(value.tensors) == 2:
        return _columns_of_pair(*value.tensors)
    if isinstance(value, Mapping) and value and all(map(_is_column, value.values())):
        return {str(name): column for name, column in value.items()}
    if hasattr(value, "shape"):
        raise ValueError("has no targets; give a pair (features, targets) or a data frame")
    return None


def _columns_of_frame(frame: Any) -> Mapping[str, Any]:
    """Return the columns of a data frame by name.

    Raises:
        ValueError: two have the same name.
    """
    import pyarrow as pa

    if hasattr(frame, "iloc"):  # of pandas, whose names may be numbers
        pairs = [(str(name), column) for name, column in frame.items()]
    else:
        table = pa.table(frame)
        pairs = list(zip(table.column_names, table.columns, strict=True))
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"more than one column is named {', '.join(repeated)}")
    return dict(pairs)


def _columns_of_pair(features: Any, targets: Any) -> Mapping[str, Any]:
    """Return the columns of features (N, P) or (N,) by name, and those of targets (N,) last."""
    if _is_frame(features):
        columns = dict(_columns_of_frame(features))
    else:
        matrix = _to_array(features)
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        if matrix.ndim != 2:
            raise ValueError(f"features must have shape (N, P), but have {matrix.shape}")
        columns = {f"x{at}": column for at, column in enumerate(matrix.T)}
    if _is_frame(targets):
        ((_, targets),) = _columns_of_frame(targets).items()
    named = getattr(targets, "name", None)
    target = targets if named is not None else _to_array(targets)
    target = target[:, 0] if np.ndim(target) == 2 and target.shape[1] == 1 else target
    if np.ndim(target) != 1:
        raise ValueError(f"targets must have shape (N,), but have {np.shape(target)}")
    rows = len(next(iter(columns.values()), ()))
    if columns and rows != len(target):
        raise ValueError(f"{rows:,} rows of features and {len(target):,} targets")
    name = "y" if named is None else str(named)
    if name in columns:
        raise ValueError(f"a feature and the target are both named {name}")
    return columns | {name: target}


def _names_of_index(value: Any) -> tuple[str, ...]:
    """Return the names of the index of a data frame of pandas: it is not among the columns."""
    frame = value[0] if is_pair(value) else value
    names = getattr(getattr(frame, "index", None), "names", ())
    return tuple(str(name) for name in names if name is not None)


def _to_array(values: Any) -> np.ndarray:
    """Return an array, a tensor nested lists or a sparse matrix as an array."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    if isinstance(values, np.ma.MaskedArray):  # of which NumPy would give the hidden values
        values = np.ma.filled(values.astype(np.float64), np.nan)
    array = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    if np.iscomplexobj(array):
        raise ValueError(f"must be real numbers, but are {array.dtype}")
    return array


def _to_arrow(column: Any) -> "pa.Array | pa.ChunkedArray":
    """Return a copy of a column; one with values of several kinds becomes texts."""
    import pyarrow as pa

    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        return column  # immutable
    if isinstance(column, Tensor):
        column = _to_array(column)
    column = column.copy() if hasattr(column, "copy") else column
    try:
        return pa.array(column, from_pandas=False)
    except (pa.ArrowException, TypeError):
        return pa.array([str(value) for value in column])


def _call(value: Any) -> str:
    """Name an object in a few words."""
    if is_pair(value):
        return f"({', '.join(map(_call, value))})"
    return type(value).__name__ if isinstance(value, (list, Mapping)) else short_repr(value)
