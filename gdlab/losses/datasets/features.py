"""Features for a model: columns of a data set, their products, optionally standardized.

Shapes: N examples, P features.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from decimal import Decimal
from weakref import WeakValueDictionary

import numpy as np

from gdlab.errors import SettingError
from gdlab.losses.datasets.files import locate
from gdlab.losses.datasets.memory_table import MemoryTable
from gdlab.losses.datasets.split import Split
from gdlab.losses.datasets.tables import MAX_NUMBERS, Data, Examples, read_examples

_MAX_EXPONENT = 900
"""Sums of numbers up to 2^900 are far from overflow, and those from 2^-900 lose no digits."""

_cache: "WeakValueDictionary[tuple[object, ...], Examples]" = WeakValueDictionary()


def prepare_examples(
    data: Data,
    target: str | None,
    features: tuple[str, ...] | None,
    *,
    standardize: bool = False,
    degree: int = 1,
    intercept: bool = False,
    split: Split | None = None,
    task: str | None = "regression",
) -> Examples:
    """Return the examples of a data set, with the features that a model needs.

    Losses with the same settings share one copy of the arrays as long as any of them is alive, so
    the runs of a sweep read a file once.

    Args:
        data: the name of a data set that ships with gdlab, a path, or a table in memory.
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        standardize: whether to scale each feature to mean 0 and (population) standard deviation 1.
        degree: features are all products of at most this many of these columns.
        intercept: whether to append a column of ones to the features.
        split: which examples are held out; scales are those of the others.
        task: classification or regression; None if the targets tell it. Of regression a column of
            texts is not the target.

    Raises:
        SettingError: the file, a column or a cell cannot be used, a feature cannot be made, or the
            split leaves no examples.
    """
    labels = task != "regression"
    key = (*_version(data), target, features, standardize, degree, intercept, split, labels)
    examples = _cache.get(key)
    if examples is None:
        examples = read_examples(data, target, features, intercept=intercept, labels=labels)
        if standardize:
            _rescale(examples, degree)
        if degree > 1:
            examples = _expand(examples, degree)
        if split is not None:
            examples = split.of(examples)
        if standardize:
            _standardize(examples, data)
        _cache[key] = examples
    return examples


def _version(data: Data) -> tuple[object, ...]:
    """Return what changes with the content of a data set."""
    if isinstance(data, MemoryTable):
        return (data.digest,)
    path = locate(data)
    file = path.stat()
    return path.resolve(), file.st_mtime_ns, file.st_size, file.st_ino


def _rescale(examples: Examples, degree: int) -> None:
    """Multiply columns in place by powers of two, so that squares of products stay in range.

    This is exact and standardizing undoes it. Columns that need no scale keep their bits.
    """
    for values in examples.features.T[: len(examples.names)]:
        exponent = math.frexp(np.abs(values).max())[1]
        if 2 * degree * abs(exponent) > _MAX_EXPONENT:
            np.ldexp(values, -exponent, out=values)


def _expand(examples: Examples, degree: int) -> Examples:
    """Return all products of at most `degree` features, by degree: x, z, x^2, x*z, z^2, … ."""
    n, p = len(examples.targets), len(examples.names)
    count = math.comb(p + degree, degree) - 1
    if n * count > MAX_NUMBERS:
        features = f"{count:,}" if count < 1e12 else f"{Decimal(count):.1e}"
        what = f"makes {features} features from {p}, too many for 1 GiB with {n:,} examples"
        raise SettingError(f"degree={degree}: {what}")
    ones = examples.features.shape[1] - p
    matrix, names = np.ones((n, count + ones)), []
    for column, powers in enumerate(_products(p, degree)):
        for feature, power in powers:
            with np.errstate(over="ignore", under="ignore"):
                matrix[:, column] *= examples.features[:, feature] ** power
        parts = ((examples.names[feature], power) for feature, power in powers)
        names.append("*".join(name if power == 1 else f"{name}^{power}" for name, power in parts))
        if not np.isfinite(matrix[:, column]).all():
            raise SettingError(f"degree={degree}: {names[-1]} exceeds the largest float64")
    return dataclasses.replace(examples, features=matrix, names=tuple(names))


def _products(p: int, degree: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the products of 1 to `degree` of p features, as pairs of a feature and its power."""
    for total in range(1, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(p), total):
            yield [(feature, len(list(same))) for feature, same in itertools.groupby(chosen)]


def _standardize(examples: Examples, data: Data) -> None:
    """Scale the features in place, those held out like the others."""
    count, held_out = len(examples.names), examples.validation
    features = examples.features[:, :count]
    others = features[:0] if held_out is None else held_out.features[:, :count]
    for name, values in zip(examples.names, features.T, strict=True):
        if (values == values[0]).all():
            raise SettingError(f"standardize=true: the column {name} of {data} is constant")
    # One by one: a copy of all may be large.
    for values, held in zip(features.T, others.T, strict=True):
        mean, deviation = values.mean(), values.std()
        for part in (values, held):
            part -= mean
            part /= deviation
