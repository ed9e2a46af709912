"""Features for a model: columns of a data set, their products, each to one scale where asked for.

Shapes: N examples, P features.
"""

import itertools
import math
from collections.abc import Iterator
from decimal import Decimal
from weakref import WeakValueDictionary

import numpy as np

from gdlab.errors import SettingError
from gdlab.losses.datasets.tables import MOST_NUMBERS, Examples, locate, read_examples

_known: "WeakValueDictionary[tuple[object, ...], Examples]" = WeakValueDictionary()


def prepared(
    data: str,
    target: str | None,
    features: tuple[str, ...] | None,
    *,
    standardize: bool = False,
    degree: int = 1,
    intercept: bool = False,
) -> Examples:
    """The examples of a data set, with the features that a model asks for.

    While a loss holds them, losses that ask for the same get the same arrays: the runs of a sweep
    read a file once.

    Args:
        data: the name of a data set that ships with gdlab, or a path.
        target: the column to predict; None for the last one.
        features: the columns to predict it from; None for all others.
        standardize: whether each feature is scaled to mean 0 and (population) deviation 1.
        degree: all products of at most so many of these columns are features.
        intercept: whether the features get a last column of ones.

    Raises:
        SettingError: the file, a column or a cell cannot be used, or a feature cannot be made.
    """
    path = locate(data)
    about = path.stat()
    version = path.resolve(), about.st_mtime_ns, about.st_size, about.st_ino
    key = (*version, target, features, standardize, degree, intercept)
    examples = _known.get(key)
    if examples is None:
        examples = read_examples(data, target, features, intercept=intercept)
        if degree > 1:
            examples = _expanded(examples, degree)
        if standardize:
            _standardize(examples, data)
        _known[key] = examples
    return examples


def _expanded(examples: Examples, degree: int) -> Examples:
    """All products of at most `degree` features, by degree: x, z, x^2, x*z, z^2, … ."""
    n, p = len(examples.targets), len(examples.names)
    count = math.comb(p + degree, degree) - 1
    if n * count > MOST_NUMBERS:
        features = f"{count:,}" if count < 1e12 else f"{Decimal(count):.1e}"
        what = f"makes {features} features of {p}, more than fit into 1 GiB for {n:,} examples"
        raise SettingError(f"degree={degree}: {what}")
    more = examples.features.shape[1] - p
    matrix, names = np.ones((n, count + more)), []
    for place, powers in enumerate(_products(p, degree)):
        for feature, power in powers:
            with np.errstate(over="ignore", under="ignore"):
                matrix[:, place] *= examples.features[:, feature] ** power
        parts = ((examples.names[feature], power) for feature, power in powers)
        names.append("*".join(name if power == 1 else f"{name}^{power}" for name, power in parts))
        if not np.isfinite(matrix[:, place]).all():
            raise SettingError(f"degree={degree}: {names[-1]} is larger than any float64")
    return Examples(matrix, examples.targets, tuple(names))


def _products(p: int, degree: int) -> Iterator[list[tuple[int, int]]]:
    """Products of 1 to `degree` of p features, as pairs of a feature and its power."""
    for total in range(1, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(p), total):
            yield [(feature, len(list(same))) for feature, same in itertools.groupby(chosen)]


def _standardize(examples: Examples, data: str) -> None:
    """Scale the features in place."""
    features = examples.features[:, : len(examples.names)]
    for name, values in zip(examples.names, features.T, strict=True):
        if (values == values[0]).all():
            raise SettingError(f"standardize=true: the column {name} of {data} is constant")
    for values in features.T:  # one by one: a copy of them all may be large
        spread = values.std()
        values -= values.mean()
        values /= spread
